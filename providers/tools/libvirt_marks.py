"""Our mark and our notes in a domain's metadata: one element of our namespace, written with the definition that holds it.

<reconciler:guest xmlns:reconciler="urn:reconciler:guest:1">
  <reconciler:mark owner="acme" key="VirtualMachine/web1" host="..." on-removal="trash"/>
  <reconciler:note name="fields">{"nics.net0.over": "br0", ...}</reconciler:note>
</reconciler:guest>
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from providers.tools.libvirt_xml import Tree, add, child
from reconciler.model.errors import InvalidValue
from reconciler.model.key import ObjectName, parse_object_name
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark
from reconciler.model.trash import Trashed
from reconciler.model.value import Fields, Value

UNNAMED = "Unknown"
"""The kind of a mark whose key can't be read: somebody's, and certainly not the domain's own."""

NAMESPACE = "urn:reconciler:guest:1"
"""Of the one element of ours in a domain's metadata."""

_PREFIX = "reconciler"
_GUEST, _MARK, _NOTE = (f"{_PREFIX}:{name}" for name in ("guest", "mark", "note"))
_DECLARATION = f"xmlns:{_PREFIX}"
_PROTECT: Mapping[str, Protect] = MappingProxyType({known.value: known for known in Protect})
_ON_REMOVAL: Mapping[str, OnRemoval] = MappingProxyType({known.value: known for known in OnRemoval})


@dataclass(frozen=True, slots=True)
class Going:
    """A disk of ours on its way out: the dataset, and where it goes (empty: it is destroyed). `entry` names it in the trash."""

    dataset: str
    place: str = ""
    trashed: Trashed | None = None


@dataclass(frozen=True, slots=True)
class Notes:
    """What our element says. `disks` and `nics` name our items by target and MAC; `fields` are what was stated and libvirt has
    no place for. `resume` is the state to bring it back to, `makes` and `going` are disks on their way in and out, `renames`
    the name that it had: while one of these is there, a change of ours is unfinished. Text that somebody garbled says nothing,
    but that of the trash: there it still says that the guest may stay."""

    mark: Mark | None = None
    fields: Fields = field(default_factory=dict)
    disks: Mapping[str, str] = field(default_factory=dict)
    nics: Mapping[str, str] = field(default_factory=dict)
    resume: str = ""
    makes: tuple[str, ...] = ()
    going: Mapping[str, Going] = field(default_factory=dict)
    renames: str = ""
    trashed: Trashed | None = None

    @property
    def is_finished(self) -> bool:
        return not (self.resume or self.makes or self.going or self.renames)

    @property
    def settled(self) -> "Notes":
        """The same when all that was begun is done."""
        return replace(self, resume="", makes=(), going={}, renames="")


def read_notes(tree: Tree) -> Notes:
    """What the definition says; nothing of ours where it has no element of ours."""
    guest = next((found for found in tree.findall("metadata/*") if _is_ours(found)), None)
    if guest is None:
        return Notes()
    inside = {tag: [found for found in guest if found.tag == tag] for tag in (_MARK, _NOTE)}
    said = {found.get("name") or "": found.text or "" for found in inside[_NOTE]}
    items, todo = _object(said.get("items")), _object(said.get("unfinished"))
    makes = todo.get("makes")
    return Notes(
        _mark(next(iter(inside[_MARK]), None)),
        {name: _value(value) for name, value in _object(said.get("fields")).items()},
        _texts(items.get("disks")),
        _texts(items.get("nics")),
        str(todo.get("resume") or ""),
        tuple(str(name) for name in makes) if isinstance(makes, list) else (),
        {name: _going(value) for name, value in _mapping(todo.get("going")).items()},
        str(todo.get("renames") or ""),
        _trashed(said["trash"]) if "trash" in said else None,
    )


def _is_ours(found: Tree) -> bool:
    return found.tag == _GUEST and found.get(_DECLARATION) == NAMESPACE


