namespace ContainerMigrate.Volumes;

/// <summary>The host's own directories, as far as they are mounted into containers.</summary>
public interface IHostDirectories
{
    /// <summary>Looks at a path; never throws for what it finds there.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="followLink">A symbolic link counts as what it leads to.</param>
    HostPlace Look(string path, bool followLink);

    /// <summary>What the file system takes that a path is on, or would be; never throws for what it finds there.</summary>
    FileSystemLimits FindLimits(string path);

    /// <summary>The first entry of a directory that has something another file system does not take, and what, in words; null for none.</summary>
    /// <exception cref="IOException">Something cannot be read; the message names it.</exception>
    Task<string?> FindUnsupportedAsync(string directory, FileSystemLimits limits, CancellationToken cancellationToken);

    /// <summary>Digest of what is there: names, kinds, owners, modes, content. Null when there is more than a glance can take in, nothing, or other than files, directories and links.</summary>
    Task<string?> FingerprintAsync(string path, CancellationToken cancellationToken);

    /// <summary>Leaves an empty file of a new random name in a directory, to be looked for from another host.</summary>
    /// <returns>Its name; null when nothing can be written there.</returns>
    string? LeaveToken(string directory);

    /// <summary>Whether a file of that name is there by now; waits for a moment, since shared storage may be late.</summary>
    Task<bool> SeesTokenAsync(string directory, string token, CancellationToken cancellationToken);

    void RemoveToken(string directory, string token);

    /// <summary>Says what will be done to have an empty directory; does nothing.</summary>
    /// <param name="path">Absolute.</param>
    /// <param name="asideName">What is there gets this name in its parent directory; null: there must be nothing.</param>
    /// <exception cref="IOException">There is something else.</exception>
    DirectoryClaim Plan(string path, string? asideName);

    /// <summary>The same for a single file; there must be nothing.</summary>
    /// <param name="stageName">Name of a directory in the same one, which must not be there either.</param>
    /// <exception cref="IOException">There is something.</exception>
    DirectoryClaim PlanFile(string path, string stageName);

    /// <summary>Says which file has arrived for a claim; does nothing.</summary>
    /// <exception cref="InvalidDataException">None has, or something else.</exception>
    DirectoryClaim Arrived(DirectoryClaim claim);

    /// <summary>Puts the file that has arrived into its place.</summary>
    /// <exception cref="IOException">Somebody else has something there by now.</exception>
    void Place(DirectoryClaim claim);

    /// <summary>Does it.</summary>
    /// <returns>With the identity of what was made.</returns>
    /// <exception cref="IOException">It cannot be made, or somebody else was quicker.</exception>
    DirectoryClaim Make(DirectoryClaim claim);

    /// <summary>Removes what was made and what has come into it, nothing else, and puts back what was put aside. Idempotent.</summary>
    /// <exception cref="IOException">Something could not be removed.</exception>
    void Undo(DirectoryClaim claim);

    /// <summary>Removes what was put aside. Idempotent.</summary>
    void Settle(DirectoryClaim claim);

    /// <summary>The identity of a directory or file that is to be removed later.</summary>
    /// <returns>Null when it is not one that may be removed: outside of the allowed places, behind a symbolic link, or none.</returns>
    DirectoryClaim? Identify(string path);

    /// <summary>Removes a directory and all that is in it, if it is still the one that was identified; a mount point is emptied. Idempotent.</summary>
    void Remove(DirectoryClaim claim);
}
