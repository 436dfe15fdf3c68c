"""`reconciler trash`: what was removed and is still there: list it, bring it back, or let go of it for good."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.options import SourceChoice, output_option, source_options, state_directory, state_option


@click.group("trash")
def command() -> None:
    """List, restore or purge what was removed with `lifecycle.onRemoval: trash`.

    Removed objects keep their data, snapshots and properties on their host until somebody purges them; nothing is purged by
    itself. What one revision removed is one group, and comes back together.

    \b
    Examples:
      reconciler trash list desired-state
      reconciler trash restore hv01/Zone/web1 desired-state
      reconciler trash purge --expired desired-state
    """


_hosts_option = click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only this host; may be repeated.")
_yes_option = click.option("--yes", "-y", is_flag=True, help="Don't ask before running the plan.")


def _check_named(what: str, choice: SourceChoice) -> None:
    """Wrong usage where only the directory was given."""
    if choice.directory is None and Path(what).is_dir():
        raise click.UsageError(f"say a key or a group before the directory {what}")


@command.command("list")
@source_options
@_hosts_option
@state_option
@output_option
def list_command(
    choice: SourceChoice,
    hosts: tuple[str, ...],
    state: Path | None,
    output: str,
) -> int:
    """Show what lies in the trash of each host.

    When it went in, with what else, how big it is, and when it expires.
    The source is read for its Host manifests, which say how to reach the hosts, and for the repository's name.
    """
    from reconciler.cli.trash_pass import list_trash

    return list_trash(choice, state_directory(state), hosts, output=output)


@command.command("restore")
@click.argument("what")
@source_options
@_hosts_option
@state_option
@click.option("--only", is_flag=True, help="Only the object named, not what was removed together with it.")
@_yes_option
def restore_command(
    what: str,
    choice: SourceChoice,
    hosts: tuple[str, ...],
    state: Path | None,
    only: bool,
    yes: bool,
) -> int:
    """Bring objects back from the trash.

    They come with their names, data, snapshots and properties. WHAT is a key (host/Kind/name) or a group as `trash list`
    shows it. A key brings its whole group back on that host.
    Put the manifests back as well: an object that no manifest names goes to the trash again with the next apply.

    \b
    Examples:
      reconciler trash restore hv01/Dataset/zones/data/web desired-state
      reconciler trash restore 1f0c2ab93d5e desired-state --yes
    """
    from reconciler.cli.trash_pass import restore

    _check_named(what, choice)
    return restore(what, choice, state_directory(state), hosts, only=only, yes=yes)


@command.command("purge")
@click.argument("what", required=False)
@source_options
@_hosts_option
@state_option
@click.option("--expired", is_flag=True, help="All that is older than its lifecycle.trashTtl; give no WHAT.")
@click.option("--all", "everything", is_flag=True, help="All that is there, whatever its age; give no WHAT.")
@_yes_option
def purge_command(
    what: str | None,
    choice: SourceChoice,
    hosts: tuple[str, ...],
    state: Path | None,
    expired: bool,
    everything: bool,
    yes: bool,
) -> int:
    """Destroy what lies in the trash. It can't be brought back after that.

    WHAT is a key (host/Kind/name), which takes that object alone, or a group as `trash list` shows it. The plan shows what
    is lost before anything is asked. Holds and clones block.

    \b
    Examples:
      reconciler trash purge hv01/Dataset/zones/data/web desired-state
      reconciler trash purge --expired desired-state --yes
      reconciler trash purge --all desired-state --host hv01
    """
    from reconciler.cli.trash_pass import purge

    if expired and everything:
        raise click.UsageError("--expired and --all contradict each other: say one of them")
    if (expired or everything) and what is not None:
        if choice.directory is not None:
            raise click.UsageError("--expired and --all take no WHAT: they say themselves what is purged")
        what, choice = None, replace(choice, directory=what)
    if not (expired or everything) and what is None:
        raise click.UsageError("say what to purge: a key, a group, --expired, or --all")
    if what is not None:
        _check_named(what, choice)
    return purge(what, choice, state_directory(state), hosts, everything=everything, yes=yes)