def write_notes(tree: Tree, notes: Notes) -> None:
    """Puts our element into the definition in place of the one that is there; takes it out where there is nothing to say."""
    metadata = child(tree, "metadata")
    for found in [one for one in metadata if _is_ours(one)]:
        metadata.remove(found)
    if notes != Notes():
        guest = add(metadata, _GUEST, **{_DECLARATION: NAMESPACE})
        if notes.mark is not None:
            add(guest, _MARK, **_attributes(notes.mark))
        for name, document in _documents(notes).items():
            add(guest, _NOTE, json.dumps(document, sort_keys=True, ensure_ascii=False), name=name)
    if not len(metadata):
        tree.remove(metadata)


def _documents(notes: Notes) -> dict[str, object]:
    unfinished: dict[str, object] = {
        "resume": notes.resume,
        "makes": list(notes.makes),
        "going": {name: _told_going(going) for name, going in notes.going.items()},
        "renames": notes.renames,
    }
    found: dict[str, object] = {
        "fields": dict(notes.fields),
        "items": {"disks": dict(notes.disks), "nics": dict(notes.nics)},
        "unfinished": {name: value for name, value in unfinished.items() if value},
    }
    found = {name: value for name, value in found.items() if value}
    if not (notes.disks or notes.nics):
        del found["items"]
    return found | ({"trash": _told_trash(notes.trashed)} if notes.trashed is not None else {})


def _attributes(mark: Mark) -> dict[str, str]:
    found = {"owner": mark.owner, "key": str(mark.name)}
    if mark.host_id:
        found["host"] = mark.host_id
    if mark.protect is not Protect.NONE:
        found["protect"] = mark.protect.value
    if mark.on_removal is not None:
        found["on-removal"] = mark.on_removal.value
    return found


def _mark(found: Tree | None) -> Mark | None:
    """An unknown protection protects, an unknown way to go says nothing."""
    if found is None or found.get("owner") is None:
        return None
    return Mark(
        found.get("owner") or "",
        _name(found.get("key") or ""),
        found.get("host") or "",
        _PROTECT.get(found.get("protect") or Protect.NONE, Protect.ALL),
        _ON_REMOVAL.get(found.get("on-removal") or ""),
    )


def _name(text: str) -> ObjectName:
    try:
        return parse_object_name(text)
    except InvalidValue:
        return ObjectName(UNNAMED, text)


def _told_going(going: Going) -> dict[str, object]:
    found: dict[str, object] = {"dataset": going.dataset, "place": going.place}
    return found | ({"trash": _told_trash(going.trashed)} if going.trashed is not None else {})


def _going(value: object) -> Going:
    found = _mapping(value)
    trash = found.get("trash")
    return Going(str(found.get("dataset") or ""), str(found.get("place") or ""), _trashed(json.dumps(trash)) if trash else None)


def _told_trash(trashed: Trashed) -> dict[str, object]:
    document: dict[str, object] = {"at": trashed.at, "group": trashed.group, "ttl": trashed.ttl_s}
    return document | ({"saved": dict(trashed.saved)} if trashed.saved else {})


def _trashed(text: str) -> Trashed:
    found = _object(text)
    at, group, ttl = found.get("at"), found.get("group"), found.get("ttl")
    saved = {name: value for name, value in _mapping(found.get("saved")).items() if isinstance(value, str) or value is None}
    if not isinstance(at, str) or not isinstance(group, str):
        return Trashed("", "", None, saved=saved)
    return Trashed(at, group, ttl if isinstance(ttl, int) else None, saved=saved)


def _object(text: str | None) -> dict[str, object]:
    try:
        found: object = json.loads(text or "null")
    except (ValueError, RecursionError):
        return {}
    return _mapping(found)


def _mapping(value: object) -> dict[str, object]:
    return {str(name): inner for name, inner in value.items()} if isinstance(value, dict) else {}


def _texts(value: object) -> dict[str, str]:
    return {name: text for name, text in _mapping(value).items() if isinstance(text, str)}


def _value(value: object) -> Value:
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return value if isinstance(value, str | bool | int) or value is None else str(value)
