"""`kstat -p`: the few kernel statistics that facts are read from (illumos-cli.md 11.1)."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence

from reconciler.emulation.session import Session, Tool, always_reads

_OPTIONS = {"-m": 0, "-i": 1, "-n": 2, "-s": 3}


def _run(session: Session, arguments: Sequence[str]) -> int:
    pattern = ["", "", "", ""]
    parsable = False
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "-p":
            parsable = True
        elif word in _OPTIONS and rest:
            pattern[_OPTIONS[word]] = rest.pop(0)
        elif word.startswith("-"):
            session.complain(f"kstat: illegal option -- {word[1:2]}")
            return 2
        else:
            for place, part in enumerate(word.split(":")[:4]):
                pattern[place] = part or pattern[place]
    found = [
        (name, value)
        for name, value in _statistics(session).items()
        if all(fnmatch.fnmatchcase(have, want or "*") for have, want in zip(name.split(":"), pattern, strict=True))
    ]
    for name, value in found:
        session.line(f"{name}\t{value}" if parsable else f"{name.rpartition(':')[2]:<31} {value}")
    return 0 if found else 1


def _statistics(session: Session) -> dict[str, str]:
    boot = int(session.state.fact("boot_time"))
    return {
        "unix:0:system_misc:boot_time": str(boot),
        "unix:0:system_misc:class": "misc",
        "unix:0:system_misc:ncpus": "8",
        "unix:0:system_misc:snaptime": f"{session.now - boot:.9f}",
        "unix:0:system_pages:class": "pages",
        "unix:0:system_pages:physmem": str(MEMORY_MIB << 8),
    }


MEMORY_MIB = 65_510

KSTAT = Tool(run=_run, only_reads=always_reads)
