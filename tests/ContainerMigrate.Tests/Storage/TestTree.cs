using System.Runtime.InteropServices;
using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Makes entries of every kind, with the calls that a container would use. Needs root.</summary>
internal sealed unsafe class TestTree(string root)
{
    private static readonly Random Content = new(20240607);

    public string Root { get; } = root;

    /// <summary>Everything that an overlay's upper directory may hold.</summary>
    public static TestTree Build(string root)
    {
        var tree = new TestTree(root);
        tree.AddPlainFiles();
        tree.AddLinksAndNodes();
        tree.AddAttributes();
        tree.AddOddNames();
        tree.SetTimes("dir", 1_000_000_000, 123_456_789);
        tree.SetTimes("", -1, 999_999_999);
        Check(FileCalls.ChangeMode(FileCalls.CurrentDirectory, Bytes(root), 0x1ED | 0x400, 0));
        return tree;
    }

    /// <summary>Directories within each other, with files in the last one.</summary>
    /// <param name="link">One more name for the first file, in the root.</param>
    public void AddDeepDirectories(int levels, string name, string[] files, string? link)
    {
        using var cursor = new DirectoryCursor(Root);
        var component = Encoding.UTF8.GetBytes(name);
        for (var level = 0; level < levels; level++)
        {
            Check(FileCalls.MakeDirectory(cursor.Current, Bytes(name), 0x1C0));
            cursor.TryEnter(component, out _).ShouldBe(0);
        }

        foreach (var file in files)
        {
            Check(FileCalls.MakeNode(cursor.Current, Bytes(file), TreeAttributes.RegularFile | 0x180, 0));
        }

        if (link is not null)
        {
            Check(FileCalls.MakeLink(cursor.Current, Bytes(files[0]), cursor.Root.Value, Bytes(link), 0));
        }
    }

    /// <summary>Skips the test where nodes and trusted attributes cannot be made.</summary>
    public static void RequireRoot() => Assert.SkipUnless(Environment.UserName == "root", "needs root: device nodes, owners, trusted.* attributes");

    public string PathOf(string name) => Path.Combine(Root, name);

    public void AddFile(string name, int length)
    {
        var bytes = new byte[length];
        Content.NextBytes(bytes);
        File.WriteAllBytes(PathOf(name), bytes);
    }

    /// <summary>A file of <paramref name="size"/> bytes with content only at the given places.</summary>
    public void AddSparseFile(string name, long size, params long[] places)
    {
        using var file = File.Create(PathOf(name));
        foreach (var place in places)
        {
            file.Position = place;
            file.Write("content between holes"u8);
        }

        file.SetLength(size);
    }

    public void AddNode(string name, uint mode, ulong device = 0) =>
        Check(FileCalls.MakeNode(FileCalls.CurrentDirectory, Bytes(PathOf(name)), mode, device));

    public void AddLink(string name, string existing) =>
        Check(FileCalls.MakeLink(FileCalls.CurrentDirectory, Bytes(PathOf(existing)), FileCalls.CurrentDirectory, Bytes(PathOf(name)), 0));

    public void SetOwner(string name, uint user, uint group) =>
        Check(FileCalls.ChangeOwner(FileCalls.CurrentDirectory, Bytes(PathOf(name)), user, group, FileCalls.SymlinkNoFollow));

    public void SetMode(string name, uint mode) => Check(FileCalls.ChangeMode(FileCalls.CurrentDirectory, Bytes(PathOf(name)), mode, 0));

    public void SetTimes(string name, long seconds, uint nanoseconds)
    {
        var times = stackalloc TimeSpecification[] { new(new FileTime(seconds - 7, nanoseconds)), new(new FileTime(seconds, nanoseconds)) };
        Check(FileCalls.ChangeTimes(FileCalls.CurrentDirectory, Bytes(PathOf(name)), times, FileCalls.SymlinkNoFollow));
    }

