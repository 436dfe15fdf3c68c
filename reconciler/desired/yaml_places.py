"""Where in a file a key or value stands, found again by parsing the file once more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent, SequenceStartEvent

from reconciler.desired.yaml_events import NextEvent, parsed

Path: TypeAlias = tuple[str | int, ...]
"""Keys and list indexes from the top of a document."""

Position: TypeAlias = tuple[int, int]
"""Line and column, counted from 1."""


_ITEM_KEYS = ("name", "target")
"""The keys by which manifests name the items of a list."""


@dataclass(slots=True)
class Place:
    """A value's own position, and those of what it holds: keys and values of a mapping, items of a list.

    A value that is nothing at all has the place of its key, or of the list that it is an item of.
    """

    at: Position
    is_mapping: bool = False
    keys: dict[str, Position] = field(default_factory=dict)
    values: dict[str | int, "Place"] = field(default_factory=dict)
    text: str = ""
    """A scalar as it is written."""

    def position(self, path: Sequence[str | int], *, of_key: bool = False) -> Position:
        """The position of the value at that path, or of its key; where the path ends early, of the mapping it ends in."""
        place, key_at = self, self.at
        for part in path:
            inner = place.values.get(part)
            if inner is None:
                return place.at
            key_at = place.keys.get(part, inner.at) if isinstance(part, str) else inner.at
            place = inner
        return key_at if of_key else place.at

    def path(self, dotted: str) -> Path:
        """The path that a dotted field name means, as far as it is written.

        Keys may hold dots; an item of a list goes by its index, or by its name.
        """
        found: list[str | int] = []
        place, rest = self, dotted
        while rest:
            names = {key: str(key) if place.is_mapping else _item_name(inner, key) for key, inner in place.values.items()}
            fitting = [key for key, name in names.items() if rest == name or rest.startswith(f"{name}.")]
            if not fitting:
                return (*found, rest)
            key = max(fitting, key=lambda one: len(names[one]))
            found.append(key)
            place, rest = place.values[key], rest[len(names[key]) + 1 :]
        return tuple(found)


def _item_name(item: Place, index: str | int) -> str:
    """What an item of a list is called: by the key that names it, else by its index."""
    return next((item.values[key].text for key in _ITEM_KEYS if key in item.values), str(index))


def places(data: bytes, *, native: bool = True) -> tuple[Place, ...]:
    """The places of each document of a file, counted as `documents` does; YamlError as there."""
    return parsed(data, _places, native=native)


def position(data: bytes, document: int, path: Path, *, of_key: bool = False) -> Position:
    """Line and column of a value (or its key) in a document of a file; see `Place.position`."""
    return places(data)[document].position(path, of_key=of_key)


def _places(next_event: NextEvent) -> tuple[Place, ...]:
    found: list[Place] = []
    outer: list[Place] = []
    keys: list[str | None] = []
    while (event := next_event()) is not None:
        if isinstance(event, MappingEndEvent | SequenceEndEvent):
            outer.pop()
            keys.pop()
        elif isinstance(event, ScalarEvent) and outer and outer[-1].is_mapping and keys[-1] is None:
            keys[-1] = event.value
            outer[-1].keys[event.value] = _position(event)
        elif isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
            place = Place(_position(event), isinstance(event, MappingStartEvent))
            if isinstance(event, ScalarEvent):
                place.text = event.value
            if outer:
                key = keys[-1]
                if isinstance(event, ScalarEvent) and not event.value and not event.style:
                    place.at = outer[-1].at if key is None else outer[-1].keys[key]
                outer[-1].values[len(outer[-1].values) if key is None else key] = place
                keys[-1] = None
            elif place.is_mapping:
                found.append(place)
            if not isinstance(event, ScalarEvent):
                outer.append(place)
                keys.append(None)
    return tuple(found)


def _position(event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> Position:
    return event.start_mark.line + 1, event.start_mark.column + 1
