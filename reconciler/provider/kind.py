"""A kind: one spec class whose annotations are the table that everything else is derived from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Annotated, NamedTuple, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, ObjectName
from reconciler.model.quantity import parse_size
from reconciler.model.resource import Reference
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Changing, Entries, FieldRule, Group, Items, Null
from reconciler.provider.pydantic_errors import raising_custom

Found = TypeVar("Found")

_NAMES_KEPT = 4096
"""Names of fields within items and maps whose places are remembered for each kind: objects mostly have the same."""


class Spec(BaseModel):
    """What stands under `spec:`. Fields carry a FieldRule (or Entries, for a map) as `Annotated` metadata.

    Names are camelCase as in the manifest; a field that was not written is not ours to manage.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


Size: TypeAlias = Annotated[
    int,
    BeforeValidator(raising_custom(parse_size)),
    Field(json_schema_extra={"type": "string", "examples": ["512MiB", "10GiB"]}),
]
"""A size in bytes, written as `10GiB`."""


class Claim(NamedTuple):
    """Something of which a host has only one (an address, a name): the field of a manifest that takes it, and it in words."""

    field: str
    what: str


class Remark(NamedTuple):
    """Something that is allowed and hardly meant: the field, what is odd about it, and what to do."""

    field: str
    cause: str
    remedy: str


FieldsOf = Callable[[ObjectName], Fields | None]
"""The stated fields of another resource of the same host; None where there is no such resource."""


