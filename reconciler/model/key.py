"""The name of one object in one place: `host/Kind/name`."""

from collections.abc import Sequence
from typing import NamedTuple

from reconciler.model.errors import InvalidValue


class ObjectName(NamedTuple):
    """Kind and name: an object on a host that the context tells. Shown as `Kind/name`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


def any_of(names: Sequence[ObjectName]) -> str:
    """Objects of which any would do: `Dataset/tank/a`; of one name and several kinds `igb0 (Etherstub, VNIC or Bridge)`."""
    if len(names) == 1 or len({name.name for name in names}) > 1:
        return " or ".join(str(name) for name in names)
    return f"{names[0].name} ({', '.join(name.kind for name in names[:-1])} or {names[-1].kind})"


class Key(NamedTuple):
    """Host, kind and name; the name is the name on the host, there is no mapping layer."""

    host: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.kind}/{self.name}"

    @property
    def object(self) -> ObjectName:
        return ObjectName(self.kind, self.name)


def parse_object_name(text: str) -> ObjectName:
    """`Kind/name` as a manifest's `dependsOn` writes it; InvalidValue when it is neither."""
    kind, slash, name = text.partition("/")
    if not (slash and name and kind[:1].isupper() and kind.isalnum()):
        raise InvalidValue(f"{text!r} is not Kind/name", remedy="write for example Dataset/tank/data/web")
    return ObjectName(kind, name)


def parse_key(text: str) -> Key:
    """`host/Kind/name`; InvalidValue when it is not."""
    host, slash, rest = text.partition("/")
    if not slash or not host or not rest.partition("/")[2]:
        raise InvalidValue(f"{text!r} is not a key", remedy="write host/Kind/name, for example hv01/Dataset/tank/web")
    return Key(host, *parse_object_name(rest))
