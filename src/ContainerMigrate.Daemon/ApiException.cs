using ContainerMigrate.Api;

namespace ContainerMigrate.Daemon;

/// <summary>Thrown by an endpoint to answer with an <see cref="ApiError"/>.</summary>
/// <param name="statusCode">Of the answer.</param>
/// <param name="message">One line for the operator: what, why, and the next step.</param>
/// <param name="exitCode">One of <see cref="ExitCodes"/>.</param>
internal sealed class ApiException(int statusCode, string message, int exitCode, Exception? innerException = null)
    : Exception(message, innerException)
{
    public int StatusCode { get; } = statusCode;

    public int ExitCode { get; } = exitCode;

    /// <summary>The request itself is wrong.</summary>
    public static ApiException BadRequest(string message) => new(StatusCodes.Status400BadRequest, message, ExitCodes.Usage);

    /// <summary>It names something that is not there.</summary>
    public static ApiException NotFound(string message) => new(StatusCodes.Status404NotFound, message, ExitCodes.Refused);

    /// <summary>It is understood, and nothing was touched.</summary>
    public static ApiException Refused(string message, Exception? innerException = null) =>
        new(StatusCodes.Status409Conflict, message, ExitCodes.Refused, innerException);
}
