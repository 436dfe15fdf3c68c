"""`hostname` and `hostid`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session, Tool, always_reads


def _hostname(session: Session, arguments: Sequence[str]) -> int:
    if arguments:
        session.complain("hostname: the emulated host keeps its name")
        return 1
    session.line(session.state.fact("hostname"))
    return 0


def _hostid(session: Session, arguments: Sequence[str]) -> int:
    del arguments
    session.line(host_id(session.state.fact("seed")))
    return 0


def host_id(seed: str) -> str:
    """Eight hexadecimal digits that stay the same for a host."""
    return seed[32:40]


HOSTNAME = Tool(run=_hostname, only_reads=always_reads)
HOSTID = Tool(run=_hostid, only_reads=always_reads)
