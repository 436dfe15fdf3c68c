"""Emulated hosts in a state directory: breaking them, and telling whether anything on them changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.emulation.faults import Fault
from reconciler.emulation.host import EmulatedHost


@contextmanager
def host_in(state: Path, name: str = "h", system: str = "omnios") -> Iterator[EmulatedHost]:
    """The emulated host of that name, made when it is not there yet."""
    path = state / "hosts" / f"{name}.sqlite"
    path.parent.mkdir(parents=True, exist_ok=True)
    with EmulatedHost.open(path, system=system, hostname=name) as host:
        yield host


def break_host(state: Path, *faults: Fault, name: str = "h") -> None:
    with host_in(state, name) as host:
        for fault in faults:
            host.inject(fault)


def mend_host(state: Path, name: str = "h") -> None:
    with host_in(state, name) as host:
        host.clear_faults()


def everything_on(state: Path, name: str = "h") -> str:
    """All properties of all datasets and snapshots, as one text to compare."""
    with host_in(state, name) as host:
        answer = host.drift(("zfs", "get", "-Hp", "-o", "name,property,value,source", "all"))
    assert answer.exit_code == 0, answer.stderr
    return answer.stdout.decode()


def commands_run(state: Path, name: str = "h") -> list[tuple[str, ...]]:
    """What callers ran there so far, oldest first."""
    with host_in(state, name) as host:
        return [call.argv for call in host.transcript()]
