using System.Reflection;
using ContainerMigrate.Migration;
using ContainerMigrate.Protocol;

namespace ContainerMigrate.Daemon.Faults;

/// <summary>Stands before one object of a seam, with a point before and after each of its calls.</summary>
internal class FaultProxy<T> : DispatchProxy
    where T : class
{
    private static readonly MethodInfo AwaitResultMethod = typeof(FaultProxy<T>).GetMethod(nameof(AwaitResultAsync), BindingFlags.Instance | BindingFlags.NonPublic)!;
    private static readonly MethodInfo WrapMethod = typeof(FaultPoints).GetMethod(nameof(FaultPoints.Wrap))!;

    private T _inner = null!;
    private FaultPoints _points = null!;
    private string _seam = "";

    public static T Create(T inner, FaultPoints points, string seam)
    {
        var proxy = Create<T, FaultProxy<T>>();
        var self = (FaultProxy<T>)(object)proxy;
        (self._inner, self._points, self._seam) = (inner, points, seam);
        return proxy;
    }

    /// <inheritdoc/>
    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        ArgumentNullException.ThrowIfNull(targetMethod);
        if (targetMethod.IsSpecialName || targetMethod.DeclaringType != typeof(T))
        {
            return Call(targetMethod, args);
        }

        var point = FaultPoints.Call(_seam, targetMethod, args ?? []);
        var token = args?.OfType<CancellationToken>().FirstOrDefault() ?? CancellationToken.None;
        if (targetMethod.ReturnType == typeof(Task))
        {
            return AwaitAsync(point, targetMethod, args, token);
        }

        if (targetMethod.ReturnType is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(Task<>))
        {
            return AwaitResultMethod.MakeGenericMethod(type.GetGenericArguments()[0]).Invoke(this, [point, targetMethod, args, token]);
        }

        _points.Pass(point, before: true, Failure);
        var result = Call(targetMethod, args);
        _points.Pass(point, before: false, Failure);
        return Wrap(targetMethod.ReturnType, result);
    }

    private static Exception Failure(string point) =>
        typeof(T) == typeof(IPeer) || typeof(T) == typeof(ISourcePeer) ? new PeerUnreachableException("the peer", $"fault point {point}") : new MigrationException("fault", $"fault point {point}");

    private async Task AwaitAsync(string point, MethodInfo method, object?[]? args, CancellationToken token)
    {
        await _points.PassAsync(point, before: true, Failure, token);
        await (Task)Call(method, args)!;
        await _points.PassAsync(point, before: false, Failure, token);
    }

    private async Task<TResult> AwaitResultAsync<TResult>(string point, MethodInfo method, object?[]? args, CancellationToken token)
    {
        await _points.PassAsync(point, before: true, Failure, token);
        var result = await (Task<TResult>)Call(method, args)!;
        await _points.PassAsync(point, before: false, Failure, token);
        return (TResult)Wrap(typeof(TResult), result)!;
    }

    private object? Call(MethodInfo method, object?[]? args) => method.Invoke(_inner, BindingFlags.DoNotWrapExceptions, null, args, null);

    private object? Wrap(Type type, object? result) =>
        result is not null && FaultPoints.SeamOf(type) is not null ? WrapMethod.MakeGenericMethod(type).Invoke(_points, [result]) : result;
}
