using System.CommandLine;
using ContainerMigrate.Cli.Reporting;

namespace ContainerMigrate.Cli.Commands;

internal static class WatchCommand
{
    public static Command Create(CommandContext context, ExamplesHelp help)
    {
        var id = Operands.OptionalMigration("Id of a migration; without it, the only one under way");
        var json = CommandContext.JsonOption("Print one JSON object a line while it goes on, and a last one with the result");
        var command = new Command("watch", "Follow a migration to its end.") { id, json };
        context.SetAction(command, async (arguments, daemon, cancellationToken) =>
        {
            var watch = new MigrationWatch(context, daemon, arguments.GetValue(json));
            if (arguments.GetValue(id) is { } wanted)
            {
                return await watch.JoinAsync(wanted, cancellationToken);
            }

            var list = await daemon.ListMigrationsAsync(cancellationToken);
            var underWay = list.Migrations.Where(m => !MigrationVerdict.HasEnded(m)).ToList();
            return underWay switch
            {
                [] => context.Usage("no migration is under way", "ctmigrate history"),
                [var only] => await watch.JoinAsync(only.Id, cancellationToken),
                _ => context.Usage($"{underWay.Count} migrations are under way: {string.Join(", ", underWay.Select(m => m.Id))}", "ctmigrate watch ID"),
            };
        });
        help.Add(command, """
            Examples:
              ctmigrate watch
              ctmigrate watch ID

            Ctrl-C stops watching and leaves the migration alone. The exit code is the
            migration's, as with `ctmigrate migrate`.
            """);
        return command;
    }
}
