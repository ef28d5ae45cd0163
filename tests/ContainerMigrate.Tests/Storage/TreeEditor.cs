using System.Text;
using ContainerMigrate.Linux.Storage;
using ContainerMigrate.Storage;

namespace ContainerMigrate.Tests.Storage;

/// <summary>
/// Does to a tree whatever programs do to files: grow, cut, punch, replace by rename or by another kind, link, move, delete, and
/// change everything that is not content; no fifos, which whoever opens them would wait for. A step that fails (a directory where a file was wanted) is part of the game.
/// </summary>
internal sealed unsafe class TreeEditor(string root, int seed)
{
    private static readonly byte[] Acl =
    [
        2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
        16, 0, 6, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
    ];

    private readonly Random _random = new(seed);
    private readonly TestTree _tree = new(root);

    public void Change(int steps)
    {
        for (var step = 0; step < steps; step++)
        {
            try
            {
                ChangeOne(Pick(), Pick());
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Part of the game.
            }
        }
    }

    // Few names, so that they meet; half of them in directories.
    private string Pick() => _random.Next(4) switch
    {
        0 => $"{seed}-d{_random.Next(4)}/n{_random.Next(6)}",
        1 => $"{seed}-d{_random.Next(4)}/s{_random.Next(2)}/n{_random.Next(4)}",
        2 => $"{seed}-d{_random.Next(4)}",
        _ => $"{seed}-n{_random.Next(10)}",
    };

    private void ChangeOne(string one, string other)
    {
        var path = _tree.PathOf(one);
        switch (_random.Next(24))
        {
            case 0 or 1:
                File.WriteAllBytes(path, Content(_random.Next(20_000)));
                break;
            case 2:
                File.WriteAllBytes(path, Content(_random.Next(3_000_000)));
                break;
            case 3:
                File.AppendAllBytes(path, Content(_random.Next(100_000)));
                break;
            case 4 or 5:
                Overwrite(path, keepTime: false);
                break;
            case 6:
                Overwrite(path, keepTime: true);
                break;
            case 7:
                using (var file = File.OpenWrite(path))
                {
                    file.SetLength(_random.Next(1000) * 1500L);
                }

                break;
            case 8:
                using (var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
                {
                    var at = _random.Next((int)file.Length + 1);
                    TestTree.Check(FileCalls.Allocate((int)file.SafeFileHandle.DangerousGetHandle(), FileCalls.PunchHole, at, 1 + _random.Next(300_000)));
                }

                break;
            case 9:
                File.Delete(path);
                break;
            case 10:
                Directory.Delete(path, recursive: true);
                break;
            case 11:
                File.Move(path, _tree.PathOf(other), overwrite: true);
                break;
            case 12:
                Directory.Move(path, _tree.PathOf(other));
                break;
            case 13 or 14:
                Directory.CreateDirectory(path);
                break;
            case 15 or 16:
                _tree.AddLink(other, one);
                break;
            case 17:
                _tree.SetMode(one, (uint)_random.Next(0x1000));
                break;
            case 18:
                _tree.SetOwner(one, (uint)_random.Next(5), (uint)_random.Next(5));
                break;
            case 19:
                _tree.SetTimes(one, _random.Next(), (uint)_random.Next(1_000_000_000));
                break;
            case 20:
                _tree.SetAttribute(one, $"user.note{_random.Next(3)}", Content(_random.Next(50)));
                break;
            case 21:
                ChangeAttributes(one, path);
                break;
            case 22:
                File.CreateSymbolicLink(path, other);
                break;
            default:
                _tree.AddNode(one, (_random.Next(2) == 0 ? TreeAttributes.Socket : TreeAttributes.CharacterDevice) | 0x1A4);
                break;
        }
    }

    private void ChangeAttributes(string name, string path)
    {
        fixed (byte* key = "user.note1\0"u8)
        {
            using var entry = Descriptor.OpenPath(FileCalls.CurrentDirectory, Encoding.UTF8.GetBytes(path));
            using var file = entry.IsOpen && entry.GetStatus().Type == TreeAttributes.RegularFile ? entry.OpenContent() : Descriptor.None;
            if (file.IsOpen)
            {
                _ = FileCalls.RemoveAttribute(file.Value, key);
            }
        }

        _tree.SetAttribute(name, Directory.Exists(path) && _random.Next(2) == 0 ? "system.posix_acl_default" : "system.posix_acl_access", Acl);
    }

    private void Overwrite(string path, bool keepTime)
    {
        var time = File.GetLastWriteTimeUtc(path);
        using (var file = new FileStream(path, FileMode.Open, FileAccess.Write))
        {
            file.Position = file.Length == 0 ? 0 : _random.NextInt64(file.Length);
            file.Write(Content(1 + _random.Next(1000)));
        }

        if (keepTime)
        {
            File.SetLastWriteTimeUtc(path, time);
        }
    }

    private byte[] Content(int length)
    {
        var bytes = new byte[length];
        _random.NextBytes(bytes);
        return bytes;
    }
}
