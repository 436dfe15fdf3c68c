"""Strict reading of what `virsh.READ_ALL` prints."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from providers.tools.libvirt_xml import Tree, parse, text_at
from reconciler.model.errors import ReadError
from reconciler.provider.readers import number, whole_lines

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOLD = re.compile(r"([A-Z][A-Za-z ()]*):\s*(.*)")
_STATES = frozenset({"running", "idle", "paused", "in shutdown", "shut off", "crashed", "pmsuspended", "no state"})
STOPPED_STATES = frozenset({"shut off", "crashed"})


@dataclass(frozen=True)
class Domain:
    """One domain: `stored` is how it starts next, `now` how it runs, None where it does not. `text` is that of `stored`.
    `is_dead`: it runs on files of a file system whose daemon ended."""

    uuid: str
    name: str
    state: str
    autostart: bool
    persistent: bool
    saved: bool
    stored: Tree
    now: Tree | None
    text: str
    is_dead: bool = False

    @property
    def runs(self) -> bool:
        return self.state not in STOPPED_STATES


@dataclass(frozen=True)
class Host:
    """All domains, and the sizes in bytes of the files that are their disks, by path."""

    domains: tuple[Domain, ...]
    files: Mapping[str, int]


def read_host(text: str) -> Host:
    """ReadError for anything but the whole answer of `virsh.READ_ALL`."""
    lines = whole_lines(text)
    if not lines or lines[-1] != "end":
        raise ReadError(len(lines), "a last line `end` (output cut short)", lines[-1] if lines else "")
    place, ids = 0, []
    while lines[place].startswith("domain "):
        ids.append(_uuid(lines[place].removeprefix("domain "), place + 1))
        place += 1
    if len(set(ids)) != len(ids):
        raise ReadError(0, "every domain once", " ".join(ids))
    domains = []
    for uuid in ids:
        domain, place = _domain(lines, place, uuid)
        domains.append(domain)
    last = next((number for number, line in enumerate(lines) if number >= place and line.startswith("dead ")), len(lines) - 1)
    dead = frozenset(_dead(lines, last))
    known = tuple(replace(one, is_dead=True) if one.name in dead and one.runs else one for one in domains)
    return Host(known, dict(_files(lines[:last], place)))


def _uuid(text: str, line: int) -> str:
    if not _UUID.fullmatch(text):
        raise ReadError(line, "the uuid of a domain", text)
    return text


def _domain(lines: Sequence[str], place: int, uuid: str) -> tuple[Domain, int]:
    told = dict[str, str]()
    while not lines[place].startswith("<domain"):
        # After what is said of the domain come lines about messages, each as long as somebody liked.
        if (match := _TOLD.fullmatch(lines[place])) is not None:
            told.setdefault(match[1], match[2])
        if lines[place] == "end":
            raise ReadError(place + 1, f"the definition of domain {uuid}", lines[place])
        place += 1
    begin = place
    stored, place = _document(lines, place, uuid)
    now, after = _document(lines, place, uuid)
    if told.get("UUID") != uuid or text_at(stored, "uuid") != uuid or text_at(now, "uuid") != uuid:
        raise ReadError(begin + 1, f"domain {uuid}", told.get("UUID", ""))
    state, autostart = told.get("State", ""), told.get("Autostart", "")
    if state not in _STATES or autostart not in ("enable", "disable"):
        raise ReadError(begin, f"state and autostart of domain {uuid}", f"{state} {autostart}")
    name, runs = text_at(stored, "name"), state not in STOPPED_STATES
    if not name:
        raise ReadError(begin + 1, f"the name of domain {uuid}", lines[begin])
    return (
        Domain(
            uuid,
            name,
            state,
            autostart == "enable",
            told.get("Persistent", "yes") == "yes",
            told.get("Managed save", "no") == "yes",
            stored,
            now if runs else None,
            "\n".join(lines[begin:place]) + "\n",
        ),
        after,
    )


def _document(lines: Sequence[str], place: int, uuid: str) -> tuple[Tree, int]:
    """The definition that begins there, and the place after it: libvirt ends one with a line of its own, and an empty one."""
    begin = place
    while lines[place] != "</domain>":
        place += 1
        if place >= len(lines) or lines[place] == "end":
            raise ReadError(begin + 1, f"the whole definition of domain {uuid}", lines[begin])
    tree = parse("\n".join(lines[begin : place + 1]), "domain")
    place += 1
    while place < len(lines) and not lines[place]:
        place += 1
    return tree, place


def _files(lines: Sequence[str], place: int) -> Iterator[tuple[str, int]]:
    for line, text in enumerate(lines[place:], start=place + 1):
        word, _, rest = text.partition(" ")
        size, _, path = rest.partition(" ")
        if word != "file" or not path.startswith("/"):
            raise ReadError(line, "file BYTES PATH", text)
        yield path, number(size, line, "bytes")


def _dead(lines: Sequence[str], place: int) -> Iterator[str]:
    for line, text in enumerate(lines[place:-1], start=place + 1):
        word, _, name = text.partition(" ")
        if word != "dead" or not name:
            raise ReadError(line, "dead NAME", text)
        yield name
