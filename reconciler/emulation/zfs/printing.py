"""How kept values are printed for people."""

from __future__ import annotations

import time

from reconciler.emulation.zfs.properties import NO_LIMIT
from reconciler.emulation.zfs.sizes import human


def as_it_is(value: str) -> str:
    return value


def human_size(value: str) -> str:
    return human(int(value))


def human_limit(value: str) -> str:
    return "none" if value == "0" else human(int(value))


def human_count(value: str) -> str:
    return "none" if value == NO_LIMIT else value


def human_time(value: str) -> str:
    return time.strftime("%a %b %e %H:%M %Y", time.gmtime(int(value)))
