using System.Text;
using ContainerMigrate.Storage;
using Shouldly;
using Xunit;

namespace ContainerMigrate.Tests.Storage;

public sealed class ExtendedAttributePolicyTests
{
    [Theory]
    [InlineData("user.mime_type")]
    [InlineData("trusted.glusterfs.gfid")]
    [InlineData("trusted.overlay.opaque")]
    [InlineData("trusted.overlay.whiteout")]
    [InlineData("trusted.overlay.redirect")]
    [InlineData("trusted.overlay.metacopy")]
    [InlineData("trusted.overlay.overlay.opaque")]
    [InlineData("user.overlay.opaque")]
    [InlineData("security.capability")]
    [InlineData("system.posix_acl_access")]
    [InlineData("system.posix_acl_default")]
    public void WhatSpeaksOfNamesAndContentsTravels(string name) =>
        ExtendedAttributePolicy.Travels(Encoding.UTF8.GetBytes(name)).ShouldBeTrue();

    [Theory]
    [InlineData("trusted.overlay.origin")]
    [InlineData("trusted.overlay.upper")]
    [InlineData("trusted.overlay.nlink")]
    [InlineData("user.overlay.origin")]
    [InlineData("trusted.overlay.overlay.overlay.origin")]
    [InlineData("security.selinux")]
    [InlineData("security.evm")]
    [InlineData("security.apparmor")]
    [InlineData("system.nfs4_acl")]
    [InlineData("capability")]
    [InlineData("")]
    public void WhatBelongsToAHostStays(string name) =>
        ExtendedAttributePolicy.Travels(Encoding.UTF8.GetBytes(name)).ShouldBeFalse();

    [Theory]
    [InlineData("name", false)]
    [InlineData("/usr/lib/name", false)]
    [InlineData("..name", false)]
    [InlineData("", true)]
    [InlineData(".", true)]
    [InlineData("..", true)]
    [InlineData("a/b", true)]
    [InlineData("/a/../b", true)]
    [InlineData("/a//b", true)]
    [InlineData("/", true)]
    public void ARedirectStaysInTheLayers(string value, bool isBad) =>
        ExtendedAttributePolicy.IsBadRedirect("trusted.overlay.redirect"u8, Encoding.UTF8.GetBytes(value)).ShouldBe(isBad);
}
