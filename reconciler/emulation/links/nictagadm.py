"""`nictagadm` of SmartOS: the nic tags of `/usbkey/config` (smartos-vmadm.md 12, illumos-cli.md 3.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from reconciler.emulation.guests.stored import guests
from reconciler.emulation.links.macs import mac_of
from reconciler.emulation.links.names import is_link_name
from reconciler.emulation.links.properties import ETHERSTUB_MTU
from reconciler.emulation.links.table import AGGR, ETHERSTUB, PHYS, add_link, link_named, links, links_over, remove_link
from reconciler.emulation.links.tags import Tag, etherstub_tags, tags
from reconciler.emulation.links.usbkey import config, drop_key, set_key
from reconciler.emulation.session import Session, Tool
from reconciler.emulation.state import State
from reconciler.emulation.zfs.errors import Misused
from reconciler.emulation.zfs.options import options

_NAME = re.compile(r"[A-Za-z0-9_]{1,30}")
_LEAST_MTU, _MOST_MTU = 1500, 9000


class _Failed(Exception):
    """The command ends with exit code 1 and `Error: ` with the text."""


def _properties(text: str | None) -> dict[str, str]:
    found = {}
    for item in (text or "").split(","):
        if not item:
            continue
        name, sign, value = item.partition("=")
        if not sign or name not in {"mac", "mtu"}:
            raise Misused(f"invalid property: {item}")
        found[name] = value
    mtu = found.get("mtu")
    if mtu is not None and not (re.fullmatch(r"[0-9]{1,5}", mtu) and _LEAST_MTU <= int(mtu) <= _MOST_MTU):
        raise _Failed(f"invalid mtu '{mtu}': must be between {_LEAST_MTU} and {_MOST_MTU}")
    return found


def _tag_named(state: State, name: str) -> Tag:
    found = next((tag for tag in tags(state) if tag.name == name), None)
    if found is None:
        raise _Failed(f"nic tag '{name}' does not exist")
    return found


def _add(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "vlp:", anywhere=True)
    is_stub = given.has("l")
    properties = _properties(given.last("p"))
    if not 1 <= len(given.operands) <= (1 if is_stub else 2):
        raise Misused
    name = given.operands[0]
    _check_name(session.state, name, is_stub=is_stub)
    if is_stub:
        if properties:
            raise Misused("etherstubs take no properties")
        _add_etherstub(session, name)
        return 0
    device = given.operands[1] if len(given.operands) > 1 else properties.get("mac")
    if device is None:
        raise Misused("no MAC address or aggregation specified")
    set_key(session.state, f"{name}_nic", _device(session.state, device))
    _set_mtu(session, name, properties)
    return 0


def _check_name(state: State, name: str, *, is_stub: bool) -> None:
    if not _NAME.fullmatch(name):
        raise _Failed("tag name must be less than 31 characters of a-z, A-Z, 0-9 and _")
    if is_stub and not is_link_name(name):
        raise _Failed("etherstub names must end in a number")
    if any(tag.name == name for tag in tags(state)):
        raise _Failed(f"nic tag '{name}' already exists")


def _add_etherstub(session: Session, name: str) -> None:
    state = session.state
    found = link_named(state, name)
    if found is not None and found.kind != ETHERSTUB:
        raise _Failed(f"could not create etherstub '{name}': etherstub creation failed: object already exists")
    if found is None:
        session.begin_part()
        add_link(state, name, ETHERSTUB, persistent=False, mtu=ETHERSTUB_MTU, link_state="unknown")
    session.begin_part()
    set_key(state, "etherstub", ",".join((*etherstub_tags(state), name)))


def _device(state: State, text: str) -> str:
    """What the key of a tag says for a MAC address or an aggregation; raises _Failed when there is none."""
    mac = mac_of(text)
    if mac is None:
        found = link_named(state, text)
        if found is None or found.kind != AGGR:
            raise _Failed(f"MAC address or aggregation '{text}' is invalid")
        return text
    if not any(link.kind == PHYS and link.mac == mac for link in links(state)):
        raise _Failed(f"No physical nic found with MAC address '{text}'")
    return mac


def _set_mtu(session: Session, name: str, properties: Mapping[str, str]) -> None:
    if "mtu" in properties:
        set_key(session.state, f"{name}_mtu", properties["mtu"])
        session.complain("Warning: mtu changes will not take effect until next reboot")


def _update(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "vp:", anywhere=True)
    properties = _properties(given.last("p"))
    if not 1 <= len(given.operands) <= 2:
        raise Misused
    tag = _tag_named(session.state, given.operands[0])
    device = given.operands[1] if len(given.operands) > 1 else properties.get("mac")
    if device is None and "mtu" not in properties:
        raise Misused("no properties to update")
    if tag.type == ETHERSTUB:
        raise _Failed(f"nic tag '{tag.name}' is an etherstub and can't be updated")
    if device is not None and mac_of(device) != tag.mac:
        _refuse_in_use(session.state, tag)
        set_key(session.state, f"{tag.name}_nic", _device(session.state, device))
    _set_mtu(session, tag.name, properties)
    return 0


def _delete(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "vf", anywhere=True)
    if len(given.operands) != 1:
        raise Misused
    state = session.state
    tag = _tag_named(state, given.operands[0])
    if not given.has("f"):
        _refuse_in_use(state, tag)
    if tag.type != ETHERSTUB:
        for key in config(state):
            if key in {f"{tag.name}_nic", f"{tag.name}_mtu"}:
                drop_key(state, key)
        return 0
    link = link_named(state, tag.name)
    if link is not None and any(upper.active for upper in links_over(state, link)):
        raise _Failed(f"could not delete etherstub '{tag.name}': vnic deletion failed: link busy")
    if link is not None:
        session.begin_part()
        remove_link(state, link)
    session.begin_part()
    left = [name for name in etherstub_tags(state) if name != tag.name]
    if left:
        set_key(state, "etherstub", ",".join(left))
    else:
        drop_key(state, "etherstub")
    return 0


def _refuse_in_use(state: State, tag: Tag) -> None:
    if tag.name == "admin" or _users(state, tag):
        raise _Failed(f"nic tag '{tag.name}' is in use")


def _users(state: State, tag: Tag) -> list[str]:
    """The guests that have a nic of that tag, whether they run or not."""
    return [
        str(guest["uuid"])
        for guest in guests(state)
        if any(nic.get("nic_tag") == tag.name for nic in cast("Sequence[Mapping[str, object]]", guest.get("nics") or ()))
    ]


def _exists(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "l", anywhere=True)
    if not given.operands:
        raise Misused
    there = {tag.name for tag in tags(session.state)}
    unknown = [name for name in given.operands if name not in there]
    for name in unknown:
        session.complain(name if given.has("l") else f"invalid tag: {name}")
    return int(bool(unknown))


def _list(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "vlLpd:", anywhere=True)
    if given.operands or (given.has("l") and given.has("L")) or (given.has("d") and not given.has("p")):
        raise Misused
    found = [
        tag
        for tag in tags(session.state)
        if not (given.has("l") and tag.type != ETHERSTUB) and not (given.has("L") and tag.type == ETHERSTUB)
    ]
    delimiter = given.last("d") or ":"
    if not given.has("p"):
        session.line(f"{'NAME':<14} {'MACADDRESS':<18} {'LINK':<14} {'TYPE':<15}")
    for tag in found:
        mac, link = tag.mac or "-", "-" if tag.type == ETHERSTUB else tag.link or "-"
        if given.has("p"):
            session.line(delimiter.join((tag.name, mac.replace(":", "\\:") if delimiter == ":" else mac, link, tag.type)))
        else:
            session.line(f"{tag.name:<14} {mac:<18} {link:<14} {tag.type:<15}")
    return 0


def _vms(session: Session, arguments: Sequence[str]) -> int:
    given = options(arguments, "v", anywhere=True)
    if len(given.operands) != 1:
        raise Misused
    for uuid in _users(session.state, _tag_named(session.state, given.operands[0])):
        session.line(uuid)
    return 0


_SUBCOMMANDS: Mapping[str, tuple[Callable[[Session, Sequence[str]], int], str]] = MappingProxyType(
    {
        "add": (_add, "add [-l] [-p prop=value,...] <name> [mac]"),
        "delete": (_delete, "delete [-f] <name>"),
        "exists": (_exists, "exists [-l] <name> [name]"),
        "list": (_list, "list [-l | -L] [-p] [-d delim]"),
        "update": (_update, "update [-p prop=value,...] <name> [mac]"),
        "vms": (_vms, "vms <name>"),
    }
)
_READING = frozenset({"exists", "list", "vms"})


def _run(session: Session, arguments: Sequence[str]) -> int:
    subcommand = _SUBCOMMANDS.get(arguments[0]) if arguments else None
    try:
        if subcommand is None:
            raise Misused(f"invalid command: {arguments[0]}" if arguments else "")
        return subcommand[0](session, arguments[1:])
    except _Failed as failed:
        session.complain(f"Error: {failed}")
        return 1
    except Misused as misused:
        if str(misused):
            session.complain(f"Error: {misused}")
        session.complain("Usage:")
        for _, form in _SUBCOMMANDS.values():
            session.complain(f"\tnictagadm {form}")
        return 2


def _only_reads(arguments: Sequence[str]) -> bool:
    return not arguments or arguments[0] in _READING or arguments[0] not in _SUBCOMMANDS


NICTAGADM = Tool(run=_run, only_reads=_only_reads)
