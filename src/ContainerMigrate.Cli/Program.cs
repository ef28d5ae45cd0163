using ContainerMigrate.Cli;

return await CommandLine.RunAsync(args, StandardStreams.OfProcess(), TimeProvider.System);
