"""What we applied last, so that a removed line can be told from one that never stood there."""

from dataclasses import dataclass

from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import Lifecycle
from reconciler.model.value import Fields


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One key as last applied: stated fields, lifecycle, and what it referred to on the host.

    `origin` is where its manifest stood (`path:line:column`), empty where that is not known.
    """

    key: Key
    fields: Fields
    lifecycle: Lifecycle
    references: tuple[ObjectName, ...] = ()
    revision: str = ""
    origin: str = ""
