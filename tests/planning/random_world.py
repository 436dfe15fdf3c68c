"""Worlds from a seed: a tree on a host, most of it ours, and what an author made of its manifests since."""

import random
from dataclasses import dataclass, field, replace

from reconciler.model.guardrails import Guardrails
from reconciler.model.key import ObjectName
from reconciler.model.ledger import LedgerRow
from reconciler.model.lifecycle import Disruption, Lifecycle, Mode, OnRemoval, Protect
from reconciler.model.observed import Mark, Observed, Removal
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashed
from reconciler.model.value import Value
from tests.planning.world import HOST_ID, OWNER, TRASH_PLACE, HostView, observed, resource, row, view

NAMES = [f"tank/{first}{second}" for first in "abcde" for second in ("", "/a", "/a/x", "/b")]
THERE, FREE = [name for name in NAMES if name[5] in "abc"], [name for name in NAMES if name[5] in "de"]


@dataclass
class World:
    """One host under construction. `strangeness` is the chance of anything out of the ordinary."""

    chance: random.Random
    strangeness: float
    there: dict[str, Observed] = field(default_factory=dict)
    trash: dict[str, Observed] = field(default_factory=dict)
    wanted: dict[ObjectName, Resource] = field(default_factory=dict)

    def strange(self) -> bool:
        return self.chance.random() < self.strangeness

    def lifecycle(self) -> Lifecycle:
        usual, chance = not self.strange(), self.chance
        return Lifecycle(
            on_removal=chance.choice([OnRemoval.DELETE, OnRemoval.TRASH] if usual else list(OnRemoval)),
            delete_snapshots=chance.random() < 0.5,
            protect=Protect.NONE if usual else chance.choice(list(Protect)),
            disruption=chance.choice([Disruption.NONE, Disruption.REPLACE]),
            mode=Mode.ENFORCE if usual else chance.choice(list(Mode)),
            ignore=() if usual else chance.choice([("properties.quota",), ("properties",)]),
        )

    def fields(self, kind: str, name: str) -> dict[str, Value]:
        """Stated fields; an origin comes before its clone in the order of names, so that nothing refers to itself."""
        if kind == "Volume":
            sparse: dict[str, Value] = {"sparse": self.strange()} if self.strange() else {}
            return {"size": self.chance.choice([1 << 30, 1 << 31]), **sparse}
        found: dict[str, Value] = {}
        if self.chance.random() < 0.3:
            found["quota"] = self.chance.choice([None, 1 << 38])
        if self.chance.random() < 0.3:
            found["compression"] = self.chance.choice([None, "off", "lz4"])
        if self.strange():
            found["casesensitivity"] = self.chance.choice(["sensitive", "mixed"])
        earlier = NAMES[: NAMES.index(name)]
        if earlier and self.strange():
            found["origin"] = f"{self.chance.choice(earlier)}@s"
        return found

    def mark(self, name: ObjectName) -> Mark | None:
        if self.strange():
            return None
        return Mark(
            "others" if self.strange() else OWNER,
            ObjectName(name.kind, self.chance.choice(NAMES)) if self.strange() else name,
            self.chance.choice(["", "ffff0000"]) if self.strange() else HOST_ID,
            Protect.REMOVAL if self.strange() else Protect.NONE,
            self.chance.choice([*OnRemoval, None]) if self.strange() else OnRemoval.DELETE,
        )

    def populate(self) -> None:
        """Puts objects on the host: each name once, never without the dataset that it lies in."""
        for name in THERE:
            container = name.rpartition("/")[0]
            holds = container == "tank" or (container in self.there and self.there[container].name.kind == "Dataset")
            if not holds or self.chance.random() < 0.4:
                continue
            kind = "Volume" if self.strange() else "Dataset"
            drawn = self.fields(kind, name)
            origin = drawn.pop("origin", None)
            usual: dict[str, Value] = {"quota": None, "compression": "off", "casesensitivity": "sensitive", "mounted": True}
            snapshots = tuple(f"{name}@{snapshot}" for snapshot in "st" if self.chance.random() < 0.2)
            obstacles = (f"snapshot {name}@s is held",) if snapshots and self.strange() else ()
            self.there[name] = observed(
                name,
                {"origin": None, **(usual if kind == "Dataset" else {"size": 1 << 30, "sparse": False}), **drawn},
                kind=kind,
                marked=self.mark(ObjectName(kind, name)),
                here=[each for each in ("quota", "compression") if self.chance.random() < 0.5],
                origin=origin if isinstance(origin, str) else None,
                removal=None if self.strange() else Removal(1 << 40 if self.strange() else 0, snapshots, obstacles),
                belongs_to="the system" if self.strange() else "",
            )
            if self.strange():
                note = Trashed("20260101T000000.000Z", "earlier", None, self.strange(), True, {"canmount": None})
                self.there[name] = replace(self.there[name], trashed=note)

    def fill_trash(self) -> None:
        """Puts things into the trash that had one of the names before."""
        for number in range(self.chance.randrange(3)):
            absent = [name for name in self.wanted if name.name not in self.there]
            kind, name = self.chance.choice(absent or [ObjectName("Dataset", name) for name in NAMES])
            mark = self.mark(ObjectName(kind, name))
            note = Trashed("20260101T000000.000Z", "earlier", 60, self.strange()) if not self.strange() else None
            entry = f"{TRASH_PLACE}/20260101T000000.000Z-{number}"
            fields: dict[str, Value] = {"size": 1 << 30} if kind == "Volume" else {}
            kept = observed(entry, fields, kind=kind, marked=mark, removal=None, belongs_to="the trash")
            self.trash[entry] = replace(kept, trashed=note)

    def want(self, kind: str, name: str, moved_from: str | None = None) -> None:
        moved = moved_from if moved_from != name else None
        stated = self.fields(kind, name)
        parents = kind == "Dataset" and self.strange()
        made = resource(kind, name, self.lifecycle(), moved_from=moved, parents=parents, **stated)
        self.wanted.setdefault(made.key.object, made)

    def edit(self) -> None:
        """Keeps, drops or renames what is there, alone or with all that lies in it, and adds more."""
        moves: dict[str, str] = {}
        for name, one in self.there.items():
            container, _, last = name.rpartition("/")
            fate = self.chance.choice(["keep", "keep", "drop", "rename"])
            if container in moves and self.chance.random() < 0.9:
                fate = "follow" if self.chance.random() < 0.9 else "drop"
            if fate == "follow" and f"{moves[container]}/{last}" in NAMES:
                moves[name] = f"{moves[container]}/{last}"
                self.want(one.name.kind, moves[name])
            elif fate == "rename":
                moves[name] = self.chance.choice(NAMES if self.strange() else FREE)
                self.want(one.name.kind, moves[name], name)
            elif fate != "drop":
                self.want(one.name.kind, name)
        for _ in range(self.chance.randrange(3)):
            kind = "Volume" if self.strange() else "Dataset"
            self.want(kind, self.chance.choice(NAMES), self.chance.choice(NAMES) if self.strange() else None)

    def rows(self) -> list[LedgerRow]:
        known = [resource(*one.name, self.lifecycle()) for one in self.there.values() if self.chance.random() < 0.7]
        return [row(one) for one in known]


def random_host(seed: int) -> HostView:
    """A host as planning sees it; the same for the same seed."""
    chance = random.Random(seed)
    world = World(chance, chance.choice([0.0, 0.02, 0.1, 0.3]))
    world.populate()
    world.edit()
    world.fill_trash()
    return view(
        world.wanted.values(),
        [*world.there.values(), *world.trash.values()],
        world.rows(),
        whole=not world.strange(),
        unfinished=[one for one in world.wanted.values() if world.strange()],
        mode=chance.choice(list(Mode)) if world.strange() else Mode.ENFORCE,
    )


def random_rails(seed: int) -> Guardrails:
    """Guardrails that matter now and then."""
    return random.Random(seed).choice(
        [
            *[Guardrails()] * 5,
            Guardrails(removals_per_host=1),
            Guardrails(forbid_verbs=("update",)),
            Guardrails(protect=("*/a",), forbid_kinds=("Volume",)),
        ]
    )
