namespace ContainerMigrate.Linux.Storage;

/// <summary>The errno values that the copier tells apart (asm-generic/errno-base.h, errno.h).</summary>
internal static class ErrorCode
{
    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int NoDeviceOrAddress = 6;
    public const int TryAgain = 11;
    public const int Exists = 17;
    public const int CrossDevice = 18;
    public const int NotDirectory = 20;
    public const int IsDirectory = 21;
    public const int NotEmpty = 39;
    public const int Loop = 40;
    public const int NoData = 61;
    public const int NotSupported = 95;
    public const int Stale = 116;
}
