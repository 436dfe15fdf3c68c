"""A kind: one spec class whose annotations are the table that everything else is derived from."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import parse_size
from reconciler.model.resource import Reference
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Changing, Entries, FieldRule, Null
from reconciler.provider.pydantic_errors import raising_custom

Found = TypeVar("Found")


class Spec(BaseModel):
    """What stands under `spec:`. Fields carry a FieldRule (or Entries, for a map) as `Annotated` metadata.

    Names are camelCase as in the manifest; a field that was not written is not ours to manage.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Size: TypeAlias = Annotated[
    int,
    BeforeValidator(raising_custom(parse_size)),
    Field(json_schema_extra={"type": "string", "examples": ["512MiB", "10GiB"]}),
]
"""A size in bytes, written as `10GiB`."""


@dataclass(frozen=True)
class Kind:
    """A kind of object, with the table read off its spec class.

    `contained_in`: a name with `/` in it lies in the object that the part before the last `/` names, of one of these kinds;
    empty for flat names. `shares_names_with` names the kinds that live in one namespace with this one. `carries_mark` is
    false for kinds whose tool has no room for our mark. `observed_only` kinds state expectations and never plan a change;
    `expectations` judges them. `check_name` and `check_spec` refuse what the field table can't express, by raising
    InvalidValue. `completion` holds fields that must hold after one of our actions may have ended half-way (made but not
    mounted). `has_trash` says that removal by trash exists for the kind. For manifests written from what is there, `told` gives
    phrases worth a comment about an object's fields, and `set_by_others` the fields that somebody else on the host sets, with
    the reason to leave them alone.
    """

    name: str
    spec: type[Spec]
    summary: str
    contained_in: tuple[str, ...] = ()
    shares_names_with: tuple[str, ...] = ()
    carries_mark: bool = True
    observed_only: bool = False
    has_trash: bool = False
    completion: Fields = field(default_factory=lambda: MappingProxyType({}))
    check_name: Callable[[str], None] | None = None
    check_spec: Callable[[Fields], None] | None = None
    expectations: Callable[[Fields, Fields], Iterator[tuple[str, str]]] | None = None
    told: Callable[[Fields], Iterator[str]] | None = None
    set_by_others: Callable[[Fields], Mapping[str, str]] | None = None

    @cached_property
    def rules(self) -> Mapping[str, FieldRule]:
        """Rules by field name; maps are in `entries`."""
        return MappingProxyType(dict(self._metadata(FieldRule)))

    @cached_property
    def entries(self) -> Mapping[str, Entries]:
        """Rules of the maps that are owned per key, by field name."""
        return MappingProxyType(dict(self._metadata(Entries)))

    @cached_property
    def known_rules(self) -> Mapping[str, FieldRule]:
        """Rules by dotted field name: all fields, and the entries of maps that have a rule of their own."""
        found = dict(self.rules)
        for head, entries in self.entries.items():
            found.update({f"{head}.{name}": entries.rule(name) for name in entries.known})
        return MappingProxyType(found)

    def _metadata(self, wanted: type[Found]) -> Iterator[tuple[str, Found]]:
        for name, info in self.spec.model_fields.items():
            for item in info.metadata:
                if isinstance(item, wanted):
                    yield name, item

    def rule(self, name: str) -> FieldRule:
        """The rule of a dotted field name; InvalidValue when the kind has no such field."""
        if rule := self.known_rules.get(name):
            return rule
        head, dot, entry = name.partition(".")
        if dot and (entries := self.entries.get(head)):
            return entries.rule(entry)
        if name in self.completion:
            return _COMPLETION
        raise InvalidValue(f"{self.name} has no field {name}", remedy=f"see reconciler explain {self.name}")

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
            if rule.refers_to and isinstance(value, str):
                found.append(Reference(f"spec.{field_name}", rule.refers_to, rule.target(value) if rule.target else value))
        return tuple(found)


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
