"""A whole validation and plan from values in memory, for the test that watches it for I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reconciler.controller.installed import installed_registry
from reconciler.desired.entry import TooLarge, TreeEntry
from reconciler.desired.tree import ValidTree, load
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.model.observed import Inventory
from reconciler.model.plan import PlanSource
from reconciler.planning.planner import plan
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.planning.view import HostView
from reconciler.provider.contract import Backend
from reconciler.provider.registry import Registry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERS = {
    "zfs.version": (2, "", "unrecognized command 'version'\n"),
    "zfs.pools": (0, "tank\nzones\n", ""),
    "zfs.properties": (2, "", "missing property argument\n"),
}


@dataclass(frozen=True)
class Prepared:
    """Everything that was read beforehand."""

    registry: Registry
    files: dict[str, bytes]
    backend: Backend
    facts: HostFacts
    answer: Completed


def prepared(tree: Path) -> Prepared:
    """Reads the tree and makes a backend; I/O is allowed here."""
    registry = installed_registry()
    files = {str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*.yaml"))}
    probed = {
        name: Completed(Command(("zfs",), changes=False), Ending.EXITED, code, out, err)
        for name, (code, out, err) in ANSWERS.items()
    }
    facts = HostFacts("SunOS", "5.11", "omnios-r151054", "1", {"hostname": "hv02", "hostId": "1"}, probed)
    backend = registry.provider_of["Dataset"].backends(facts.system)[0](facts)
    asked = backend.probes({"Dataset": frozenset({"properties.quota"}), "Volume": frozenset({"size"})})[0].command
    properties = asked.argv[-1].split(",")
    lines = "".join(f"tank\t{name}\t{'filesystem' if name == 'type' else '-'}\t-\n" for name in properties)
    return Prepared(registry, files, backend, facts, Completed(asked, Ending.EXITED, 0, lines))


def load_and_plan(before: Prepared) -> None:
    """Validates the tree, reads a probe's answer, plans, and renders the plan both ways."""

    def read(blobs: Sequence[str]) -> list[bytes | TooLarge]:
        return [before.files[blob] for blob in blobs]

    entries = [TreeEntry(path, path, size_bytes=len(data)) for path, data in before.files.items()]
    tree = load(entries, read, before.registry, revision="r")
    assert isinstance(tree, ValidTree)
    fields = {"Dataset": frozenset({"properties.quota"}), "Volume": frozenset({"size"})}
    objects = {item.name: item for item in before.backend.read({"zfs.datasets": before.answer}, fields)}
    view = HostView(
        tree.desired.hosts["hv02"],
        tree.desired.resources["hv02"],
        Inventory("hv02", NOW, before.facts, objects),
        dict.fromkeys(before.registry.kinds, before.backend),
    )
    made = plan(tree.desired, (view,), before.registry.kinds, PlanSource("tree", "r"), NOW)
    assert made.hosts[0].actions
    assert list(plan_lines(made, before.registry.kinds))
    assert plan_document(made)["digest"]
