"""The nics of a guest, whatever runs it."""

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field

from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.derived import derived_mac
from reconciler.provider.field import Acts, Changing, FieldRule, Group, Items, Null, none_for_zero
from reconciler.provider.kind import Spec
from reconciler.provider.network import Allow, Ip, Mac, NicAddress, Rate, Vlan, format_rate, none_if_empty, unordered
from reconciler.provider.pydantic_errors import raising_custom

_ITEM_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")

CARRIERS = ("Etherstub", "NicTag", "PhysicalLink", "Aggregation", "Bridge", "Vlan", "Overlay")
"""The kinds of link that a nic can lie over."""


def item_name(value: object) -> str:
    """The name of a nic or disk in a manifest; InvalidValue for one that can't be part of a field's name."""
    if not isinstance(value, str) or not _ITEM_NAME.fullmatch(value):
        raise InvalidValue(
            f"{value!r} can't name an item", remedy="begin with a letter; use letters, digits, - and _, at most 31"
        )
    return value


ItemName: TypeAlias = Annotated[str, BeforeValidator(raising_custom(item_name))]


def _rate_text(value: Value) -> Scalar:
    assert isinstance(value, int)
    return format_rate(value)


VLAN = FieldRule(null=Null.NONE, canonical=none_for_zero, acts=Acts.STAGED, summary="VLAN id; 0 is none")
MAX_BANDWIDTH = FieldRule(null=Null.NONE, written=_rate_text, summary="the most it may send and receive: 100Mbps")


class Nic(Spec):
    """One nic of a guest, known by its name."""

    name: ItemName
    over: Annotated[
        str | None,
        FieldRule(acts=Acts.STAGED, refers_to=CARRIERS, summary="what it is plugged into: a nic tag, link or etherstub"),
    ] = None
    vnic: Annotated[
        str | None, FieldRule(acts=Acts.STAGED, refers_to=("VNIC",), summary="a VNIC resource that it takes over")
    ] = None
    link: Annotated[str | None, FieldRule(Changing.REPLACE, summary="the host's name for it")] = None
    mac: Annotated[Mac | None, FieldRule(acts=Acts.STAGED, summary="derived from owner, key and nic name when left out")] = None
    vlan: Annotated[Vlan | None, VLAN] = None
    mtu: Annotated[
        int | None, Field(ge=576, le=9000), FieldRule(null=Null.NONE, acts=Acts.STAGED, summary="largest packet, in bytes")
    ] = None
    model: Annotated[str | None, FieldRule(acts=Acts.STAGED, summary="the hardware that the guest sees: virtio")] = None
    ips: Annotated[
        list[NicAddress] | None,
        AfterValidator(unordered),
        FieldRule(acts=Acts.STAGED, summary="dhcp, addrconf, or addresses with their prefix"),
    ] = None
    gateways: Annotated[
        list[Ip] | None,
        AfterValidator(none_if_empty),
        FieldRule(null=Null.NONE, acts=Acts.STAGED, summary="default routes by this nic"),
    ] = None
    primary: Annotated[bool | None, FieldRule(acts=Acts.STAGED, summary="its gateway and resolvers come first")] = None
    maxBandwidth: Annotated[Rate | None, MAX_BANDWIDTH] = None
    allow: Annotated[Allow | None, Group()] = None


def known_by_mac(owner: str, key: Key, name: str, stated: Fields) -> str:
    """The MAC of a nic of ours: the one that its manifest states, else the one derived when it was made."""
    return str(stated.get("mac") or derived_mac(owner, key, name))


NICS = Items(Nic, told_by="mac", known_by=known_by_mac, rule=FieldRule(acts=Acts.STAGED, summary="its nics, by name"))
