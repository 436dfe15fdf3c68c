"""Spec parts that guests share, whatever runs them: a zone, a container, a virtual machine."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import approximate_size
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.field import Acts, Changing, Entries, FieldRule, Null, none_for_zero
from reconciler.provider.kind import Claim, Size, Spec
from reconciler.provider.network import Ip, none_if_empty
from reconciler.provider.nic import NICS, Nic
from reconciler.provider.pydantic_errors import raising_custom

OWN_METADATA = "reconciler:"
"""Keys of internal metadata that begin so are ours; no manifest may state them."""

FINISHED = "finished"
"""A completion: whether no change of ours left something on the guest behind that must still be undone."""

TRASH_ALIAS = "trash."
"""What the name of a guest in the trash begins with."""

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,188}")
_IMAGE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,254}")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*")
_HOSTNAME_LENGTH = 253
_KEY_LENGTH = 255


def is_uuid(text: str) -> bool:
    """Whether the text is a uuid in canonical form."""
    return _UUID.fullmatch(text) is not None


def parse_uuid(value: object) -> str:
    """A uuid in lower case; InvalidValue otherwise."""
    text = value.strip().lower() if isinstance(value, str) else ""
    if not is_uuid(text):
        raise InvalidValue(f"{value!r} is not a uuid", remedy="write 8-4-4-4-12 hex digits, in quotes if they are all decimal")
    return text


def check_image_name(name: str) -> None:
    """InvalidValue for what can't be the name of an Image."""
    if not _IMAGE_NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} can't be an image's name", remedy="begin with a letter or digit; use letters, digits, - _ . +"
        )


def parse_image(value: object) -> str:
    """An Image's name, or its uuid: bare, or as `{uuid: ...}`. InvalidValue otherwise."""
    if isinstance(value, dict):
        if value.keys() != {"uuid"}:
            raise InvalidValue("an image is a name or {uuid: ...}", remedy="write image: NAME, or image: {uuid: ...}")
        return parse_uuid(value["uuid"])
    if not isinstance(value, str):
        raise InvalidValue(f"{value!r} is not an image", remedy="write the name of an Image, or its uuid, in quotes")
    text = value.strip()
    if is_uuid(text.lower()):
        return text.lower()
    check_image_name(text)
    return text


def parse_path(value: object) -> str:
    """An absolute path without `.`, `..` and needless slashes; InvalidValue otherwise."""
    text = value if isinstance(value, str) else ""
    parts = text.split("/")
    if not text.startswith("/") or not text.isprintable() or {".", ".."} & set(parts):
        raise InvalidValue(f"{value!r} is not an absolute path", remedy="begin with / and leave out . and ..")
    return "/" + "/".join(part for part in parts if part)


def check_guest_name(name: str) -> None:
    """InvalidValue for a name that some system can't give a guest, or that only a guest in the trash has."""
    if not _GUEST_NAME.fullmatch(name):
        raise InvalidValue(
            f"{name!r} can't be a guest's name",
            remedy="begin with a letter or digit; use letters, digits, - _ and ., at most 189 characters",
        )
    if name.startswith(TRASH_ALIAS):
        raise InvalidValue(f"{name!r} is a name that guests have in the trash", remedy=f"don't begin with {TRASH_ALIAS}")


def _hostname(value: Scalar) -> Value:
    text = str(value)
    if not _HOSTNAME.fullmatch(text) or len(text) > _HOSTNAME_LENGTH:
        raise InvalidValue(f"{text!r} is not a host or domain name", remedy="write labels of letters, digits and -, with dots")
    return text


def _text_map(kind: str, *, reserved: str = "") -> Callable[[str], FieldRule]:
    """The rule of an entry of a map of texts by its key."""
    rule = FieldRule(null=Null.NONE, summary=f"one entry of the {kind}; null removes it")

    def of_key(key: str) -> FieldRule:
        if not key or not key.isprintable() or key != key.strip() or len(key) > _KEY_LENGTH:
            raise InvalidValue(
                f"{key!r} can't be a key", remedy=f"write 1 to {_KEY_LENGTH} printable characters, no space first or last"
            )
        if reserved and key.startswith(reserved):
            raise InvalidValue(f"keys that begin with {reserved} are our own", remedy="choose another key")
        return rule

    return of_key


