"""Objects of one kind, one for each field, led together through passes: what a plan promises beside what the host shows.

The tables say what the host must show, in the words of its own tools. They share nothing with the providers.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.real.linux_host import LinuxHost
from tests.real.tree import Said, Tree, manifest

FIRST, SECOND, NULL, OUT = 0, 1, "null", "left out"

KEPT = object()
"""null is refused for the field."""

Told = Callable[[LinuxHost, str], Any]


@dataclass(frozen=True)
class Row:
    """One field: two values as a manifest states them, and what the host shows for each, told by the name of the object.

    `nics[].mtu` is of the object's last nic; so it is with mounts and disks. `{n}` in a text is the number of the object.
    `cleared` is what is shown after null. `beside` is stated along, by field. What is `one_way` is not changed back, what is
    `required` not left out.
    """

    field: str
    values: tuple[Any, Any]
    told: Told
    shown: tuple[Any, Any]
    cleared: Any = KEPT
    beside: Mapping[str, Any] = field(default_factory=dict)
    required: bool = False
    one_way: bool = False


@dataclass(frozen=True)
class Case:
    """One object with the fields that are tried on it."""

    kind: str
    name: str
    number: int
    rows: tuple[Row, ...]
    base: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{self.kind}/{self.name}"

    def manifest(self, now: Mapping[str, Any]) -> dict[str, Any]:
        """With each field as it is now to be: FIRST, SECOND, NULL or OUT."""
        spec: dict[str, Any] = copy.deepcopy({**self.base})
        for row in self.rows:
            for path, value in row.beside.items():
                _state(spec, path, value)
        for row in self.rows:
            what = now[row.field]
            _state(spec, row.field, OUT if what is OUT else _cleared(row) if what is NULL else row.values[what])
        return manifest(self.kind, self.name, numbered(spec, self.number), lifecycle={"disruption": "replace"})

    def must_show(self, row: Row, what: Any) -> Any:
        return numbered(row.cleared if what is NULL else row.shown[what], self.number)

    def changing(self, what: Any) -> tuple[Row, ...]:
        """The fields that can be led to that from where they are."""
        return tuple(row for row in self.rows if _changes(row, what))


@dataclass
class Scene:
    """All fields of a kind. `boot` tells one start of an object from the next, None for what is never started."""

    tree: Tree
    cases: list[Case]
    around: tuple[Mapping[str, Any], ...] = ()
    boot: Callable[[LinuxHost, str], Any] | None = None
    findings: list[str] = field(default_factory=list)
    _now: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls, tree: Tree, kind: str, groups: tuple[tuple[Row, ...], ...], base: Mapping[str, Any], stem: str, **more: Any
    ) -> "Scene":
        """One object for each group of fields; those of a group do not touch each other."""
        return cls(tree, [Case(kind, f"{stem}{number}", number, rows, base) for number, rows in enumerate(groups, 1)], **more)

    def run(self) -> None:
        """Made with the first value, changed to the second, left out, changed back, made null."""
        self._now = {case.name: {row.field: FIRST for row in case.rows} for case in self.cases}
        self._write(FIRST)
        self._applied("made")
        self._judge(FIRST)
        self._change(SECOND)
        self._leave_out()
        self._change(FIRST)
        self._change(NULL)

    def _write(self, what: Any) -> None:
        """Leads there what can be led there; the rest stays as it is."""
        for case in self.cases:
            self._now[case.name].update({row.field: what for row in case.changing(what)})
        self.tree.write(*self.around, *(case.manifest(self._now[case.name]) for case in self.cases))

    def _applied(self, when: Any) -> None:
        said = self.tree.apply()
        if said.exit_code != 0:
            self.findings.append(f"{when}: apply: {said.trouble}")
        after = self.tree.plan()
        if after.exit_code != 0:
            self.findings.append(f"{when}: the plan after it is not empty: {after.trouble}")

    def _judge(self, what: Any) -> None:
        for case in self.cases:
            for row in case.changing(what):
                there, must = row.told(self.tree.host, case.name), case.must_show(row, what)
                if there != must:
                    self.findings.append(f"{case.key} {row.field}: {what}: the host shows {there!r}, and must show {must!r}")

    def _change(self, what: Any) -> None:
        before = self._boots()
        self._write(what)
        planned = self.tree.plan()
        if planned.blocked or (planned.exit_code != 2 and any(case.changing(what) for case in self.cases)):
            self.findings.append(f"{what}: the plan: {planned.trouble}")
        for case in self.cases:
            for name in planned.changes(case.key):
                if not any(_is_about(row, name) for row in case.changing(what)):
                    self.findings.append(f"{case.key}: {what}: {name} would change as well")
        self._applied(what)
        self._judge(what)
        after = self._boots()
        for case in self.cases if self.boot is not None else ():
            effects = {entry["effect"] for entry in _entries(planned, case.key)}
            if ("restart" in effects) != (before[case.name] != after[case.name]):
                self.findings.append(f"{case.key}: {what}: promised {effects or 'nothing'}, and was restarted, or not")

    def _leave_out(self) -> None:
        """What is stated no more stays, and the plan says so."""
        self._write(OUT)
        planned = self.tree.plan()
        if planned.exit_code != 0:
            self.findings.append(f"left out, and something is planned: {planned.trouble}")
        released = [
            (one["key"].partition("/")[2], one["field"]) for host in planned.document["hosts"] for one in host["released"]
        ]
        for case in self.cases:
            for row in case.changing(OUT):
                if not any(key == case.key and _is_about(row, name) for key, name in released):
                    self.findings.append(f"{case.key} {row.field}: left out, and the plan does not say that it is released")
        self._applied("left out")
        self._judge(SECOND)

    def _boots(self) -> dict[str, Any]:
        return {case.name: self.boot(self.tree.host, case.name) for case in self.cases} if self.boot is not None else {}


def missing(known: Iterable[str], *tabled: Iterable[str]) -> list[str]:
    """Fields that a manifest can state (entries of maps by the map's name), and that no table has."""
    return sorted({name.removesuffix(".KEY") for name in known} - {name for names in tabled for name in names})


def _changes(row: Row, what: Any) -> bool:
    if what is NULL:
        return row.cleared is not KEPT
    return not ((what is OUT and row.required) or (what is FIRST and row.one_way))


def _is_about(row: Row, name: str) -> bool:
    """Whether a field that a plan names is this row's: `nics.net0.mtu` is `nics[].mtu`."""
    head, is_list, rest = row.field.partition("[]")
    if is_list:
        return name.startswith(f"{head}.") and name.endswith(rest)
    return f"{name}.".startswith(f"{row.field}.")


def _cleared(row: Row) -> Any:
    """What a manifest states for none: of a map, each of its entries."""
    first = row.values[FIRST]
    return dict.fromkeys(first) if isinstance(first, dict) else None


def numbered(value: Any, number: int) -> Any:
    """A value with `{n}` in its texts replaced."""
    if isinstance(value, str):
        return value.replace("{n:02x}", f"{number:02x}").replace("{n}", str(number))
    if isinstance(value, list):
        return [numbered(one, number) for one in value]
    if isinstance(value, dict):
        return {key: numbered(one, number) for key, one in value.items()}
    return value


def _state(spec: dict[str, Any], path: str, value: Any) -> None:
    """States a field, or states it no more."""
    head, dot, rest = path.partition(".")
    if head == "native":
        # What it names there has dots of its own.
        system, _, name = rest.partition(".")
        spec = spec.setdefault(head, {}).setdefault(system, {})
        head, dot = name, ""
    if head.endswith("[]"):
        _state(spec[head[:-2]][-1], rest, value)
    elif dot:
        _state(spec.setdefault(head, {}), rest, value)
    elif value is OUT:
        spec.pop(head, None)
    else:
        spec[head] = value


def _entries(planned: Said, key: str) -> list[dict[str, Any]]:
    actions = [one for host in planned.document["hosts"] for one in host["actions"]]
    return [entry for action in actions if action["key"].partition("/")[2] == key for entry in action["fields"]]
