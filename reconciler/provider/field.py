"""The table behind a kind: what each field means to planning, validation, documentation and import."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.change import Effect
from reconciler.model.value import Scalar, Value


class Null(StrEnum):
    """What `null` means for a field."""

    REFUSED = "refused"
    UNSET = "unset"
    """Not stated on the object itself: met when the value is inherited or a default."""
    NONE = "none"
    """The value none: met when the host's value is none, wherever it comes from."""


class Changing(StrEnum):
    """What becomes of an object when a field changes."""

    LIVE = "live"
    REPLACE = "replace"
    NEVER = "never"
    GROWS = "grows"
    """Live upward; downward would cut data off and is refused."""
    AT_CREATION = "atCreation"
    """Matters only when the object is made; never compared."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line of a kind's table.

    `canonical` turns a manifest's value into the canonical one and raises InvalidValue; None where pydantic has done it.
    `refers_to` names the kinds that a value of this field names an object of. `target` cuts that object's name out of the
    value (`tank/a@snap` refers to `tank/a`). `is_size` values are in bytes and shown with a unit. `written` gives what a
    manifest says for a canonical value, where that is neither the value itself nor a size (20 for `20%`).
    """

    changing: Changing = Changing.LIVE
    null: Null = Null.REFUSED
    canonical: Callable[[Scalar], Value] | None = None
    refers_to: tuple[str, ...] = ()
    target: Callable[[str], str] | None = None
    is_size: bool = False
    summary: str = ""
    written: Callable[[Value], Scalar] | None = None

    @property
    def effect(self) -> Effect:
        return Effect.REPLACE if self.changing is Changing.REPLACE else Effect.IN_PLACE


@dataclass(frozen=True, slots=True)
class Entries:
    """A map that is owned per key: the rule of an entry by its name, and the names with a rule of their own.

    `rule` raises InvalidValue for a name that can't stand there.
    """

    rule: Callable[[str], FieldRule]
    known: tuple[str, ...] = ()
