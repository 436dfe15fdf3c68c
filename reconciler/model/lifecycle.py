"""What may happen to an object: how it goes, what protects it, how much disruption a change may cause."""

from dataclasses import dataclass
from enum import StrEnum

TRASH_TTL_SECONDS = 14 * 86400


class OnRemoval(StrEnum):
    TRASH = "trash"
    DELETE = "delete"
    ORPHAN = "orphan"


class Adopt(StrEnum):
    NEVER = "never"
    IF_EQUAL = "ifEqual"
    ONCE = "once"


class Protect(StrEnum):
    NONE = "none"
    REMOVAL = "removal"
    ALL = "all"


class Disruption(StrEnum):
    NONE = "none"
    RESTART = "restart"
    REPLACE = "replace"


class Mode(StrEnum):
    """What we do about a difference; in the order of what it permits."""

    ENFORCE = "enforce"
    REPORT = "report"
    IGNORE = "ignore"


def lower_mode(first: Mode, second: Mode) -> Mode:
    """The mode that permits less: the host's is a ceiling for the object's."""
    order = (Mode.ENFORCE, Mode.REPORT, Mode.IGNORE)
    return max(first, second, key=order.index)


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A manifest's `lifecycle` with the defaults of the contract; `trash_ttl_s` None means never."""

    on_removal: OnRemoval = OnRemoval.TRASH
    trash_ttl_s: int | None = TRASH_TTL_SECONDS
    delete_snapshots: bool = False
    adopt: Adopt = Adopt.NEVER
    protect: Protect = Protect.NONE
    disruption: Disruption = Disruption.NONE
    mode: Mode = Mode.ENFORCE
    ignore: tuple[str, ...] = ()


DEFAULT_LIFECYCLE = Lifecycle()
