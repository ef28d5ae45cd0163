using Xunit;

namespace ContainerMigrate.Tests.Storage;

/// <summary>Keeps other tests of the process from being measured too.</summary>
[CollectionDefinition(nameof(MeasuredAlone), DisableParallelization = true)]
public sealed class MeasuredAlone;
