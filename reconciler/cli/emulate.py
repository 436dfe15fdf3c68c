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
@click.option("--hostname", default="emulated", show_default=True, help="What the host calls itself, when it is made.")
@click.option(
    "--latency",
    "latencies",
    multiple=True,
    metavar="COMMAND=SECONDS",
    help="How long a tool, or a tool's subcommand, takes; may be repeated. The host keeps it.",
)
def command(bin_dir: Path, system: str, state: Path, hostname: str, latencies: tuple[str, ...]) -> int:
    """Write the tools of an emulated host into BIN_DIR, all over one state file.

    Any program with BIN_DIR first on its PATH then sees that host: try zfs or vmadm by hand, or a Host manifest of transport
    local with `path: BIN_DIR`. Set PATH for single commands only: cat, hostname and uname are the host's, too.

    What `reconciler` itself emulates is in hosts/NAME.sqlite of its state directory: with that as FILE, BIN_DIR is a way to
    change such a host behind its back.

    \b
    Examples:
      reconciler emulate /tmp/hv01/bin --system smartos --state /tmp/hv01/state.sqlite --hostname hv01
      PATH=/tmp/hv01/bin:$PATH vmadm list
      reconciler emulate /tmp/hv01/bin --system smartos --state /tmp/hv01/state.sqlite --latency "vmadm create=12"
    """
    latency = dict(map(_latency, latencies)) if latencies else None
    try:
        written = write_executables(bin_dir, system=system, state=state, hostname=hostname, latency=latency)
    except EmulationError as trouble:
        cause, _, remedy = str(trouble).partition("; remedy: ")
        raise ReconcilerError(cause, remedy=remedy) from trouble
    click.echo(f"{len(written)} tools in {bin_dir}: {', '.join(sorted(path.name for path in written))}")
    click.echo(f"use them with: PATH={bin_dir.resolve()}:$PATH zpool list")
    return ExitCode.CONVERGED


def _latency(text: str) -> tuple[str, float]:
    name, sign, seconds = text.rpartition("=")
    try:
        return name, float(seconds if sign else "")
    except ValueError as trouble:
        raise click.UsageError(
            f'--latency {text!r}: not COMMAND=SECONDS; use for example --latency "vmadm create=12"'
        ) from trouble
