"""Strict reading of what `ip`, `tc`, `bridge` and `nft` print with `-j`."""

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.errors import ReadError
from reconciler.provider.readers import whole_json, whole_lines


@dataclass(frozen=True, slots=True)
class Object:
    """A JSON object whose members are asked for by type; ReadError where one is another, or not there and no default given."""

    raw: Mapping[str, object]

    def has(self, name: str) -> bool:
        return name in self.raw

    def text(self, name: str, default: str | None = None) -> str:
        value = self.raw.get(name, default)
        if not isinstance(value, str):
            raise self._other(name, "a text")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        value = self.raw.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._other(name, "a whole number")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._other(name, "a list of texts")
        return tuple(value)

    def below(self, name: str) -> "Object":
        """The object in a member; an empty one where there is none."""
        value = self.raw.get(name, {})
        if not isinstance(value, dict):
            raise self._other(name, "an object")
        return Object(value)

    def list(self, name: str) -> "tuple[Object, ...]":
        """The objects in a member; none where there is none. Empty ones are what `ip` left out, and don't count."""
        value = self.raw.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._other(name, "a list of objects")
        return tuple(Object(item) for item in value if item)

    def _other(self, name: str, wanted: str) -> ReadError:
        return ReadError(1, f"{wanted} as {name}", str(self.raw)[:200])


def objects(text: str) -> tuple[Object, ...]:
    """The objects of a JSON list that ends in a newline, as all these tools print it. Nothing at all is an empty list."""
    whole_lines(text)
    found = whole_json(text) if text else []
    return Object({"list": found}).list("list")
