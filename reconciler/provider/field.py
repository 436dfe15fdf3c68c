"""The table behind a kind: what each field means to planning, validation, documentation and import."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel

from reconciler.model.change import Effect
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key
from reconciler.model.value import Fields, Scalar, Value, Written


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
    REMAKE = "remake"
    """The object keeps what it is known by, its content is made anew: costs what a replacement costs."""
    REMEMBERED = "remembered"
    """Says what we shall do one day (how a disk goes); never compared with the host, kept with what was applied last."""


class Acts(StrEnum):
    """When a change acts on an object that runs."""

    LIVE = "live"
    STAGED = "staged"
    """Stored now, acts at the next boot."""
    RESTART = "restart"
    """Can only be made while the object does not run."""
    FIRST_BOOT = "firstBoot"
    """Read at the first boot only: stored, and nothing follows from it."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One line of a kind's table.

    `acts` is when a change acts on an object that runs, where the backend does not say otherwise. `canonical` turns a
    manifest's value into the canonical one and raises InvalidValue; None where pydantic has done it. `refers_to` names the
    kinds that a value of this field (or each text of a list) names an object of. `target` cuts that object's name out of the
    value (`tank/a@snap` refers to `tank/a`); empty for a text that names nothing. With `by_identity` the host tells the
    identity of the object named, and the two are compared by it. `is_size` values are in bytes and shown with a unit.
    `written` gives what a manifest says for a canonical value, where that is neither the value itself nor a size (20 for
    `20%`, a mapping for each route).
    """

    changing: Changing = Changing.LIVE
    null: Null = Null.REFUSED
    canonical: Callable[[Scalar], Value] | None = None
    refers_to: tuple[str, ...] = ()
    target: Callable[[str], str] | None = None
    by_identity: bool = False
    is_size: bool = False
    summary: str = ""
    written: Callable[[Value], Written] | None = None
    acts: Acts = Acts.LIVE

    @property
    def effect(self) -> Effect:
        return Effect.REPLACE if self.changing in (Changing.REPLACE, Changing.REMAKE) else Effect.IN_PLACE


def none_for_zero(value: Scalar) -> Value:
    """A number in canonical form where 0 means none; InvalidValue for fractions."""
    if isinstance(value, float):
        raise InvalidValue(f"{value} is not a whole number", remedy="write it without a fraction")
    return None if value == 0 else value


@dataclass(frozen=True, slots=True)
class Entries:
    """A map that is owned per key: the rule of an entry by its name, and the names with a rule of their own.

    `rule` raises InvalidValue for a name that can't stand there.
    """

    rule: Callable[[str], FieldRule]
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping with fields of its own, each of which is ours or not by itself: `allow.macSpoofing`."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list whose items are known by a name of ours: `nics.net0.over`. Once stated it is complete for the items that we
    made or took over.

    `item` is the spec of one item, whose field `key` names it. `told_by` is the item's field that tells on the host which one
    it is; `known_by` gives its value for an item of ours from owner, the object's key, the item's name and the stated fields
    of the item, empty where only the host can tell. `rule` is that of an item's coming and going. `holds_data`: an item that
    goes takes data along, and counts as a removal.
    """

    item: type[BaseModel]
    key: str = "name"
    told_by: str = ""
    known_by: Callable[[str, Key, str, Fields], str] | None = None
    rule: FieldRule = FieldRule()
    holds_data: bool = False
