using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using System.Reflection;
using ContainerMigrate.Api;
using ContainerMigrate.Cli.Commands;
using ContainerMigrate.Cli.Following;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli;

/// <summary>Puts the verbs together, parses, runs.</summary>
internal static class CommandLine
{
    private const string ExitCodesHelp = """
        Exit codes:
          0   done                                21  cancelled, the container runs on the source
          2   wrong usage                         30  in doubt: the destination has not answered yet
          3   the daemon cannot be reached        31  post-copy paused, goes on by itself
          10  refused by a check                  40  lost
          11  the dry run found problems          50  evacuation partial
          20  failed, the container runs on the source
          130 Ctrl-C: no longer watching, the migration goes on

        ctmigrate COMMAND --help tells more and gives examples.
        """;

    public static Task<int> RunAsync(string[] args, StandardStreams streams, TimeProvider time) =>
        RunAsync(args, streams, time, Interrupts.Listen);

    /// <param name="listenForInterrupts">Where Ctrl-C comes from.</param>
    public static async Task<int> RunAsync(string[] args, StandardStreams streams, TimeProvider time, Func<Interrupts> listenForInterrupts)
    {
        var root = Build(new CommandContext(streams, time, listenForInterrupts));
        var arguments = root.Parse(args);
        if (args.Length == 0)
        {
            arguments = root.Parse("--help");
        }
        else if (arguments.Errors.Count > 0)
        {
            return ReportUsage(arguments, streams.Error);
        }

        return await arguments.InvokeAsync(new InvocationConfiguration
        {
            Output = streams.Output,
            Error = streams.Error,
            EnableDefaultExceptionHandler = false,
            // Ctrl-C is the verbs' own business: during a migration it does not mean "stop this process".
            ProcessTerminationTimeout = null,
        });
    }

    public static RootCommand Build(CommandContext context)
    {
        var root = new RootCommand("Moves running containers between hosts; processes, open files and TCP connections stay as they are.");
        var help = ExamplesHelp.Install(root);
        help.Add(root, ExitCodesHelp);
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction();
        root.Options.Add(context.Socket);
        root.Subcommands.Add(CheckCommand.Create(context, help));
        root.Subcommands.Add(MigrateCommand.Create(context, help));
        root.Subcommands.Add(SaveCommand.Create(context, help));
        root.Subcommands.Add(RestoreCommand.Create(context, help));
        root.Subcommands.Add(VerifyCommand.Create(context, help));
        root.Subcommands.Add(EvacuateCommand.Create(context, help));
        root.Subcommands.Add(ReturnCommand.Create(context, help));
        root.Subcommands.Add(StatusCommand.Create(context, help));
        root.Subcommands.Add(WatchCommand.Create(context, help));
        root.Subcommands.Add(CancelCommand.Create(context, help));
        root.Subcommands.Add(ResolveCommand.Create(context, help));
        root.Subcommands.Add(HistoryCommand.Create(context, help));
        root.Subcommands.Add(HostsCommand.Create(context, help));
        root.Subcommands.Add(AnnounceCommand.Create(context, help));
        root.Subcommands.Add(DoctorCommand.Create(context, help));
        return root;
    }

    /// <summary>Tells the first mistake only: the others usually follow from it.</summary>
    private static int ReportUsage(ParseResult arguments, TextWriter error)
    {
        var command = arguments.CommandResult.Command;
        if (command.Subcommands.Count > 0 && arguments.UnmatchedTokens is [var unknown, ..])
        {
            ErrorText.Write(error, $"there is no command '{unknown}'", $"{PathOf(arguments.CommandResult)} --help");
        }
        else
        {
            ErrorText.Write(error, arguments.Errors[0].Message, $"{PathOf(arguments.CommandResult)} --help");
        }

        return ExitCodes.Usage;
    }

    private static string PathOf(CommandResult command) =>
        command.Parent is CommandResult parent ? $"{PathOf(parent)} {command.Command.Name}" : "ctmigrate";

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var version = typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
            // What follows the plus sign is the commit that it was built from.
            parseResult.InvocationConfiguration.Output.WriteLine($"ctmigrate {version.Split('+')[0]}");
            return ExitCodes.Done;
        }
    }
}
