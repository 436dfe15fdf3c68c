"""Strict reading of what `vmadm lookup -j` and `vmadm get` print (smartos-vmadm.md 3, 5, 7)."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from reconciler.model.errors import ReadError
from reconciler.model.value import Value
from reconciler.provider.readers import whole_json

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NUMBER = re.compile(r"-?[0-9]+")
_YES, _NO = (True, "true", 1), (False, "false", 0)


@dataclass(frozen=True, slots=True)
class JsonObject:
    """One object of the answer: a guest, a nic, a disk. What is there in another form than it must have is a ReadError."""

    raw: Mapping[str, object]
    where: str
    """Words for messages: `nics.0 of <uuid>`."""

    def text(self, name: str) -> str | None:
        """A text; None where it is absent or empty, which vmadm takes for the same."""
        value = self.raw.get(name)
        if value is None or value == "":
            return None
        return value if isinstance(value, str) else self._refuse(name, "a text")

    def number(self, name: str) -> int | None:
        value = self.raw.get(name)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if value is None or value == "":
            return None
        return value if isinstance(value, int) and not isinstance(value, bool) else self._refuse(name, "a number")

    def scaled(self, name: str, unit: int) -> int | None:
        """A number that counts `unit`s, which may have a fraction: in ones."""
        value = self.raw.get(name)
        if isinstance(value, float) and abs(value) < 1 << 63:
            return round(value * unit)
        found = self.number(name)
        return None if found is None else found * unit

    def flag(self, name: str, *, absent: bool = False) -> bool:
        value = self.raw.get(name)
        if value is None or value == "":
            return absent
        if value in _YES:
            return True
        return False if value in _NO else self._refuse(name, "true or false")

    def texts(self, name: str) -> tuple[str, ...]:
        """A list in its order, printed as an array or as one text with commas."""
        value = self.raw.get(name)
        if value is None or value == "":
            return ()
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(","))
        if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
            self._refuse(name, "a list of texts")
        return tuple(str(item) for item in value)

    def entries(self, name: str) -> Mapping[str, Value]:
        """A flat map; values keep their type, but for fractions, which become text."""
        value = self.raw.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(name, "an object")
        return {key: _entry(entry) for key, entry in value.items()}

    def objects(self, name: str) -> tuple["JsonObject", ...]:
        value = self.raw.get(name)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse(name, "a list of objects")
        return tuple(JsonObject(item, f"{name}.{place} of {self.where}") for place, item in enumerate(value))

    def _refuse(self, name: str, expected: str) -> NoReturn:
        raise ReadError(0, f"{name} of {self.where} to be {expected}", repr(self.raw.get(name)))


@dataclass(frozen=True, slots=True)
class Guest(JsonObject):
    """One guest, of whatever brand and in whatever state."""

    uuid: str
    brand: str
    state: str


def read_guests(text: str) -> tuple[Guest, ...]:
    """The guests that `vmadm lookup -j` printed; ReadError for anything but a whole array of guests."""
    found = whole_json(text)
    if not isinstance(found, list):
        raise ReadError(1, "an array of guests", text)
    return tuple(_guests(found))


def read_guest(text: str) -> Guest:
    """The guest that `vmadm get` printed; ReadError for anything else."""
    return next(_guests([whole_json(text)]))


def _guests(found: list[object]) -> Iterator[Guest]:
    for number, item in enumerate(found, start=1):
        if not isinstance(item, dict):
            raise ReadError(0, f"guest {number} to be an object", repr(item))
        uuid, brand, state = (item.get(name) for name in ("uuid", "brand", "state"))
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
            raise ReadError(0, f"a uuid in guest {number}", repr(uuid))
        if not isinstance(brand, str) or not brand or not isinstance(state, str) or not state:
            raise ReadError(0, f"brand and state of guest {uuid}", repr((brand, state)))
        yield Guest(item, uuid, uuid, brand, state)


def _entry(value: object) -> Value:
    if isinstance(value, str | bool | int) or value is None:
        return value
    return json.dumps(value, sort_keys=True)
