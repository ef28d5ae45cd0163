namespace ContainerMigrate.Images;

/// <summary>How a pagemap image counts pages (images/pagemap.proto).</summary>
public enum PagemapLayout
{
    /// <summary>CRIU up to 4.1: 32 bits in field 2.</summary>
    Compatible,

    /// <summary>CRIU from 4.2 on: 64 bits in field 5, and 0 in field 2, in which older ones find no pages.</summary>
    Wide,
}
