namespace ContainerMigrate.HostTests.Lab;

/// <summary>
/// What a directory tree is: names, kinds, modes, owners, sizes, times, targets, content, and which names are one file. Of a container's destination one is taken
/// while everything is restored and nothing has run: by a program in front of CRIU's hook, until disposed.
/// </summary>
public sealed class TreePictures : IAsyncDisposable
{
    private const string Hook = "/usr/lib/ctmigrate/ctmigrate-criu-hook";
    private const string Program = "/root/tree-picture";
    private const string AtArrival = "/root/tree-at-arrival";

    private readonly LabHost _host;
    private readonly string _directory;

    private TreePictures(LabHost host, string directory)
    {
        _host = host;
        _directory = directory;
    }

    /// <param name="directory">Of the host.</param>
    public static async Task<TreePictures> BeginAsync(LabHost host, string directory)
    {
        ArgumentNullException.ThrowIfNull(host);
        await host.ShellAsync($$"""
            cat >{{Program}} <<'END'
            #!/bin/sh
            cd "$1" || exit 1
            export LC_ALL=C
            find . -type d -printf '%P %y %m %U %G %T@\n' -o -printf '%P %y %m %U %G %T@ %s %l\n' | sort
            find . -type f -printf '%i %P\n' | sort | awk '$1 != inode { print names; inode = $1; names = "" } { names = names " " $2 } END { print names }' | sort
            find . -type f -print0 | sort -z | xargs -0 -r sha256sum
            END
            cat >{{Hook}}.new <<'END'
            #!/bin/sh
            [ "$CRTOOLS_SCRIPT_ACTION" != post-restore ] || {{Program}} {{directory}} </dev/null >{{AtArrival}} 2>&1
            exec {{Hook}}.unaltered "$@"
            END
            chmod 755 {{Program}} {{Hook}}.new
            mv {{Hook}} {{Hook}}.unaltered
            mv {{Hook}}.new {{Hook}}
            """);
        return new TreePictures(host, directory);
    }

    /// <summary>What it is now.</summary>
    public Task<string> TakeAsync() => _host.RunAsync(Program, _directory);

    /// <summary>What it was before the container that arrived last ran.</summary>
    public Task<string> TakenAtArrivalAsync() => _host.RunAsync("cat", AtArrival);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _host.ShellAsync($"mv {Hook}.unaltered {Hook}; rm -f {Program} {AtArrival}");
}
