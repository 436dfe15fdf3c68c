"""`dladm create-etherstub`, `create-vnic`, `create-vlan`, the deletions of those, and `rename-link`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from reconciler.emulation.links.dladm.looking import ABSENT, BUSY, EXISTS, given, is_busy, is_port
from reconciler.emulation.links.errors import Died, Misused, Refused
from reconciler.emulation.links.macs import RANDOM_PREFIX, is_unicast, mac_of, made_up_mac
from reconciler.emulation.links.names import check_new_name
from reconciler.emulation.links.properties import (
    ETHERSTUB_MTU,
    NOT_PERSISTENT,
    UNSUPPORTED,
    has_address,
    parsed,
    set_active,
    store,
)
from reconciler.emulation.links.table import (
    AGGR,
    ETHERSTUB,
    PHYS,
    VLAN,
    VNIC,
    Link,
    add_link,
    is_taken,
    link_named,
    link_with_id,
    links_over,
    remove_link,
    update_link,
)
from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.zfs.options import Options

_LONGEST_PROPERTIES = 2048
_LARGEST_VLAN = 4094
_PREFIX = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){0,2}")


def create_etherstub(session: Session, arguments: Sequence[str]) -> int:
    """Makes an etherstub."""
    wanted = given(session, arguments, "tR:", "create-etherstub [-t] <etherstub-link>")
    name = _new_name(wanted)
    if link_named(session.state, name) is not None:
        raise Died(f"etherstub creation failed: {EXISTS}")
    session.begin_part()
    link = add_link(session.state, name, ETHERSTUB, persistent=False, mtu=ETHERSTUB_MTU, link_state="unknown")
    _persist(session, wanted, link, [])
    return 0


def create_vnic(session: Session, arguments: Sequence[str]) -> int:
    """Makes a VNIC with its properties."""
    state = session.state
    wanted = given(
        session, arguments, "tfR:l:m:n:r:v:p:", "create-vnic [-t] -l <link> [-m <value> | auto | factory | random"
        " [-r <prefix>]] [-v <vid>] [-p <prop>=<value>[,...]] <vnic-link>",
    )  # fmt: skip
    lower_name = wanted.last("l")
    if len(wanted.operands) != 1 or lower_name is None:
        raise Misused
    name = wanted.operands[0]
    vid = _vlan_id(wanted)
    properties = _properties(wanted, "invalid vnic property")
    lower = _lower(state, lower_name)
    check_new_name(name)
    failed = f"vnic creation over {lower_name} failed"
    mac, mac_type = _mac(session, wanted, failed)
    if link_named(state, name) is not None:
        raise Died(f"{failed}: {EXISTS}")
    if lower.kind in {VNIC, VLAN}:
        raise Died(f"{failed}: {UNSUPPORTED}")
    if is_port(state, lower):
        raise Died(f"{failed}: {BUSY}")
    _check_mac_is_free(state, lower, mac, vid, failed)
    session.begin_part()
    link = add_link(state, name, VNIC, persistent=False, over=lower, mac=mac, mac_type=mac_type, vid=vid, mtu=lower.mtu)
    try:
        for property_name, values in properties:
            if property_name == "zone" and not wanted.has("t"):
                raise Refused(NOT_PERSISTENT)
            set_active(state, link_with_id(state, link.id), property_name, values)
    except Refused as refused:
        remove_link(state, link)
        raise Died(f"{failed}: {refused}") from refused
    _persist(session, wanted, link, properties)
    return 0


def create_vlan(session: Session, arguments: Sequence[str]) -> int:
    """Makes a VLAN link; without a name it is called after the link below and its id."""
    state = session.state
    wanted = given(session, arguments, "tfR:l:v:p:", "create-vlan [-ft] -l <link> -v <vid> [<vlan-link>]")
    lower_name = wanted.last("l")
    if len(wanted.operands) > 1 or lower_name is None or wanted.last("v") is None:
        raise Misused
    vid = _vlan_id(wanted)
    properties = _properties(wanted, "invalid vlan property")
    lower = _lower(state, lower_name)
    match = re.fullmatch(r"(.*?)([0-9]+)", lower_name)
    assert match is not None
    name = wanted.operands[0] if wanted.operands else f"{match[1]}{vid * 1000 + int(match[2])}"
    check_new_name(name)
    failed = "create operation failed"
    if link_named(state, name) is not None or any(one.kind == VLAN and one.vid == vid for one in links_over(state, lower)):
        raise Died(f"{failed}: {EXISTS}")
    if lower.kind not in {PHYS, AGGR, ETHERSTUB}:
        raise Died(f"{failed}: {UNSUPPORTED}")
    if is_port(state, lower):
        raise Died(f"{failed}: {BUSY}")
    mac = lower.mac or _made_up(session, RANDOM_PREFIX)
    session.begin_part()
    link = add_link(state, name, VLAN, persistent=False, over=lower, mac=mac, mac_type="fixed", vid=vid, mtu=lower.mtu)
    try:
        for property_name, values in properties:
            set_active(state, link_with_id(state, link.id), property_name, values)
    except Refused as refused:
        remove_link(state, link)
        raise Died(f"{failed}: {refused}") from refused
    _persist(session, wanted, link, properties)
    return 0


def _new_name(wanted: Options) -> str:
    if len(wanted.operands) != 1:
        raise Misused
    check_new_name(wanted.operands[0])
    return wanted.operands[0]


def _vlan_id(wanted: Options) -> int:
    text = wanted.last("v")
    if text is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= _LARGEST_VLAN:
        raise Died(f"invalid VLAN identifier '{text}'")
    return int(text)


def _properties(wanted: Options, complaint: str) -> list[tuple[str, list[str]]]:
    text = ",".join(wanted.all_of("p"))
    if len(text) >= _LONGEST_PROPERTIES:
        raise Died(f"property list too long '{wanted.last('p')}'")
    found = parsed(text) if text else []
    if not all(name and values for name, values in found):
        raise Died(complaint)
    return found


def _lower(state: State, name: str) -> Link:
    found = link_named(state, name)
    if found is None or not found.active:
        raise Died(f"invalid link name '{name}'")
    return found


def _mac(session: Session, wanted: Options, failed: str) -> tuple[str, str]:
    """The address in its kept form, and how show-vnic calls its origin."""
    text = wanted.last("m") or "auto"
    prefix = wanted.last("r")
    if prefix is not None and (text != "random" or not _PREFIX.fullmatch(prefix) or int(prefix.split(":")[0], 16) & 1):
        raise Died("invalid MAC address prefix")
    if text == "factory":
        # An emulated physical link has no factory addresses to give away.
        raise Died(f"{failed}: {UNSUPPORTED}")
    if text in {"auto", "random"}:
        return _made_up(session, prefix or RANDOM_PREFIX), "random"
    mac = mac_of(text)
    if mac is None or not is_unicast(mac):
        raise Died("invalid MAC address")
    return mac, "fixed"


def _made_up(session: Session, prefix: str) -> str:
    return made_up_mac(session.state.fact("seed"), session.state.next_number("vnic_mac"), prefix)


def _check_mac_is_free(state: State, lower: Link, mac: str, vid: int, failed: str) -> None:
    if mac == lower.mac and vid == 0:
        raise Died(f"{failed}: MAC address reserved for use by underlying data-link")
    if is_taken(state, lower, mac, vid):
        raise Died(f"{failed}: MAC address is already in use")


def _persist(session: Session, wanted: Options, link: Link, properties: Sequence[tuple[str, list[str]]]) -> None:
    """Keeps a new link for the next boot unless it is to be temporary."""
    if wanted.has("t"):
        return
    session.begin_part()
    update_link(session.state, link, persistent=1)
    for name, values in properties:
        store(session.state, link, name, values)


def delete_etherstub(session: Session, arguments: Sequence[str]) -> int:
    """Takes an etherstub away."""
    return _delete_made(session, arguments, ETHERSTUB, "an etherstub")


def delete_vnic(session: Session, arguments: Sequence[str]) -> int:
    """Takes a VNIC away."""
    return _delete_made(session, arguments, VNIC, "a vnic")


def _delete_made(session: Session, arguments: Sequence[str], kind: str, words: str) -> int:
    wanted = given(session, arguments, "tR:z:", f"delete-{kind} [-t] <{kind}-link>")
    if len(wanted.operands) != 1:
        raise Misused
    name = wanted.operands[0]
    zone = wanted.last("z")
    link = link_named(session.state, name, "" if zone in {None, "global"} else str(zone))
    if link is None:
        raise Died(f"invalid link name '{name}'")
    if link.kind != kind:
        raise Died(f"'{name}' is not {words}")
    # dladm's text for etherstubs speaks of vnics too: they share the code.
    delete(session, link, only_active=wanted.has("t"), failed="vnic deletion failed")
    return 0


def delete_vlan(session: Session, arguments: Sequence[str]) -> int:
    """Takes a VLAN link away."""
    wanted = given(session, arguments, "tR:", "delete-vlan [-t] <vlan-link>")
    if len(wanted.operands) != 1:
        raise Misused
    link = link_named(session.state, wanted.operands[0])
    if link is None or link.kind != VLAN:
        raise Died(f"delete operation failed: {ABSENT}")
    delete(session, link, only_active=wanted.has("t"), failed="delete operation failed")
    return 0


def delete(session: Session, link: Link, *, only_active: bool, failed: str) -> None:
    """Takes a link away: the active one, and unless told otherwise the stored one. Raises Died when it is busy."""
    if is_busy(session.state, link):
        raise Died(f"{failed}: {BUSY}")
    if only_active and not link.active:
        raise Died(f"{failed}: {ABSENT}")
    if link.active:
        session.begin_part()
        if not link.persistent:
            remove_link(session.state, link)
            return
        update_link(session.state, link, active=0)
        session.state.write("DELETE FROM link_property WHERE link = ?", link.id)
    if not only_active:
        session.begin_part()
        remove_link(session.state, link)


def rename_link(session: Session, arguments: Sequence[str]) -> int:
    """Gives a link another name; what stands on it stays."""
    wanted = given(session, arguments, "R:", "rename-link <oldlink> <newlink>")
    if len(wanted.operands) != 2:
        raise Misused
    old, new = wanted.operands
    check_new_name(new)
    failed = "rename operation failed"
    link = link_named(session.state, old)
    if link is None:
        raise Died(f"{failed}: {ABSENT}")
    if link_named(session.state, new) is not None:
        raise Died(f"{failed}: {EXISTS}")
    # What stands on a link knows it by its number, so that does not keep it from another name.
    if link.active and (has_address(session.state, link) or is_port(session.state, link)):
        raise Died(f"{failed}: {BUSY}")
    update_link(session.state, link, name=new)
    return 0
