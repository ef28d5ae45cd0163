using System.Text;
using ContainerMigrate.Linux.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class DirectoryListingTests
{
    [Fact]
    public void NamesComeInTheOrderOfTheirInodes()
    {
        var listing = new DirectoryListing();
        listing.Add([.. Entry(30, "c"), .. Entry(1, "."), .. Entry(2, ".."), .. Entry(10, "a"), .. Entry(20, "...")]);
        listing.Complete(mayHaveTwice: false);
        Names(listing).ShouldBe(["a", "...", "c"]);
        listing.GetEntryType(0).ShouldBe((byte)8);
    }

    [Fact]
    public void ANameThatWasMadeAnewWhileItWasReadComesOnce()
    {
        var listing = new DirectoryListing();
        listing.Add([.. Entry(5, "same"), .. Entry(6, "other"), .. Entry(7, "sam")]);
        listing.Add([.. Entry(9, "same"), .. Entry(8, "last"), .. Entry(8, "last")]);
        listing.Complete(mayHaveTwice: true);
        Names(listing).Order().ShouldBe(["last", "other", "sam", "same"]);
    }

    [Fact]
    public void ADirectoryOfManyCallsIsReadWhole()
    {
        using var directory = new TestDirectory();
        var names = Enumerable.Range(0, 3000).Select(i => $"{i}-{new string('n', 100)}").ToList();
        foreach (var name in names)
        {
            File.WriteAllBytes(Path.Combine(directory.Path, name), []);
        }

        using var cursor = new DirectoryCursor(directory.Path);
        Names(DirectoryListing.Read(cursor.Current, directory.Path)).Order().ShouldBe(names.Order());
    }

    private static List<string> Names(DirectoryListing listing) =>
        [.. Enumerable.Range(0, listing.Count).Select(i => Encoding.UTF8.GetString(listing.GetName(i)))];

    // struct linux_dirent64, padded to eight bytes as the kernel does.
    private static byte[] Entry(ulong inode, string name)
    {
        var length = (19 + name.Length + 1 + 7) & ~7;
        var entry = new byte[length];
        BitConverter.TryWriteBytes(entry, inode);
        BitConverter.TryWriteBytes(entry.AsSpan(16), (ushort)length);
        entry[18] = 8; // DT_REG
        Encoding.UTF8.GetBytes(name, entry.AsSpan(19));
        return entry;
    }
}
