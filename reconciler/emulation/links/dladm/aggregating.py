"""`dladm create-aggr`, `add-aggr`, `remove-aggr`, `modify-aggr`, `delete-aggr`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.links.dladm.looking import ABSENT, BUSY, EXISTS, given, is_busy
from reconciler.emulation.links.dladm.making import delete
from reconciler.emulation.links.errors import Died, Misused
from reconciler.emulation.links.macs import is_unicast, mac_of
from reconciler.emulation.links.names import check_new_name
from reconciler.emulation.links.properties import ETHERNET_MTU
from reconciler.emulation.links.table import AGGR, PHYS, Link, add_link, link_named, ports, update_link
from reconciler.emulation.session import Session
from reconciler.emulation.zfs.options import Options

_POLICIES = ("L2", "L3", "L4")
_MODES = ("off", "active", "passive")
_TIMERS = ("short", "long")


def create_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Makes an aggregation of free physical links."""
    wanted = given(
        session, arguments, "tfR:l:P:L:T:u:",
        "create-aggr [-t] [-P <policy>] [-L <mode>] [-T <time>] [-u <address>] -l <link> [-l <link>...] <link>",
    )  # fmt: skip
    names = wanted.all_of("l")
    if len(wanted.operands) != 1 or not names:
        raise Misused
    name = wanted.operands[0]
    check_new_name(name)
    settings = _settings(wanted)
    members = _free_ports(session, names, "create operation failed")
    if link_named(session.state, name) is not None:
        raise Died(f"create operation failed: {EXISTS}")
    session.begin_part()
    mac = str(settings.get("mac", "auto"))
    link = add_link(
        session.state, name, AGGR, persistent=False, mac=members[0].mac if mac == "auto" else mac,
        mac_type="auto" if mac == "auto" else "fixed", mtu=ETHERNET_MTU, policy=str(settings.get("policy", "L4")),
        lacp=str(settings.get("lacp", "off")), timer=str(settings.get("timer", "short")),
    )  # fmt: skip
    for member in members:
        update_link(session.state, member, port_of=link.id)
    if not wanted.has("t"):
        session.begin_part()
        update_link(session.state, link, persistent=1)
    return 0


def _settings(wanted: Options) -> dict[str, str]:
    """The columns that the options set; raises Died for bad values."""
    found: dict[str, str] = {}
    if (text := wanted.last("P")) is not None:
        layers = text.upper().split(",")
        if not set(layers) <= set(_POLICIES):
            raise Died(f"invalid policy '{text}'")
        found["policy"] = ",".join(layer for layer in _POLICIES if layer in layers)
    if (text := wanted.last("L")) is not None:
        if text not in _MODES:
            raise Died(f"invalid LACP mode '{text}'")
        found["lacp"] = text
    if (text := wanted.last("T")) is not None:
        if text not in _TIMERS:
            raise Died(f"invalid LACP timer value '{text}'")
        found["timer"] = text
    if (text := wanted.last("u")) is not None:
        mac = "auto" if text == "auto" else mac_of(text)
        if mac is None or (mac != "auto" and not is_unicast(mac)):
            raise Died(f"invalid MAC address '{text}'")
        found["mac"] = mac
    return found


def _free_ports(session: Session, names: Sequence[str], failed: str) -> list[Link]:
    found = []
    for name in names:
        link = link_named(session.state, name)
        if link is None or not link.active:
            raise Died(f"invalid link name '{name}'")
        if link.kind != PHYS:
            raise Died(f"{failed}: invalid link")
        if is_busy(session.state, link) or link in found:
            raise Died(f"{failed}: {BUSY}")
        found.append(link)
    return found


def _aggregation(session: Session, wanted: Options, failed: str) -> Link:
    if len(wanted.operands) != 1:
        raise Misused
    link = link_named(session.state, wanted.operands[0])
    if link is None or link.kind != AGGR:
        raise Died(f"{failed}: {ABSENT}")
    return link


def add_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Adds free physical links to an aggregation."""
    wanted = given(session, arguments, "tfR:l:", "add-aggr [-t] -l <link> [-l <link>...] <link>")
    if not wanted.all_of("l"):
        raise Misused
    link = _aggregation(session, wanted, "add operation failed")
    for member in _free_ports(session, wanted.all_of("l"), "add operation failed"):
        update_link(session.state, member, port_of=link.id)
    return 0


def remove_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Takes ports out of an aggregation, which keeps one at least."""
    wanted = given(session, arguments, "tR:l:", "remove-aggr [-t] -l <link> [-l <link>...] <link>")
    if not wanted.all_of("l"):
        raise Misused
    failed = "remove operation failed"
    link = _aggregation(session, wanted, failed)
    there = {port.name: port for port in ports(session.state, link)}
    for name in wanted.all_of("l"):
        if link_named(session.state, name) is None:
            raise Died(f"invalid link name '{name}'")
        if name not in there:
            raise Died(f"{failed}: invalid link")
    if set(there) == set(wanted.all_of("l")):
        raise Died(f"{failed}: operation failed")
    for name in wanted.all_of("l"):
        update_link(session.state, there[name], port_of=None)
    return 0


def modify_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Changes an aggregation's policy, address or LACP."""
    wanted = given(
        session, arguments, "tR:P:L:T:u:", "modify-aggr [-t] [-P <policy>] [-L <mode>] [-T <time>] [-u <address>] <link>"
    )
    settings = _settings(wanted)
    if not settings:
        raise Died("at least one of the -PulT options must be specified")
    link = _aggregation(session, wanted, "modify operation failed")
    if (mac := settings.get("mac")) is not None:
        settings |= {"mac_type": "auto" if mac == "auto" else "fixed"}
        if mac == "auto":
            settings["mac"] = ports(session.state, link)[0].mac
    update_link(session.state, link, **settings)
    return 0


def delete_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Takes an aggregation away and lets its ports go."""
    wanted = given(session, arguments, "tR:", "delete-aggr [-t] <link>")
    delete(
        session, _aggregation(session, wanted, "delete operation failed"), only_active=wanted.has("t"),
        failed="delete operation failed",
    )  # fmt: skip
    return 0
