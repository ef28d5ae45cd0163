using ContainerMigrate.Api;
using ContainerMigrate.Migration;

namespace ContainerMigrate.Daemon;

/// <summary>Sees to it that every answer that is not a success says why, in the words of the API it belongs to.</summary>
internal abstract partial class ErrorAnswers(ILogger logger) : IMiddleware
{
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
            if (context.Response is { HasStarted: false, StatusCode: >= StatusCodes.Status400BadRequest, ContentLength: null })
            {
                await AnswerAsync(context, context.Response.StatusCode, new ApiError(Explain(context), ExitCodes.Usage));
            }
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody is left to be told.
        }
        catch (ApiException e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, e.StatusCode, new ApiError(e.Message, e.ExitCode));
        }
        catch (MigrationException e) when (!context.Response.HasStarted)
        {
            await AnswerAsync(context, StatusCodes.Status409Conflict, new ApiError(e.Failure.ToString(), ExitCodes.Refused, e.Failure));
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            var reason = e.InnerException is null ? e.Message : $"{e.Message} {e.InnerException.Message}";
            await AnswerAsync(context, e.StatusCode, new ApiError(reason, ExitCodes.Usage));
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            LogFailed(logger, e, context.Request.Method, context.Request.Path);
            await AnswerAsync(context, StatusCodes.Status500InternalServerError, new ApiError($"ctmigrated failed: {e.Message} (its log says more)", ExitCodes.DaemonUnreachable));
        }
    }

    protected abstract Task WriteAsync(HttpResponse response, ApiError error, CancellationToken cancellationToken);

    private static string Explain(HttpContext context) => context.Response.StatusCode switch
    {
        StatusCodes.Status404NotFound => $"there is no {context.Request.Path} here: are both sides of the same version?",
        StatusCodes.Status405MethodNotAllowed => $"{context.Request.Path} does not take {context.Request.Method}",
        StatusCodes.Status413PayloadTooLarge => "the request is too large",
        StatusCodes.Status415UnsupportedMediaType => "the request must be application/json",
        var other => $"the request was refused with status {other}",
    };

    [LoggerMessage(Level = LogLevel.Error, Message = "{Method} {Path} failed")]
    private static partial void LogFailed(ILogger logger, Exception exception, string method, PathString path);

    private Task AnswerAsync(HttpContext context, int statusCode, ApiError error)
    {
        context.Response.Clear();
        context.Response.StatusCode = statusCode;
        return WriteAsync(context.Response, error, context.RequestAborted);
    }
}
