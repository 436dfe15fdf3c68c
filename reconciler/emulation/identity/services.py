"""`svcs`: the services that a program may want to see before it trusts a host (illumos-cli.md 9.1)."""

from __future__ import annotations

import fnmatch
import getopt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reconciler.emulation.session import Session, Tool, always_reads

_BOTH = (
    ("network/physical:default", "online"),
    ("network/physical:nwam", "disabled"),
    ("network/ssh:default", "online"),
    ("milestone/network:default", "online"),
    ("milestone/multi-user-server:default", "online"),
    ("system/filesystem/local:default", "online"),
    ("system/svc/restarter:default", "online"),
    ("system/zones:default", "online"),
)
_SERVICES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "omnios": (*_BOTH, ("system/fmd:default", "online"), ("system/identity:node", "online")),
    "smartos": (
        *_BOTH,
        ("system/filesystem/smartdc:default", "online"),
        ("system/fmd:default", "online"),
        ("system/smartdc/init:default", "online"),
        ("system/smartdc/metadata:default", "online"),
        ("system/smartdc/vminfod:default", "online"),
        ("system/smartdc/vmadmd:default", "online"),
    ),
}
# Columns as wide as the longest state; the first has room for the sign of a change under way.
_WIDTHS = {"STATE": 14, "NSTATE": 13, "STIME": 8, "INST": 16, "SVC": 26, "SCOPE": 16, "FMRI": 50, "STA": 4, "NSTA": 4}
_DAY_S = 86_400
_YEAR_S = 365 * _DAY_S
_SHORT = {"online": "ON", "disabled": "DIS"}


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    state: str

    def column(self, column: str, stime: str) -> str:
        service, _, instance = self.name.partition(":")
        return {
            "STATE": self.state,
            "NSTATE": "-",
            "STIME": stime,
            "FMRI": f"svc:/{self.name}",
            "SVC": service,
            "INST": instance,
            "SCOPE": "localhost",
            "STA": _SHORT[self.state],
            "NSTA": "-",
        }[column]

    def is_meant(self, pattern: str) -> bool:
        """Whether a full FMRI, its end from any part on, or a pattern of these is this service."""
        wanted = pattern.removeprefix("svc:/")
        parts = self.name.split("/")
        ends = ["/".join(parts[place:]) for place in (range(len(parts)) if wanted == pattern else (0,))]
        return any(fnmatch.fnmatchcase(name, wanted) for end in ends for name in (end, end.partition(":")[0]))


def _svcs(session: Session, arguments: Sequence[str]) -> int:
    try:
        given, patterns = getopt.gnu_getopt(arguments, "Hao:v")
    except getopt.GetoptError as bad:
        session.complain(f"svcs: illegal option -- {bad.opt}")
        return _usage(session)
    options = dict(given)
    columns = ["STATE", "NSTATE", "STIME", "FMRI"] if "-v" in options else ["STATE", "STIME", "FMRI"]
    if "-o" in options:
        columns = options["-o"].upper().split(",")
    unknown = [name for name in columns if name not in _WIDTHS]
    if unknown:
        session.complain(f'svcs: Unknown column "{unknown[0].lower()}".')
        return _usage(session)
    services = [_Service(*row) for row in _SERVICES[session.system.name]]
    missing = [pattern for pattern in patterns if not any(service.is_meant(pattern) for service in services)]
    for pattern in missing:
        session.complain(f"svcs: Pattern '{pattern}' doesn't match any instances")
    wanted = [
        service
        for service in sorted(services, key=lambda service: (service.state, service.name))
        if any(service.is_meant(pattern) for pattern in patterns)
        or (not patterns and (service.state != "disabled" or "-a" in options))
    ]
    if "-H" not in options:
        session.line(_row(columns, columns))
    stime = _stime(int(session.state.fact("boot_time")), session.now)
    for service in wanted:
        session.line(_row(columns, [service.column(column, stime) for column in columns]))
    return 1 if missing else 0


def _usage(session: Session) -> int:
    session.complain("Usage: svcs [-aHv] [-o col[,col ... ]] [<pattern> ...]")
    return 2


def _row(columns: Sequence[str], cells: Sequence[str]) -> str:
    last = len(columns) - 1
    return " ".join(
        cell if place == last else cell.ljust(_WIDTHS[column])
        for place, (column, cell) in enumerate(zip(columns, cells, strict=True))
    )


def _stime(started: int, now: float) -> str:
    """When a service came to its state: the time of a day that is not over, the day of a year, else the year."""
    age = now - started
    form = "%H:%M:%S" if age < _DAY_S else "%b_%d" if age < _YEAR_S else "%Y"
    return time.strftime(form, time.gmtime(started))


SVCS = Tool(run=_svcs, only_reads=always_reads)
