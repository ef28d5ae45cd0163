using ContainerMigrate.Linux.Network;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Network;

public sealed class NfTablesRequestTests
{
    [Fact]
    public void WritesABatchAsTheKernelReadsIt()
    {
        var batch = new NfTablesRequest().Begin().AddFilterChain(NfTablesRequest.FamilyInet, "t", "input", hook: 1, priority: -500, NfTablesRequest.Drop).End();

        // Host order is little-endian on every machine this runs on.
        Convert.ToHexStringLower(batch.Bytes).ShouldBe(string.Concat(
            "14000000" + "1000" + "0100" + "01000000" + "00000000" + "00" + "00" + "000a", // NFNL_MSG_BATCH_BEGIN, subsystem 10
            "50000000" + "030a" + "0504" + "02000000" + "00000000" + "01" + "00" + "0000", // NFT_MSG_NEWCHAIN, create and acknowledge, inet
            "0600" + "0100" + "74000000", // table "t"
            "0a00" + "0300" + "696e70757400" + "0000", // name "input"
            "1400" + "0480" + "08000100" + "00000001" + "08000200" + "fffffe0c", // hook 1 at -500
            "0800" + "0500" + "00000000", // policy drop
            "0b00" + "0700" + "66696c74657200" + "00", // type "filter"
            "14000000" + "1100" + "0100" + "03000000" + "00000000" + "00" + "00" + "000a"));
        batch.ExpectedAnswers.ShouldBe(1);
    }
}
