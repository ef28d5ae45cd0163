using System.CommandLine;
using ContainerMigrate.Checks;
using ContainerMigrate.Cli.Units;
using ContainerMigrate.Migration;
using ContainerMigrate.Volumes;

namespace ContainerMigrate.Cli.Commands;

/// <summary>Arguments and options that several verbs share.</summary>
internal static class Operands
{
    public static Argument<string> Container() => new("CONTAINER")
    {
        Description = "Name or id of a running container on this host; docker:NAME or runc:ID where a name is not enough",
    };

    public static Argument<string> Host() => new("HOST")
    {
        Description = "A paired host, by the name that `ctmigrate hosts` shows",
    };

    public static Argument<string?> OptionalMigration(string description) => new("ID")
    {
        Description = description,
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Option<IReadOnlyList<string>> Skip() => new("--skip")
    {
        Description = $"Checks whose errors do not count, separated by commas: {string.Join(", ", CheckNames.All)}",
        HelpName = "CHECK,...",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            var names = result.Tokens
                .SelectMany(token => token.Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                .Distinct()
                .ToList();
            foreach (var unknown in names.Except(CheckNames.All))
            {
                result.AddError($"there is no check '{unknown}'; the checks are {string.Join(", ", CheckNames.All)}");
            }

            return names;
        },
    };

    /// <summary>May be given more than once.</summary>
    public static Option<IReadOnlyList<string>> Volumes() => new("--volume")
    {
        Description = "What becomes of a volume or bind mount, once for each: copy (its files go along), shared (both hosts see the same), empty, skip (what the destination has is used), replace (copy, in place of what the destination has)",
        HelpName = "NAME=ACTION",
        Arity = ArgumentArity.OneOrMore,
        DefaultValueFactory = _ => [],
        CustomParser = result =>
        {
            var words = result.Tokens.Select(t => t.Value).ToList();
            foreach (var wrong in words.Where(w => VolumeWord.Parse(w) is null))
            {
                result.AddError($"--volume takes {VolumeWord.Form}, not '{wrong}'");
            }

            return words;
        },
    };

    /// <summary>1 to 16.</summary>
    public static Option<int> Parallel()
    {
        var option = new Option<int>("--parallel") { Description = "How many are moved at a time, 1 to 16", HelpName = "N", DefaultValueFactory = _ => 2 };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 16)
            {
                result.AddError("--parallel takes a number from 1 to 16");
            }
        });
        return option;
    }

    public static Option<string> Mode() => Choice("--mode", "mode", MigrationModes.All,
        "How memory is moved: precopy (ahead, in rounds, while the container runs), postcopy (ahead once, and what is written meanwhile after it runs on HOST), stop-and-copy (while it is frozen), offline (not at all: it is stopped, and started on HOST), or auto (the best that both hosts can do without post-copy)");

    public static Option<string> OnStall() => Choice("--on-stall", "action", StallActions.All,
        "When more rounds do not help: accept the longer pause, abort, throttle the container until they do, or go on as postcopy");

    /// <summary>An option that takes a duration; null when it is not given.</summary>
    public static Option<TimeSpan?> DurationOption(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "DURATION",
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (Duration.TryParse(text, out var duration))
            {
                return duration;
            }

            result.AddError($"{name} takes {Duration.Form}, not '{text}'");
            return null;
        },
    };

    private static Option<string> Choice(string name, string noun, IReadOnlyList<string> choices, string description)
    {
        var option = new Option<string>(name)
        {
            Description = description,
            HelpName = string.Join('|', choices),
            DefaultValueFactory = _ => choices[0],
        };
        option.Validators.Add(result =>
        {
            var value = result.GetValueOrDefault<string>();
            if (value is null || !choices.Contains(value))
            {
                result.AddError($"there is no {noun} '{value}'; the {noun}s are {string.Join(", ", choices.SkipLast(1))} and {choices[^1]}");
            }
        });
        return option;
    }
}
