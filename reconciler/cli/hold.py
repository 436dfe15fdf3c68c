"""`reconciler hold`: keep our hands off an object or a whole host for a while."""

from dataclasses import replace
from pathlib import Path

import click

from reconciler.cli.options import SourceChoice, output_option, source_options, state_directory, state_option


@click.command("hold")
@click.argument("target", metavar="[KEY|HOST]", required=False)
@source_options
@state_option
@output_option
@click.option("--why", metavar="TEXT", help="The reason, for whoever finds it.")
@click.option("--for", "duration", metavar="DURATION", help="How long: 30m, 4h, 1h30m, 2d. It then ends by itself.")
@click.option("--release", is_flag=True, help="End the hold now.")
def command(
    target: str | None,
    choice: SourceChoice,
    state: Path | None,
    output: str,
    why: str | None,
    duration: str | None,
    release: bool,
) -> int:
    """Keep our hands off an object (KEY: host/Kind/name) or a whole HOST: every change of it is refused meanwhile.

    A hold is kept on the host itself, so every controller and every state directory respects it, and outlives a reboot of the
    host. Plans show it. It ends by itself; a second hold on the same replaces the first. Without --why and --release the holds
    in force are listed. DIRECTORY (or --repo) is the source: its Host manifests say how to reach the hosts.

    \b
    Examples:
      reconciler hold hv01/Dataset/tank/web desired-state --why "restoring by hand" --for 4h
      reconciler hold hv01/VirtualMachine/db1 desired-state --why "filesystem check" --for 30m
      reconciler hold hv01 --why "disk swap" --for 1h30m
      reconciler hold hv01 --release
      reconciler hold
    """
    if target is not None and choice.directory is None and Path(target).is_dir():
        target, choice = None, replace(choice, directory=target)
    if (why is None) != (duration is None):
        raise click.UsageError("--why and --for belong together: say the reason, and how long it will last")
    if release and why is not None:
        raise click.UsageError("--release ends a hold; --why and --for place one: give the one or the other")
    if target is None and (release or why is not None):
        raise click.UsageError("say what to hold or to release: host/Kind/name, or a host")
    if why is not None and not why.strip():
        raise click.UsageError("--why is empty: whoever finds the hold wants to know its reason")
    from reconciler.cli.hold_pass import change_hold, list_holds

    place = state_directory(state)
    if release or why is not None:
        assert target is not None
        return change_hold(choice, place, target, why, duration, output=output)
    return list_holds(choice, place, target, output=output)
