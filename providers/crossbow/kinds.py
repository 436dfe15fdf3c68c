"""Etherstub, VNIC, and the links that we only look at: their fields, names and rules."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.derived import derived_mac
from reconciler.provider.field import Changing, FieldRule, Group, Null
from reconciler.provider.kind import Claim, Kind, Spec
from reconciler.provider.network import Allow, Mac, Rate, Vlan
from reconciler.provider.nic import CARRIERS, MAX_BANDWIDTH

MISSING = "missing"
"""Completion field of an Etherstub: what of it is not there though the rest is; empty when it is whole."""

BROKEN = "broken"
"""Completion field that must hold at any time: what of it does not stand as we made it (`filter`, `down`); else empty."""

LONGEST_NAME, LARGEST_NUMBER = 31, 4294967294
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.]*[A-Za-z_.])?(0|[1-9][0-9]*)")

_WITH_ALIAS = frozenset({"Linux"})
"""Systems whose links have an alias, which holds our mark; dladm has no room for one."""

LOOKED_AT = ("PhysicalLink", "Aggregation", "Vlan", "Bridge", "Overlay")
"""Kinds of link that nobody manages; all links of a host share one namespace."""

Mtu = Annotated[int, Field(ge=576, le=9000)]


def _none_for_zero(value: Scalar) -> Value:
    if isinstance(value, float):
        raise InvalidValue(f"{value} is not a whole number", remedy="write it without a fraction")
    return None if value == 0 else value


class EtherstubSpec(Spec):
    """A virtual switch without uplink."""

    mtu: Annotated[Mtu | None, FieldRule(null=Null.UNSET, summary="largest packet, in bytes; null is the default, 9000")] = None


class VnicSpec(Spec):
    """A virtual NIC of the host itself."""

    over: Annotated[
        str | None,
        FieldRule(
            Changing.REPLACE,
            refers_to=CARRIERS,
            by_identity=True,
            summary="the link that it lies on: physical, aggregation, etherstub, nic tag, bridge",
        ),
    ] = None
    mac: Annotated[
        Mac | None, FieldRule(Changing.REPLACE, summary="derived from owner and key when it is made, unless stated")
    ] = None
    vlan: Annotated[Vlan | None, FieldRule(Changing.REPLACE, Null.NONE, _none_for_zero, summary="VLAN id; 0 is none")] = None
    mtu: Annotated[
        Mtu | None, FieldRule(null=Null.UNSET, summary="largest packet, in bytes; null is that of the link below")
    ] = None
    maxBandwidth: Annotated[Rate | None, MAX_BANDWIDTH] = None
    priority: Annotated[
        Literal["low", "medium", "high"] | None, FieldRule(summary="how its packets are weighed against others: high")
    ] = None
    allow: Annotated[Allow | None, Group()] = None


class LinkSpec(Spec):
    """A link that nobody manages."""

    mtu: Annotated[int | None, FieldRule(summary="largest packet, in bytes")] = None
    state: Annotated[str | None, FieldRule(summary="up, down or unknown")] = None
    over: Annotated[list[str] | None, FieldRule(summary="the links below it")] = None


class NicTagSpec(Spec):
    """A name that SmartOS gives to a link."""

    type: Annotated[str | None, FieldRule(summary="normal, aggr or overlay rule")] = None
    mac: Annotated[str | None, FieldRule(summary="the address of the physical link")] = None
    link: Annotated[str | None, FieldRule(summary="the link that it names")] = None


def check_link_name(name: str) -> None:
    """InvalidValue for a name that no link can have (illumos-cli.md 3.1)."""
    match = _NAME.fullmatch(name)
    if match is None or not name.isascii():
        raise InvalidValue(
            f"{name!r} can't be the name of a link",
            remedy="begin with a letter, use letters, digits, _ and ., and end in a number without leading zeros: web0",
        )
    if len(name) > LONGEST_NAME or int(match[1]) > LARGEST_NUMBER:
        remedy = f"use at most {LONGEST_NAME} characters, and a number up to {LARGEST_NUMBER}"
        raise InvalidValue(f"the name {name!r} is too long", remedy=remedy)


def _any_name(name: str) -> None:
    """Links that are only looked at are called what the host calls them."""


def _check_vnic(fields: Fields) -> None:
    if "over" not in fields:
        raise InvalidValue("a VNIC needs a link to lie on", remedy="state spec.over: a link, etherstub or nic tag")


def _claims(name: str, fields: Fields) -> Iterator[Claim]:
    """What no other link of the host may have too: all links share one namespace, and a wire takes an address once."""
    yield Claim("metadata.name", f"link name {name}")
    if (mac := fields.get("mac")) is not None:
        tagged = f", VLAN {fields['vlan']}" if fields.get("vlan") else ""
        yield Claim("spec.mac", f"MAC address {mac} on {fields.get('over')}{tagged}")


def _told(fields: Fields) -> Iterator[str]:
    """What a person wants to know of a VNIC before taking it over."""
    yield f"over {fields.get('over')}, MAC address {fields.get('mac')}"


def is_derived(owner: str, key: Key, fields: Fields) -> bool:
    """Whether a VNIC has the address that we gave it when we made it."""
    return fields.get("mac") == derived_mac(owner, key)


ETHERSTUB = Kind(
    "Etherstub",
    EtherstubSpec,
    "a virtual switch without uplink",
    needs_no_trash=True,
    shares_names_with=("VNIC", *LOOKED_AT, "NicTag"),
    carries_mark=False,
    carries_mark_on=_WITH_ALIAS,
    completion={MISSING: "", BROKEN: ""},
    lasting=frozenset({BROKEN}),
    check_name=check_link_name,
    claims=_claims,
)
VNIC = Kind(
    "VNIC",
    VnicSpec,
    "a virtual NIC of the host itself",
    needs_no_trash=True,
    carries_mark=False,
    carries_mark_on=_WITH_ALIAS,
    is_derived=is_derived,
    completion={BROKEN: ""},
    lasting=frozenset({BROKEN}),
    shares_names_with=("Etherstub", *LOOKED_AT),
    check_name=check_link_name,
    check_spec=_check_vnic,
    claims=_claims,
    told=_told,
)


def _looked_at(name: str, spec: type[Spec], summary: str) -> Kind:
    return Kind(name, spec, summary, carries_mark=False, observed_only=True, is_reserved=True, check_name=_any_name)


OF_CLASS = {
    "phys": _looked_at("PhysicalLink", LinkSpec, "a network card; only observed"),
    "aggr": _looked_at("Aggregation", LinkSpec, "several network cards as one link; only observed"),
    "vlan": _looked_at("Vlan", LinkSpec, "a VLAN as a link of its own; only observed"),
    "bridge": _looked_at("Bridge", LinkSpec, "links that are bridged; only observed"),
    "overlay": _looked_at("Overlay", LinkSpec, "an overlay network's link; only observed"),
}
"""Kinds that are only observed, by the class that dladm names."""

NIC_TAG = Kind(
    "NicTag",
    NicTagSpec,
    "a name that SmartOS gives to a link; only observed",
    carries_mark=False,
    observed_only=True,
    is_reserved=True,
    identified_by="link",
    check_name=_any_name,
)
