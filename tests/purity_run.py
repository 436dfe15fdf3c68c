"""A whole validation and plan from values in memory, for the test that watches it for I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler.controller.installed import installed_registry
from reconciler.desired.entry import TooLarge, TreeEntry
from reconciler.desired.tree import ValidTree, load
from reconciler.model.change import Verb
from reconciler.model.desired import Desired
from reconciler.model.plan import PlanSource
from reconciler.planning.planner import plan
from reconciler.planning.render_json import plan_document
from reconciler.planning.render_text import plan_lines
from reconciler.provider.registry import Registry
from tests.company import NOW, RecordedHost, recorded, view

EDITS = (
    ("memory: 512MiB", "memory: 1GiB"),
    ("cpus: 2", "cpus: 4"),
    ("quota: 20GiB", "quota: 30GiB"),
    ("ports: [5432]", "ports: [5433]"),
    ("maxBandwidth: 500Mbps", "maxBandwidth: 1Gbps"),
    ("over: kitchen0\n      ips: [10.77.0.10/24]", "over: admin\n      ips: [10.77.0.10/24]"),
    ("name: zones/scratch", "name: zones/scratch2"),
    ("name: mailer", "name: mailer2"),
)
"""One change of each sort to the company: of fields that act at once, at a boot and by a restart, and of what there is."""


@dataclass(frozen=True)
class Prepared:
    """Everything that was read beforehand."""

    registry: Registry
    files: dict[str, bytes]
    hosts: dict[str, RecordedHost]


def prepared(tree: Path) -> Prepared:
    """Reads the tree, makes its hosts so and looks at them; I/O is allowed here."""
    registry = installed_registry()
    files = {str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*.yaml"))}
    with TemporaryDirectory() as state:
        return Prepared(registry, files, recorded(tree, loaded(registry, files), registry, Path(state)))


def loaded(registry: Registry, files: dict[str, bytes]) -> Desired:
    """What a valid tree of these files wants."""

    def read(blobs: Sequence[str]) -> list[bytes | TooLarge]:
        return [files[blob] for blob in blobs]

    tree = load([TreeEntry(path, path, size_bytes=len(data)) for path, data in files.items()], read, registry, revision="r")
    assert isinstance(tree, ValidTree)
    return tree.desired


def edited(files: dict[str, bytes]) -> dict[str, bytes]:
    """The same files with every one of `EDITS` made."""
    texts = {path: data.decode() for path, data in files.items()}
    for before, after in EDITS:
        assert any(before in text for text in texts.values()), f"{before!r} is nowhere in desired-state/"
        texts = {path: text.replace(before, after) for path, text in texts.items()}
    return {path: text.encode() for path, text in texts.items()}


def load_and_plan(before: Prepared) -> None:
    """Validates the tree as it is and edited, reads what the tools answered, plans, and renders the plans both ways."""
    verbs = set()
    for files in (before.files, edited(before.files)):
        desired = loaded(before.registry, files)
        views = [view(before.hosts[name], manifest, desired, before.registry) for name, manifest in desired.hosts.items()]
        made = plan(desired, tuple(views), before.registry.kinds, PlanSource("tree", "r"), NOW)
        assert list(plan_lines(made, before.registry.kinds))
        assert plan_document(made)["digest"]
        verbs = {action.verb for host in made.hosts for action in host.actions}
    assert verbs >= {Verb.CREATE, Verb.UPDATE, Verb.TRASH, Verb.DELETE}