    public void SetAttribute(string name, string key, params ReadOnlySpan<byte> value)
    {
        using var entry = Descriptor.OpenPath(Descriptor.OpenRoot(Root).Value, Encoding.UTF8.GetBytes(name));
        var error = ExtendedAttributes.TrySet(entry.Value, isPathOnly: true, Encoding.UTF8.GetBytes(key), value, mayReplace: true);
        if (error != 0)
        {
            throw new IOException($"{key} of {name}: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    public static void Check(int result)
    {
        if (result < 0)
        {
            throw new IOException(Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()));
        }
    }

    /// <summary>Leaks a few bytes for the length of the test run.</summary>
    public static byte* Bytes(string path) => (byte*)Marshal.StringToCoTaskMemUTF8(path);

    private void AddPlainFiles()
    {
        AddFile("empty", 0);
        AddFile("one", 1);
        AddFile("page", 4096);
        AddFile("block", TreeStreamFormat.MaxBlockLength);
        AddFile("large", 5_000_001);
        AddSparseFile("all-hole", 1 << 20);
        AddSparseFile("holes", 10_000_000, 0, 1_048_576, 7_000_000);
        AddSparseFile("hole-first", 200_000, 150_000);
        AddSparseFile("hole-last", 200_000, 0);
        AddFile("setuid", 100);
        SetOwner("setuid", 1000, 2000);
        SetMode("setuid", 0xFED); // 07755
        AddFile("owned", 10);
        SetOwner("owned", 4_000_000_000, 65534);
        SetMode("owned", 0);
        SetTimes("owned", 4_000_000_000, 1);
        Directory.CreateDirectory(PathOf("dir/sub/sub"));
        AddFile("dir/sub/sub/leaf", 77);
        Directory.CreateDirectory(PathOf("empty-dir"));
        SetMode("empty-dir", 0x3FF); // 01777
        SetOwner("dir/sub", 5, 6);
    }

    private void AddLinksAndNodes()
    {
        AddFile("linked", 12_345);
        AddLink("dir/linked-1", "linked");
        AddLink("dir/sub/linked-2", "linked");
        AddLink("dir/sub/sub/leaf-2", "dir/sub/sub/leaf");
        File.CreateSymbolicLink(PathOf("link-relative"), "dir/sub");
        File.CreateSymbolicLink(PathOf("link-absolute"), "/etc/passwd");
        File.CreateSymbolicLink(PathOf("link-up"), "../../../..");
        File.CreateSymbolicLink(PathOf("link-broken"), new string('x', 4000));
        SetOwner("link-broken", 33, 44);
        SetTimes("link-broken", 12345, 678);
        AddLink("link-linked", "link-broken");
        AddNode("fifo", TreeAttributes.Fifo | 0x1A4);
        AddNode("socket", TreeAttributes.Socket | 0x1FF);
        AddNode("null", TreeAttributes.CharacterDevice | 0x1B6, 0x103);
        AddNode("disk", TreeAttributes.BlockDevice | 0x1B0, (7ul << 8) | 0xFF | (0xFFFul << 20));
        AddNode("whiteout", TreeAttributes.CharacterDevice);
        AddLink("dir/whiteout", "whiteout");
        SetMode("fifo", 0x92);
        SetTimes("null", 777, 888);
        SetOwner("socket", 70, 71);
    }

    private void AddAttributes()
    {
        // VFS_CAP_REVISION_2 with the effective bit and cap_net_raw (linux/capability.h).
        SetAttribute("setuid", "security.capability", 1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        SetAttribute("page", "user.binary", 0, 255, 10, 0);
        SetAttribute("page", "user.empty", []);
        SetAttribute("page", "user.large", new byte[3000]);
        SetAttribute("dir", "trusted.overlay.opaque", (byte)'y');
        SetAttribute("empty-dir", "trusted.overlay.redirect", "/old/name"u8);
        SetAttribute("whiteout", "trusted.note", "a node's attribute"u8);
        SetAttribute("link-up", "trusted.note", "a symlink's attribute"u8);

        // posix_acl_xattr.h: version 2; user::rw-, user:1000:r--, group::r--, mask::rw-, other::---.
        byte[] acl =
        [
            2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
            16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
        ];
        SetAttribute("one", "system.posix_acl_access", acl);
        SetAttribute("dir", "system.posix_acl_default", acl);
        AddFile("dir/inherits-acl", 3);
    }

    private void AddOddNames()
    {
        foreach (var name in (byte[][])[[0xFF, 0xFE, (byte)'x'], "new\nline"u8.ToArray(), "back\\slash"u8.ToArray(), [0xC3], Enumerable.Repeat((byte)0x80, 255).ToArray()])
        {
            fixed (byte* path = (byte[])[.. Encoding.UTF8.GetBytes(Root + "/"), .. name, 0])
            {
                Check(FileCalls.MakeDirectory(FileCalls.CurrentDirectory, path, 0x1ED));
            }
        }
    }
}
