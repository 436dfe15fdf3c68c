"""Observed objects as manifests: what was set on them becomes what is wanted of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.desired.manifest import resource
from reconciler.desired.render import manifest
from reconciler.desired.words import printable
from reconciler.desired.yaml_documents import YamlMapping
from reconciler.desired.yaml_places import Path
from reconciler.desired.yaml_text import is_forbidden
from reconciler.desired.yaml_writing import written
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key
from reconciler.model.lifecycle import Adopt, Lifecycle
from reconciler.model.observed import Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Refusal
from reconciler.provider.field import Changing
from reconciler.provider.kind import Kind

_LIFECYCLE = Lifecycle(adopt=Adopt.IF_EQUAL)
_NOWHERE = Origin("", 1, 1)

Refuses = Callable[[str, Value], Refusal | None]
"""Why the host's system can't be asked for a field at a value, although it has it."""


@dataclass(frozen=True, slots=True)
class Imported:
    """One document with its comments; or, where no manifest can hold the object, no text and the cause."""

    text: str
    cause: str = ""


def imported(key: Key, observed: Observed, kinds: Mapping[str, Kind], refuses: Refuses) -> Imported:
    """A manifest that adopts the object as it is: applied, it changes no field.

    States what was set on the object itself, as far as a manifest can say it; comments name what can't be said and why.
    """
    kind = kinds[key.kind]
    left_out: dict[str, str] = {}
    fields = dict(_stated(kind, observed, refuses, left_out))
    while True:
        document = manifest(Resource(key, fields, _NOWHERE, _LIFECYCLE), kind)
        judged = resource(document, key.host, _NOWHERE, kinds)
        if isinstance(judged, Resource):
            read = {**judged.fields, **(judged.created_with or {})}
            wrong = {name: "it would be read as something else" for name in fields if read.get(name) != fields[name]}
        else:
            wrong = {_stated_in(fields, _field(kind, document, problem.path[1:])): problem.cause for problem in judged}
            if not wrong.keys() <= fields.keys():
                return Imported("", "; ".join(problem.cause for problem in judged))
        if not wrong:
            break
        left_out |= wrong
        fields = {name: value for name, value in fields.items() if name not in wrong}
    comments = [f"{': '.join(filter(None, (f'On {key.host}', '; '.join(_told(kind, observed)))))}."]
    comments += [f"Not stated: {name}, for {cause}." for name, cause in sorted(left_out.items())]
    return Imported("".join(f"# {printable(comment)}\n" for comment in comments) + written(document))


def _field(kind: Kind, document: YamlMapping, path: Path) -> str:
    """The dotted field that a path within the spec means: items of lists go by their names."""
    match path:
        case (str(head), int(index), *rest) if head in kind.items:
            spec = document["spec"]
            assert isinstance(spec, dict)
            items = spec[head]
            assert isinstance(items, list)
            item = items[index]
            assert isinstance(item, dict)
            return ".".join((head, str(item[kind.items[head].key]), *map(str, rest)))
        case _:
            return ".".join(map(str, path))


def _stated_in(fields: Fields, name: str) -> str:
    """The field in which a place lies: that of an entry of a list is the list's."""
    found = name
    while found and found not in fields:
        found = found.rpartition(".")[0]
    return found or name


def _stated(kind: Kind, observed: Observed, refuses: Refuses, left_out: dict[str, str]) -> Iterator[tuple[str, Value]]:
    """Fields worth stating that a manifest may hold; the others go to `left_out` with the reason."""
    others = kind.set_by_others(observed.fields) if kind.set_by_others is not None else {}
    for name, value in sorted(_set_on_it(kind, observed)):
        try:
            kind.rule(name)
        except InvalidValue as invalid:
            left_out[name] = invalid.cause
            continue
        if name in others:
            left_out[name] = others[name]
        elif isinstance(value, str) and is_forbidden(value):
            left_out[name] = "its value holds characters that must not stand in a manifest"
        elif refused := refuses(name, value):
            left_out[name] = refused.cause
        else:
            yield name, value


def _set_on_it(kind: Kind, observed: Observed) -> Iterator[tuple[str, Value]]:
    """What was set on the object itself, and what was chosen when it was made and is no default."""
    for name, value in observed.fields.items():
        if value is None:
            continue
        if name in observed.stated_here or _is_chosen(kind, name, value):
            yield name, value


def _is_chosen(kind: Kind, name: str, value: Value) -> bool:
    place = kind.in_item(name)
    rule = kind.rules.get(name) if place is None else kind.item_rules[place.list].get(place.field)
    if rule is None or rule.changing is not Changing.NEVER:
        return False
    info = kind.spec.model_fields.get(name)
    return info is None or bool(value != info.get_default(call_default_factory=True))


def _told(kind: Kind, observed: Observed) -> Iterator[str]:
    """What a person wants to know before taking the object over."""
    if kind.told is not None:
        yield from kind.told(observed.fields)
    if kind.has_trash and (removal := observed.removal) is not None:
        snapshots = len(removal.snapshots)
        yield "no snapshots" if snapshots == 0 else f"{snapshots} snapshot{'s' if snapshots > 1 else ''}"
