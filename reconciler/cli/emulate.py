"""`reconciler emulate`: an emulated host's tools as executables."""

from pathlib import Path

import click

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.executables import write_executables
from reconciler.model.errors import ExitCode, ReconcilerError


@click.command("emulate")
@click.argument("bin_dir", type=click.Path(file_okay=False, path_type=Path))
@click.option("--system", required=True, type=click.Choice(["smartos", "omnios", "linux-zfs-fuse"]), help="What to emulate.")
@click.option(
    "--state", "state", required=True, type=click.Path(dir_okay=False, path_type=Path), help="State file, made when absent."
)
def command(bin_dir: Path, system: str, state: Path) -> int:
    """Write the tools of an emulated host into BIN_DIR, all over one state file.

    Any program with BIN_DIR first on its PATH then sees that host: try it with zfs by hand, or with a Host manifest of
    transport local.

    \b
    Example:
      reconciler emulate /tmp/hv01/bin --system smartos --state /tmp/hv01/state.sqlite
      PATH=/tmp/hv01/bin:$PATH zfs list
    """
    try:
        written = write_executables(bin_dir, system=system, state=state)
    except EmulationError as trouble:
        cause, _, remedy = str(trouble).partition("; remedy: ")
        raise ReconcilerError(cause, remedy=remedy) from trouble
    click.echo(f"{len(written)} tools in {bin_dir}: {', '.join(sorted(path.name for path in written))}")
    click.echo(f"use them with: PATH={bin_dir}:$PATH")
    return ExitCode.CONVERGED
