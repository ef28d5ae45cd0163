using System.Runtime.InteropServices;

namespace ContainerMigrate.Linux.Storage;

/// <summary>Makes exceptions of errno.</summary>
internal static class FileError
{
    /// <summary>The error that the last call left: <c>write data/base: No space left on device</c>.</summary>
    /// <param name="action">What was tried, a verb.</param>
    /// <param name="what">The entry, as people read it.</param>
    public static IOException Last(string action, string what) => Make(Marshal.GetLastPInvokeError(), action, what);

    public static IOException Make(int error, string action, string what) =>
        new($"{action} {what}: {Marshal.GetPInvokeErrorMessage(error)}", error);
}
