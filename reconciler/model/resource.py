"""A validated manifest: what should be there."""

from dataclasses import dataclass

from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import DEFAULT_LIFECYCLE, Lifecycle
from reconciler.model.origin import Origin
from reconciler.model.value import Fields


@dataclass(frozen=True, slots=True)
class Reference:
    """A field of this resource names another object of the same host: it must be there first.

    `kinds` are the kinds that may bear the name; `field` is the field at fault when nothing does.
    """

    field: str
    kinds: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """What one manifest wants of one object. Kept lean: positions inside it are found again by parsing its blob.

    `fields` holds the stated fields only, in canonical form; None is an explicit none. `created_with` holds fields that
    matter only at creation and are never compared.
    """

    key: Key
    fields: Fields
    origin: Origin
    lifecycle: Lifecycle = DEFAULT_LIFECYCLE
    created_with: Fields | None = None
    references: tuple[Reference, ...] = ()
    depends_on: tuple[ObjectName, ...] = ()
    moved_from: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