TextMap: TypeAlias = dict[str, str | None]


class Route(Spec):
    """A static route of a guest."""

    to: str
    via: Ip


def _routes(routes: list[Route] | None) -> list[str] | None:
    """Each route as `to via`, in the order of their destinations: with each stated once, order means nothing."""
    found: dict[str, str] = {}
    for route in routes or ():
        to = _destination(route.to)
        if to in found:
            raise InvalidValue(f"two routes lead to {to}", remedy="keep one of them")
        if ipaddress.ip_network(to).version != ipaddress.ip_address(route.via).version:
            raise InvalidValue(f"the route to {to} goes by {route.via}, of another family", remedy="correct to or via")
        found[to] = f"{to} {route.via}"
    return [found[to] for to in sorted(found)] or None


def _destination(text: str) -> str:
    try:
        return str(ipaddress.ip_network("0.0.0.0/0" if text == "default" else text.strip()))
    except ValueError:
        raise InvalidValue(
            f"{text!r} is not a destination", remedy="write a network such as 10.1.0.0/16, or one address"
        ) from None


def route_parts(route: str) -> tuple[str, str]:
    """Destination (always with its prefix) and gateway of a route in canonical form."""
    to, _, via = route.partition(" ")
    return to, via


def _written_routes(value: Value) -> list[dict[str, str]]:
    assert isinstance(value, tuple)
    return [dict(zip(("to", "via"), route_parts(route), strict=True)) for route in value]


Uuid: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_uuid))]
Path: TypeAlias = Annotated[str, BeforeValidator(raising_custom(parse_path))]
ImageReference: TypeAlias = Annotated[
    str,
    BeforeValidator(raising_custom(parse_image)),
    Field(
        json_schema_extra={
            "type": ["string", "object"],
            "properties": {"uuid": {"type": "string"}},
            "additionalProperties": False,
        }
    ),
]
"""An Image's name or uuid; canonical as that text."""

QUOTA = FieldRule(null=Null.NONE, canonical=none_for_zero, is_size=True, summary="the most that its root may hold")


class GuestSpec(Spec):
    """What every guest has."""

    uuid: Annotated[
        Uuid | None, FieldRule(Changing.NEVER, summary="what the host knows it by; derived from owner and key when left out")
    ] = None
    pool: Annotated[
        str | None, FieldRule(Changing.NEVER, refers_to=("Pool",), summary="the pool of its root; else the host's defaultPool")
    ] = None
    state: Annotated[Literal["running", "stopped"] | None, FieldRule(summary="left out: started when made, then not ours")] = (
        None
    )
    autoboot: Annotated[bool | None, FieldRule(summary="whether it starts with the host")] = None
    hostname: Annotated[
        str | None, FieldRule(canonical=_hostname, acts=Acts.FIRST_BOOT, summary="the name that it gives itself")
    ] = None
    dnsDomain: Annotated[
        str | None, FieldRule(null=Null.NONE, canonical=_hostname, acts=Acts.FIRST_BOOT, summary="the domain it searches")
    ] = None
    memory: Annotated[Size | None, Field(gt=0), FieldRule(acts=Acts.STAGED, is_size=True, summary="how much memory it has")] = (
        None
    )
    quota: Annotated[Size | None, QUOTA] = None
    nics: Annotated[list[Nic], NICS] = Field(default_factory=list)
    resolvers: Annotated[
        list[Ip] | None,
        AfterValidator(none_if_empty),
        FieldRule(null=Null.NONE, acts=Acts.STAGED, summary="its name servers, in the order of asking"),
    ] = None
    routes: Annotated[
        list[Route] | None,
        AfterValidator(raising_custom(_routes)),
        FieldRule(
            null=Null.NONE, acts=Acts.STAGED, written=_written_routes, summary="static routes: {to: network, via: address}"
        ),
    ] = None
    firewallEnabled: Annotated[bool | None, FieldRule(summary="whether FirewallRules act on it")] = None
    metadata: Annotated[TextMap, Entries(_text_map("metadata"))] = Field(default_factory=dict)
    internalMetadata: Annotated[TextMap, Entries(_text_map("internal metadata", reserved=OWN_METADATA))] = Field(
        default_factory=dict
    )
    tags: Annotated[TextMap, Entries(_text_map("tags"))] = Field(default_factory=dict)


