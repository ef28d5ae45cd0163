using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace ContainerMigrate.Cli.Commands;

/// <summary>The usual help, followed by examples and whatever else a verb has to say.</summary>
internal sealed class ExamplesHelp : SynchronousCommandLineAction
{
    private readonly Dictionary<Command, string> _epilogues = [];
    private readonly HelpAction _help;

    private ExamplesHelp(HelpAction help) => _help = help;

    /// <summary>Somebody who asks for help need not have typed the rest right.</summary>
    public override bool ClearsParseErrors => true;

    /// <summary>Puts itself into the place of the root command's help.</summary>
    public static ExamplesHelp Install(RootCommand root)
    {
        var option = root.Options.OfType<HelpOption>().Single();
        var help = new ExamplesHelp((HelpAction)option.Action!);
        option.Action = help;
        return help;
    }

    public void Add(Command command, string epilogue) => _epilogues.Add(command, epilogue);

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        var result = _help.Invoke(parseResult);
        if (_epilogues.TryGetValue(parseResult.CommandResult.Command, out var epilogue))
        {
            parseResult.InvocationConfiguration.Output.WriteLine(epilogue);
            parseResult.InvocationConfiguration.Output.WriteLine();
        }

        return result;
    }
}
