using System.Net;

namespace ContainerMigrate.Linux.Runtimes.Docker;

/// <summary>dockerd refused a call, or did not answer it.</summary>
public sealed class DockerApiException : Exception
{
    public DockerApiException(HttpStatusCode? status, string message, Exception? innerException = null)
        : base(message, innerException)
    {
        Status = status;
    }

    /// <summary>Null when there was no answer: no daemon, a broken connection, or the time was over.</summary>
    public HttpStatusCode? Status { get; }

    public bool IsNotFound => Status == HttpStatusCode.NotFound;

    public bool IsConflict => Status == HttpStatusCode.Conflict;
}