@dataclass(frozen=True)
class Kind:
    """A kind of object, with the table read off its spec class.

    `contained_in`: a name with `/` in it lies in the object that the part before the last `/` names, of one of these kinds;
    empty for flat names. `shares_names_with` names the kinds that live in one namespace with this one. `carries_mark` is false
    for kinds whose tool has no room for our mark; `carries_mark_on` names the systems (as `uname -s` does) where it has all the
    same. `observed_only` kinds state expectations and never plan a change; `expectations` judges them. `check_name` and
    `check_spec` refuse what the field table can't express, by raising InvalidValue. `completion` holds fields that must hold
    after one of our actions may have ended half-way (made but not mounted); those that are `lasting` must hold at any time, for
    what they tell can be lost later as well (a filter that somebody flushed). `has_trash` says that removal by trash exists for
    the kind; where one `needs_no_trash` (a link, a rule) it means delete. For manifests written from what is there, `told`
    gives phrases worth a comment about an object's fields, and `set_by_others` the fields that somebody else on the host sets,
    with the reason to leave them alone.

    `identified_by` is the field that holds what the host knows an object by, where its name is ours alone (an Image's uuid).
    `chooses_identity`: we choose that ourselves when the object is made, from owner and key. `is_derived` tells an object of
    ours without a mark by what it was made with, from owner, key and its fields. `creation_only` names the stated fields that
    matter only when the object is made because others say so. `claims` tells from name and fields what no other object of the
    host may claim too, and `remarks` warn of what is odd beside other resources of the host. `is_reserved` kinds are observed,
    and no manifest can have them yet.
    """

    name: str
    spec: type[Spec]
    summary: str
    contained_in: tuple[str, ...] = ()
    shares_names_with: tuple[str, ...] = ()
    carries_mark: bool = True
    carries_mark_on: frozenset[str] = frozenset()
    observed_only: bool = False
    is_reserved: bool = False
    identified_by: str = ""
    chooses_identity: bool = False
    is_derived: Callable[[str, Key, Fields], bool] | None = None
    creation_only: Callable[[Fields], frozenset[str]] | None = None
    has_trash: bool = False
    needs_no_trash: bool = False
    completion: Fields = field(default_factory=lambda: MappingProxyType({}))
    lasting: frozenset[str] = frozenset()
    check_name: Callable[[str], None] | None = None
    check_spec: Callable[[Fields], None] | None = None
    claims: Callable[[str, Fields], Iterator[Claim]] | None = None
    remarks: Callable[[Fields, FieldsOf], Iterator[Remark]] | None = None
    expectations: Callable[[Fields, Fields], Iterator[tuple[str, str]]] | None = None
    told: Callable[[Fields], Iterator[str]] | None = None
    set_by_others: Callable[[Fields], Mapping[str, str]] | None = None

    def carries_mark_of(self, system: str) -> bool:
        """Whether an object on such a system has room for our mark."""
        return self.carries_mark or system in self.carries_mark_on

    @cached_property
    def rules(self) -> Mapping[str, FieldRule]:
        """Rules by dotted field name; maps are in `entries`, lists of items in `items`."""
        return MappingProxyType(dict(_metadata(self.spec, FieldRule)))

    @cached_property
    def entries(self) -> Mapping[str, Entries]:
        """Rules of the maps that are owned per key, by dotted field name."""
        return MappingProxyType(dict(_metadata(self.spec, Entries)))

    @cached_property
    def items(self) -> Mapping[str, Items]:
        """The lists whose items are known by name, by field name."""
        return MappingProxyType(dict(_metadata(self.spec, Items)))

    @cached_property
    def item_rules(self) -> Mapping[str, Mapping[str, FieldRule]]:
        """For each list of items the rules of an item's fields, by their dotted names within it."""
        return MappingProxyType(
            {head: MappingProxyType(dict(_metadata(one.item, FieldRule))) for head, one in self.items.items()}
        )

    @cached_property
    def item_entries(self) -> Mapping[str, Mapping[str, Entries]]:
        """For each list of items the maps of an item that are owned per key."""
        return MappingProxyType(
            {head: MappingProxyType(dict(_metadata(one.item, Entries))) for head, one in self.items.items()}
        )

    @cached_property
    def known_rules(self) -> Mapping[str, FieldRule]:
        """Rules by dotted field name: all fields, and the entries of maps that have a rule of their own."""
        found = dict(self.rules)
        for head, entries in self.entries.items():
            found.update({f"{head}.{name}": entries.rule(name) for name in entries.known})
        return MappingProxyType(found)

    @cached_property
    def every_rule(self) -> Mapping[str, FieldRule]:
        """For people: all that a manifest can state, items of lists as `nics[].over`, maps with free keys as `tags.KEY`."""
        found = dict(self.known_rules)
        found.update({f"{head}.KEY": entries.rule("KEY") for head, entries in self.entries.items() if not entries.known})
        for head, items in self.items.items():
            found[f"{head}[]"] = items.rule
            found.update({f"{head}[].{name}": rule for name, rule in self.item_rules[head].items()})
            for name, entries in self.item_entries[head].items():
                found.update({f"{head}[].{name}.{entry}": entries.rule(entry) for entry in entries.known})
        return MappingProxyType(found)

    @cached_property
    def compares_identities(self) -> bool:
        """Whether the host tells some field's value by the identity of the object named."""
        return any(rule.by_identity for rule in self.every_rule.values())

    def rule(self, name: str) -> FieldRule:
        """The rule of a dotted field name; InvalidValue when the kind has no such field."""
        return self.known_rules.get(name) or self._rules_below(name)

    @cached_property
    def _rules_below(self) -> Callable[[str], FieldRule]:
        return lru_cache(_NAMES_KEPT)(self._rule_below)

    def _rule_below(self, name: str) -> FieldRule:
        if name in self.completion:
            return _COMPLETION
        if name in self.items:
            return self.items[name].rule
        if (place := self.in_item(name)) is not None:
            return self._rule_in_item(place)
        if (found := _entry(self.entries, name)) is not None:
            return found
        raise InvalidValue(f"{self.name} has no field {name}", remedy=f"see reconciler explain {self.name}")

    def _rule_in_item(self, place: "InItem") -> FieldRule:
        if not place.field:
            return self.items[place.list].rule
        rule = self.item_rules[place.list].get(place.field) or _entry(self.item_entries[place.list], place.field)
        if rule is None:
            raise InvalidValue(f"{place.list} of {self.name} have no field {place.field}", remedy="see reconciler schema")
        return rule

    def in_item(self, name: str) -> "InItem | None":
        """Where in a list of items a dotted field name lies; None where it lies in none."""
        return self._places(name)

    @cached_property
    def _places(self) -> Callable[[str], "InItem | None"]:
        return lru_cache(_NAMES_KEPT)(self._place)

    def _place(self, name: str) -> "InItem | None":
        head, dot, rest = name.partition(".")
        if not dot or head not in self.items:
            return None
        # An item's name may hold dots (a path), the fields of an item are known: the longest that fits ends the name.
        for field_name in self._item_fields[head]:
            if rest.endswith(f".{field_name}") and len(rest) > len(field_name) + 1:
                return InItem(head, rest[: -len(field_name) - 1], field_name)
        for entries in self.item_entries[head]:
            item, found, entry = rest.partition(f".{entries}.")
            if found and item and entry:
                return InItem(head, item, f"{entries}.{entry}")
        return InItem(head, rest, "")

    @cached_property
    def _item_fields(self) -> Mapping[str, tuple[str, ...]]:
        return {head: tuple(sorted(rules, key=len, reverse=True)) for head, rules in self.item_rules.items()}

    def container(self, name: str) -> str | None:
        """The name of the object that this one lies in; None at the top or where names are flat."""
        head, slash, _ = name.rpartition("/")
        return head if slash and self.contained_in else None

    def references(self, name: str, fields: Fields) -> tuple[Reference, ...]:
        """What must be there first: the container, and whatever the fields refer to."""
        found = []
        if (container := self.container(name)) is not None:
            found.append(Reference("metadata.name", self.contained_in, container))
        for field_name, value in fields.items():
            rule = self.rule(field_name)
            if not rule.refers_to:
                continue
            texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
            targets = (rule.target(text) if rule.target else text for text in texts)
            found += [Reference(f"spec.{field_name}", rule.refers_to, target) for target in targets if target]
        return tuple(sorted(found, key=lambda reference: reference.field)) if len(found) > 1 else tuple(found)


