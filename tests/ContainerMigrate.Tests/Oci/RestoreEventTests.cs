using ContainerMigrate.Linux.Runtimes.Oci;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Oci;

public sealed class RestoreEventTests
{
    [Theory]
    [InlineData("create 42 0 /run/bundle with spaces", "create", "42 0 /run/bundle with spaces", false)]
    [InlineData("ns 42", "ns", "42", false)]
    [InlineData("start", "start", "", false)]
    [InlineData("restored 42", "restored", "42", false)]
    [InlineData("result 0 restored", "result", "0 restored", false)]
    [InlineData("result 0", "result", "0", false)]
    [InlineData("result 1 no such file", "result", "1 no such file", true)]
    [InlineData("result", "result", "", true)]
    [InlineData("refused not armed", "refused", "not armed", true)]
    [InlineData("aborted timeout", "aborted", "timeout", true)]
    [InlineData("warning the fence stays", "warning", "the fence stays", false)]
    [InlineData("", "", "", false)]
    public void Parse(string line, string kind, string arguments, bool isFailure)
    {
        var parsed = RestoreEvent.Parse(line);

        (parsed.Kind, parsed.Arguments, parsed.IsFailure).ShouldBe((kind, arguments, isFailure));
    }

    [Theory]
    [InlineData("result 1 no such file", "no such file")]
    [InlineData("result 1", "1")]
    [InlineData("aborted the operator cancelled it", "the operator cancelled it")]
    public void Reason(string line, string reason) => RestoreEvent.Parse(line).Reason.ShouldBe(reason);
}
