"""What provider tests share: real output by file name, and emulated hosts as a function from command to its end."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.emulation.host import EmulatedHost
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts

OUTPUT = Path(__file__).parent / "output"


@pytest.fixture
def zfs_fuse_output() -> Callable[[str], str]:
    return lambda name: (OUTPUT / "zfs-fuse-0.7.0" / name).read_text()


class TryoutHost:
    """An emulated host: commands go in, their ends come out and are remembered."""

    def __init__(self, emulated: EmulatedHost) -> None:
        self.emulated = emulated
        self.system = emulated.system
        self.facts = HostFacts(emulated.system.kernel, emulated.system.release, emulated.system.version, "boot", {})

    def run(self, command: Command) -> Completed:
        stdin = None if command.stdin is None else command.stdin.encode()
        answer = self.emulated.run(command.argv, stdin)
        out, err = answer.stdout.decode(errors="surrogateescape"), answer.stderr.decode(errors="surrogateescape")
        if answer.hangs:
            return Completed(command, Ending.DEADLINE, None)
        if answer.exit_code < 0:
            return Completed(command, Ending.SIGNALLED, None, out, err)
        return Completed(command, Ending.EXITED, answer.exit_code, out, err)

    def do(self, *argv: str) -> Completed:
        return self.run(Command(argv))

    @property
    def pool(self) -> str:
        return "zones" if self.system.name == "smartos" else "tank"


@pytest.fixture(params=["smartos", "omnios", "linux-zfs-fuse"])
def tryout_host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TryoutHost]:
    with EmulatedHost.open(tmp_path / "host", system=request.param) as emulated:
        yield TryoutHost(emulated)


@pytest.fixture
def smartos(tmp_path: Path) -> Iterator[TryoutHost]:
    with EmulatedHost.open(tmp_path / "smartos", system="smartos") as emulated:
        yield TryoutHost(emulated)