@dataclass(frozen=True, slots=True)
class InItem:
    """A field of one item of a list: `nics`, `net0`, `allow.ips`; `field` is empty for the item itself."""

    list: str
    item: str
    field: str

    @property
    def path(self) -> str:
        return f"{self.list}.{self.item}"


def _metadata(spec: type[BaseModel], wanted: type[Found]) -> Iterator[tuple[str, Found]]:
    """The metadata of one class on a spec's fields by dotted name, those of groups included."""
    for name, info in spec.model_fields.items():
        for item in info.metadata:
            if isinstance(item, wanted):
                yield name, item
            elif isinstance(item, Group) and (inner := model_in(info.annotation)) is not None:
                yield from ((f"{name}.{below}", found) for below, found in _metadata(inner, wanted))


def model_in(annotation: object) -> type[BaseModel] | None:
    """The model in an annotation such as `Part | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := model_in(inner)) is not None), None)


def _entry(maps: Mapping[str, Entries], name: str) -> FieldRule | None:
    """The rule of a map's entry; the map may lie in a group. InvalidValue for a name that can't stand there."""
    head, dot, entry = name.partition(".")
    while dot:
        if entries := maps.get(head):
            return entries.rule(entry)
        part, dot, entry = entry.partition(".")
        head = f"{head}.{part}"
    return None


_COMPLETION = FieldRule(Changing.LIVE, Null.REFUSED)


def is_within(name: str, container: str) -> bool:
    """Whether a path-like name lies below another."""
    return name.startswith(container) and name[len(container) : len(container) + 1] == "/"


def canonical_value(rule: FieldRule, value: Value) -> Value:
    """A stated value in canonical form; null must be allowed by the rule. InvalidValue otherwise."""
    if value is None:
        if rule.null is Null.REFUSED:
            raise InvalidValue("null is not allowed here", remedy="give a value, or remove the line to leave it alone")
        return None
    if isinstance(value, tuple) or rule.canonical is None:
        return value
    return rule.canonical(value)
