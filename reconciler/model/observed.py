"""What a host says is there, in the same canonical fields as a resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.trash import Trashed
from reconciler.model.value import Fields

REMOVAL = "removal"
"""The field name by which a pass asks for what a removal would cost (`Observed.removal`)."""

EVERY_FIELD = "*"
"""The field name by which `observe` asks for all that a provider can read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Our sign on an object: whose it is, under which key, on which host, and how it may go.

    `host_id` is empty where the mark does not say; `on_removal` None where it does not.
    """

    owner: str
    name: ObjectName
    host_id: str = ""
    protect: Protect = Protect.NONE
    on_removal: OnRemoval | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    """What a removal would cost and what stands against it.

    `obstacles` are sentences (a hold, a zone that uses it); other objects that depend on this one are not among them: the
    engine sees those by their references. `holds_data` is false only when nothing would be missed. `trash_place` is where
    the trash for it is, `has_trash_place` whether that exists; `has_mountpoint` is false where nothing could mount it as it
    is; `saved` is what must be changed on the way into the trash, as in `Trashed`.
    """

    bytes: int
    snapshots: tuple[str, ...] = ()
    obstacles: tuple[str, ...] = ()
    holds_data: bool = True
    trash_place: str = ""
    has_trash_place: bool = False
    was_mounted: bool = False
    has_mountpoint: bool = True
    saved: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """One object on a host.

    `fields` holds what was read; a name that is missing was not asked for (unread). `stated_here` names the fields whose
    value was set on the object itself, not inherited or defaulted. `belongs_to` says which guest or part of the system owns
    the object's name; such an object is never ours to manage. `removal` is None when it was not asked for. `trashed` says
    that the object is in the trash, or, under its own name, that it was on its way there or back.

    `own_items` are the items of its lists (`nics.net0`) that we made or took over. For what can run, `running` says whether
    it does, `pending_restart` which of our changes wait for its next boot, and `interrupted` the state that one of our
    changes took it out of and did not bring it back to. `shares_name` is the name that it has in common with others on the
    host; its own is then made of that name and its identity. `stuck` is why its tool lets nothing be done with it as it is,
    and `unsticking` what a person can do; empty where nothing is in the way. With `state_unsticks` that holds only while
    nobody says which state it shall be in.
    """

    name: ObjectName
    fields: Fields
    stated_here: frozenset[str] = frozenset()
    mark: Mark | None = None
    identity: str = ""
    references: tuple[ObjectName, ...] = ()
    removal: Removal | None = None
    belongs_to: str = ""
    trashed: Trashed | None = None
    own_items: frozenset[str] = frozenset()
    running: bool | None = None
    pending_restart: tuple[str, ...] = ()
    interrupted: str = ""
    shares_name: ObjectName | None = None
    stuck: str = ""
    unsticking: str = ""
    state_unsticks: bool = False

    @property
    def is_in_trash(self) -> bool:
        return self.trashed is not None and self.mark is not None and self.mark.name != self.name


@dataclass(frozen=True, slots=True)
class Unreadable:
    """We could not look. Says nothing about what is there."""

    provider: str
    kinds: tuple[str, ...]
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything observed on one host at one time, plus what was unreadable.

    `facts` is None when even they could not be read; `wrong_host` is the cause when the machine is not the one that the
    Host manifest names.
    """

    host: str
    observed_at: datetime
    facts: HostFacts | None
    objects: Mapping[ObjectName, Observed] = field(default_factory=dict)
    unreadable: tuple[Unreadable, ...] = ()
    wrong_host: str = ""

    @property
    def is_complete(self) -> bool:
        return not self.unreadable and not self.wrong_host
