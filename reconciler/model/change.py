"""The difference for one key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Mark, Observed
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Fields, Value


class Verb(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    TRASH = "trash"
    DELETE = "delete"
    RESTORE = "restore"
    ADOPT = "adopt"
    FORGET = "forget"


REMOVALS = frozenset({Verb.TRASH, Verb.DELETE, Verb.REPLACE})
"""Verbs that take an object away; guardrails count them and protection stops them."""


class Effect(StrEnum):
    """What a change costs the object, in the order of cost."""

    STAGED = "staged"
    IN_PLACE = "inPlace"
    RESTART = "restart"
    REPLACE = "replace"


NAME = "name"
"""The field of a rename."""

MARK = "mark"
"""The field of a change that only mends our mark."""

PROTECT = "lifecycle.protect"
ON_REMOVAL = "lifecycle.onRemoval"

RESTART = "pendingRestart"
"""The field of a restart that earlier changes wait for."""

STATE = "state"
"""The field that says whether an object runs."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after; `before` None also where nothing was there.

    `first_boot_only`: it is stored, and only a first boot reads it.
    """

    name: str
    before: Value
    after: Value
    effect: Effect = Effect.IN_PLACE
    first_boot_only: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one object. A provider turns it into steps.

    `resource` is None for delete, trash and forget; `observed` is None for create. `mark` is the mark the object must bear
    afterwards, None where it goes or is forgotten. A rename is an update with the field `name`; `by_parent` says that the
    object has moved already with the one that contains it, and only its mark is left to write. `trashing` says that what is
    there goes into the trash: always set for trash, and for a replace that keeps the old object. `empties_trash` says that
    with this one nothing is left in the place that held it.

    `identity` is what the host shall know the object by, where we choose that (create, replace). `identities` gives what the
    host knows other objects by that the resource refers to, with those that are only observed. `default_pool` is the host's.
    `remembered` are the fields that were applied last and are never compared, such as how a disk goes that is stated no more.
    `owner` is the repository's name: what is derived from it is chosen for objects that have no room for a mark, too.
    """

    key: Key
    verb: Verb
    fields: tuple[FieldChange, ...] = ()
    resource: Resource | None = None
    observed: Observed | None = None
    mark: Mark | None = None
    by_parent: bool = False
    trashing: Trashing | None = None
    empties_trash: bool = False
    identity: str = ""
    identities: Mapping[ObjectName, str] = field(default_factory=dict)
    default_pool: str = ""
    remembered: Fields = field(default_factory=dict)
    owner: str = ""

    def field(self, name: str) -> FieldChange | None:
        return next((field for field in self.fields if field.name == name), None)
