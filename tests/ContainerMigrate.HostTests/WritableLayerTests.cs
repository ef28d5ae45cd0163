using ContainerMigrate.HostTests.Lab;

namespace ContainerMigrate.HostTests;

/// <summary>The files that a container has written, changed and deleted are the same on the destination, whatever kind of file they are.</summary>
public sealed class WritableLayerTests(LabFixture lab) : HostTest(lab)
{
    private const string Container = "files";

    private const string Write = """
        import os, shutil, socket, stat, struct
        os.unlink("/etc/debian_version")
        shutil.rmtree("/etc/apt")
        shutil.rmtree("/etc/alternatives")
        os.mkdir("/etc/alternatives")
        open("/etc/alternatives/only", "w").write("an opaque directory")
        shutil.move("/etc/default", "/etc/renamed")
        open("/etc/issue", "a").write("one line more")
        os.chmod("/etc/passwd", 0o600)
        os.makedirs("/data/a/b")
        os.chdir("/data")
        open("plain", "w").write("content")
        os.chown("plain", 1234, 4321)
        os.utime("plain", ns=(0, 1234567890123456789))
        os.setxattr("plain", "user.note", b"binary \0\xff value")
        os.setxattr("plain", "user.empty", b"")
        open("capable", "w").write("#!/bin/sh\n")
        # struct vfs_cap_data of linux/capability.h: revision 2, effective; CAP_NET_BIND_SERVICE permitted
        os.setxattr("capable", "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))
        open("shared", "w").write("")
        # POSIX ACL, version 2: owner rw, user 1000 r, group r, mask r, others none
        acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *e) for e in ((1, 6, 2**32 - 1), (2, 4, 1000), (4, 4, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1)))
        os.setxattr("shared", "system.posix_acl_access", acl)
        open("setuid", "w").write("")
        os.chown("setuid", 7, 8)
        os.chmod("setuid", 0o6751)
        os.link("plain", "a/second-name")
        os.link("plain", "a/b/third-name")
        with open("sparse", "wb") as file:
            file.seek(300 << 20)
            file.write(b"in the middle")
            file.truncate(1 << 30)
        os.symlink("plain", "link")
        os.symlink("/nowhere/" + "x" * 200, "dangling")
        os.lchown("dangling", 55, 66)
        os.link("link", "a/linked-link", follow_symlinks=False)
        os.mkfifo("fifo", 0o640)
        socket.socket(socket.AF_UNIX).bind("socket")
        os.mknod("device", 0o620 | stat.S_IFCHR, os.makedev(1, 3))
        os.mkdir("closed", 0)
        os.mkdir("sticky")
        os.chmod("sticky", 0o3775)
        open(b"not utf-8: \xff\xfe", "w").write("1")
        open(b"line\nbreak and \\ and *", "w").write("2")
        open("n" * 255, "w").write("3")
        os.makedirs("/data/" + "/".join(["deep" * 20] * 12))
        for number in range(500):
            open(f"a/{number}", "w").write(str(number))
        os.utime("/data/a", ns=(0, 987654321))
        """;

    // A line for each file, but for those that Docker makes for every container: what stat tells, where its data lies, and a digest of the content, of which names share one file.
    private const string List = """
        import hashlib, os, stat
        names = {}
        def lines(folder):
            for entry in sorted(os.scandir(folder), key=lambda e: e.name):
                if entry.path in (b"/proc", b"/sys", b"/dev", b"/.dockerenv", b"/etc/mtab", b"/etc/hosts", b"/etc/hostname", b"/etc/resolv.conf"):
                    continue
                s = entry.stat(follow_symlinks=False)
                facts = [entry.path, oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev]
                facts.append([(n, os.getxattr(entry.path, n, follow_symlinks=False)) for n in sorted(os.listxattr(entry.path, follow_symlinks=False))])
                if not stat.S_ISDIR(s.st_mode):
                    facts += [s.st_size, s.st_nlink, names.setdefault((s.st_dev, s.st_ino), entry.path)]
                if stat.S_ISLNK(s.st_mode):
                    facts.append(os.readlink(entry.path))
                if stat.S_ISREG(s.st_mode):
                    with open(entry.path, "rb", buffering=0) as file:
                        digest, end = hashlib.sha256(), 0
                        while end < s.st_size:
                            try:
                                start = os.lseek(file.fileno(), end, os.SEEK_DATA)
                            except OSError:
                                break
                            end = os.lseek(file.fileno(), start, os.SEEK_HOLE)
                            facts.append((start, end))
                            digest.update(os.pread(file.fileno(), end - start, start))
                        facts.append(digest.hexdigest())
                print(*facts)
                if stat.S_ISDIR(s.st_mode):
                    lines(entry.path)
        lines(b"/")
        """;

    [Fact]
    public async Task IsTheSameByContentMetadataAndLinks()
    {
        await H1.DockerRunAsync(Container, "--network", "lan", "--ip", LabContainer.IPv4, "ctm-small:1", "sleep", "infinity");
        await H1.RunAsync("docker", "exec", Container, "python3", "-B", "-c", Write);
        var seen = await SeenInsideAsync(H1);
        var layer = await LayerAsync(H1);
        seen.Count.ShouldBeGreaterThan(1000);
        seen.ShouldContain(l => l.Contains("/data/sparse", StringComparison.Ordinal));
        layer.ShouldContain(l => l.StartsWith("./etc/apt c ", StringComparison.Ordinal), "the whiteout of a deleted directory");

        var moved = await H1.MigrateAsync(Container, H2);

        moved.ShouldBeDone();
        var arrived = await SeenInsideAsync(H2);
        arrived.Except(seen).ShouldBeEmpty();
        seen.Except(arrived).ShouldBeEmpty();
        (await LayerAsync(H2)).ShouldBe(layer);
        moved.SentBytes.ShouldBeLessThan(100 << 20, "a gibibyte of holes is not sent");
    }

    private static async Task<IReadOnlyList<string>> SeenInsideAsync(LabHost host) =>
        (await host.TryAsync(["docker", "exec", Container, "python3", "-B", "-c", List])).Checked().Lines;

    // Overlayfs' own view, where a deleted file of the image is a device 0:0.
    private static async Task<IReadOnlyList<string>> LayerAsync(LabHost host) => (await host.ShellAsync("""
        cd $(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' files)
        find . -printf '%p %y %m %U %G %l\n' | LC_ALL=C sort
        """)).Split('\n');
}