def check_guest(fields: Fields) -> None:
    """InvalidValue for what the fields of a guest can't say together."""
    nics = items_of(fields, "nics")
    for name, nic in nics.items():
        _check_plug(name, nic)
        if "vnic" in nic and fields.get("firewallEnabled") is True:
            cause = f"no firewall rule acts on nic {name}, which takes a VNIC of the host"
            raise InvalidValue(cause, remedy="state over instead of vnic, or firewallEnabled: false", field=f"nics.{name}.vnic")
    primary = [name for name, nic in nics.items() if nic.get("primary")]
    if len(primary) > 1:
        raise InvalidValue(
            f"{' and '.join(primary)} are both primary", remedy="leave primary: true at one", field=f"nics.{primary[1]}.primary"
        )
    seen: dict[str, str] = {}
    for name, nic in nics.items():
        for field, what in _on_wires(nic):
            if what in seen:
                cause = f"{name} and {seen[what]} have the same {what.partition(' on ')[0]}"
                raise InvalidValue(cause, remedy="give each its own", field=f"nics.{name}.{field}")
            seen[what] = name


def _check_plug(name: str, nic: Fields) -> None:
    if ("over" in nic) == ("vnic" in nic):
        cause = f"nic {name} has both over and vnic" if "over" in nic else f"nic {name} is plugged into nothing"
        remedy = "remove one of them" if "over" in nic else "state over: a nic tag, link or etherstub"
        raise InvalidValue(cause, remedy=remedy, field=f"nics.{name}.vnic" if "over" in nic else f"nics.{name}")


def claims_of_guest(name: str, fields: Fields) -> Iterator[Claim]:
    """What no other guest of the host may have too: its name, its uuid, MACs, static addresses, and the port of its screen."""
    yield Claim("metadata.name", f"guest name {name}")
    if (uuid := fields.get("uuid")) is not None:
        yield Claim("spec.uuid", f"uuid {uuid}")
    for nic_name, nic in items_of(fields, "nics").items():
        for field, what in _on_wires(nic):
            yield Claim(f"spec.nics.{nic_name}.{field}", what)
    port = fields.get("console.vnc.port")
    if isinstance(port, int) and port > 0:
        yield Claim("spec.console.vnc.port", f"VNC port {port}")


def _on_wires(nic: Fields) -> Iterator[tuple[str, str]]:
    """What no other nic of a host may have, in words, behind the field that states it: the MAC, and each address on its link
    and VLAN."""
    if (mac := nic.get("mac")) is not None:
        yield "mac", f"MAC address {mac}"
    ips, vlan = nic.get("ips"), nic.get("vlan")
    tagged = f", VLAN {vlan}" if vlan else ""
    for ip in ips if isinstance(ips, tuple) else ():
        address, is_static, _ = ip.partition("/")
        if is_static:
            yield "ips", f"address {address} on {nic.get('over') or nic.get('vnic')}{tagged}"


def items_of(fields: Fields, head: str) -> Mapping[str, dict[str, Value]]:
    """The stated items of a list, each with its own fields."""
    names = fields.get(head)
    found: dict[str, dict[str, Value]] = {name: {} for name in names} if isinstance(names, tuple) else {}
    for field, value in fields.items():
        part, _, rest = field.partition(".")
        if part != head:
            continue
        for name, item in found.items():
            if rest.startswith(f"{name}."):
                item[rest[len(name) + 1 :]] = value
    return found


def told_of_guest(fields: Fields) -> Iterator[str]:
    """What a person wants to know of a guest before taking it over."""
    if (state := fields.get("state")) is not None:
        yield str(state)
    if isinstance(memory := fields.get("memory"), int):
        yield f"{approximate_size(memory)} of memory"
