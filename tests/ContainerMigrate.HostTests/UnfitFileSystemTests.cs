using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>A volume that cannot go where it would have to is refused by the check, which says what is in the way, before anything is touched.</summary>
[Trait("docker", "any")]
public sealed class UnfitFileSystemTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "unfit";

    [Fact]
    public async Task WhatTheFileSystemThereDoesNotTakeIsSaidBeforehand()
    {
        await H1.RunAsync("mkdir", "-p", "/srv/unfit/data");
        await LabContainer.StartAsync(H1, "docker", Container, "ctm-small:1", ["sleep", "infinity"], ["/srv/unfit/data:/data"], []);
        AtTheEnd(() => H2.ShellAsync("umount /srv/unfit; rmdir /srv/unfit"));
        await H2.ShellAsync("mkdir /srv/unfit; mount -t ramfs ramfs /srv/unfit"); // without extended attributes
        // Owner rw, user 1000 r, group none, mask r, others none.
        await WriteAsync("open('/data/listed', 'w').close(); os.setxattr('/data/listed', 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(struct.pack('<HHI', *e) for e in ((1, 6, 2**32 - 1), (2, 4, 1000), (4, 0, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1))))");
        await ShouldBeRefusedAsync("h2: mounts: /data: /srv/unfit/data/listed has POSIX ACLs; the file system that it would go to does not take that");
        await WriteAsync("os.removexattr('/data/listed', 'system.posix_acl_access')");

        // 48 inodes; blocks of 1 KiB and no extents, so that no file is longer than 16 GiB.
        await H2.RunAsync("umount", "/srv/unfit");
        await using (var disk = new LabProcess(LabFixture.Program("disk"), [H2.Name, "/srv/unfit", "24", "-N", "48", "-b", "1024", "-O", "^extents,^64bit"]))
        {
            (await disk.WaitAsync(TimeSpan.FromSeconds(30))).Checked();
        }

        var there = await H2.LeftoversAsync();

        await WriteAsync("[open(f'/data/{n}', 'w').close() for n in range(60)]");
        await ShouldBeRefusedAsync("h2: disk: not enough inodes for /data: ");
        await WriteAsync("[os.unlink(f'/data/{n}') for n in range(60)]");

        await WriteAsync("os.mkdir('/data/deep'); os.truncate(os.open('/data/deep/long', os.O_CREAT | os.O_WRONLY), 20 << 30)");
        await ShouldBeRefusedAsync("h2: mounts: /data: /srv/unfit/data/deep/long is 20 GiB long, of 16 GiB at most");
        await WriteAsync("os.truncate('/data/deep/long', 5 << 30)");

        (await H2.LeftoversAsync()).DifferenceTo(there).ShouldBeEmpty();
        (await H1.MigrateAsync(Container, H2)).ShouldBeDone();
        (await H2.RunAsync("stat", "-c", "%s", "/srv/unfit/data/deep/long")).ShouldBe($"{5L << 30}");
    }

    private Task WriteAsync(string program) => H1.RunAsync("docker", "exec", Container, "python3", "-c", $"import os, struct; {program}");

    private async Task ShouldBeRefusedAsync(string why)
    {
        var refused = await H1.MigrateAsync(Container, H2);
        refused.ExitCode.ShouldBe(10, refused.ToString());
        refused.ErrorLines.ShouldContain(l => l.StartsWith($"ctmigrate: {why}", StringComparison.Ordinal), refused.ToString());
        refused.ErrorLines.ShouldContain(l => l.StartsWith("  next: ", StringComparison.Ordinal), refused.ToString());
    }
}
