"""`dladm show-link`, `show-phys`, `show-vnic`, `show-etherstub`, `show-vlan`, `show-aggr`, `show-overlay`, `show-bridge`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.links.dladm.looking import ABSENT, given, in_sight, named, zone_of
from reconciler.emulation.links.errors import Died, Misused
from reconciler.emulation.links.macs import printed
from reconciler.emulation.links.ofmt import Output, Row, Table, table
from reconciler.emulation.links.table import AGGR, ETHERSTUB, PHYS, VLAN, VNIC, Link, links
from reconciler.emulation.session import Session
from reconciler.emulation.zfs.options import Options

SPEED = 1000
"""Of a physical link, in Mb/s."""

_LINK = table("LINK:12 CLASS:10 MTU:7 STATE:9 BRIDGE:11 OVER:30", names_option=True)
_STORED_LINK = table("LINK:12 CLASS:10 MTU:7 STATE:9 BRIDGE:11 OVER:30", names_option=True, default="LINK CLASS BRIDGE OVER")
_PHYS = table("LINK:13 MEDIA:21 STATE:11 SPEED:7 DUPLEX:10 DEVICE:12", names_option=True)
_STORED_PHYS = table("LINK:13 DEVICE:13 MEDIA:21 FLAGS:10", names_option=True)
_ADDRESSES = table("LINK:21 SLOT:9 ADDRESS:19 INUSE:5 CLIENT:30", names_option=True)
_VNIC = table("LINK:13 OVER:13 SPEED:7 MACADDRESS:18 MACADDRTYPE:13 VID:6 ZONE:20")
_ETHERSTUB = table("LINK:15")
_VLAN = table("LINK:16 VID:9 OVER:13 FLAGS:6")
_AGGR = table("LINK:16 POLICY:9 ADDRPOLICY:21 LACPACTIVITY:14 LACPTIMER:12 FLAGS:8")
_PORTS = table("LINK:12 PORT:15 SPEED:6 DUPLEX:10 STATE:10 ADDRESS:19 PORTSTATE:16")
_LACP = table("LINK:12 PORT:13 AGGREGATABLE:13 SYNC:5 COLL:5 DIST:5 DEFAULTED:10 EXPIRED:15")
_OVERLAY = table("LINK:19 PROPERTY:18 PERM:5 VALUE:21 DEFAULT:10 POSSIBLE:21")
_TARGETS = table("LINK:18 TARGET:18 DESTINATION:40")
_STATUS = table("LINK:18 STATUS:12 DETAILS:40")
_BRIDGE = table("BRIDGE:12 PROTECT:8 ADDRESS:18 PRIORITY:9 DESROOT:21")
_BRIDGE_LINKS = table("LINK:12 STATE:12 UPTIME:8 DESROOT:21")
_BRIDGE_FORWARDS = table("DEST:18 AGE:10 FLAGS:8 OUTPUT:16")


def _output(session: Session, shape: Table, wanted: Options) -> Output:
    return Output(session, "dladm", shape, columns=wanted.last("o"), parsable=wanted.has("p"))


def _seen(session: Session, wanted: Options, kinds: set[str]) -> list[Link]:
    """The links of those classes, stored ones with `-P`, else active ones."""
    found = in_sight(links(session.state), zone_of(session, wanted))
    return [link for link in found if link.kind in kinds and (link.persistent if wanted.has("P") else link.active)]


def _only(session: Session, wanted: Options, found: list[Link], class_words: str = "") -> list[Link]:
    """Those that the operand names: all without one. With `class_words` complaints call the link that."""
    if len(wanted.operands) > 1:
        raise Misused
    if not wanted.operands:
        return found
    name = wanted.operands[0]
    link = named(session.state, name, zone_of(session, wanted))
    there = link is not None and (link.persistent if wanted.has("P") else link.active)
    if link is None or not there or not (class_words or link in found):
        raise Died(f"invalid {class_words} name '{name}': {ABSENT}" if class_words else f"link {name} is not valid: {ABSENT}")
    if link not in found:
        raise Died(f"'{name}' is not {'an' if class_words[0] in 'ae' else 'a'} {class_words}")
    return [link]


def _names(session: Session) -> dict[int, str]:
    return {link.id: link.name for link in links(session.state)}


def show_link(session: Session, arguments: Sequence[str]) -> int:
    """Prints links of all classes."""
    wanted = given(session, arguments, "pPo:z:", "show-link [-pP] [-o <field>,..] [<link>]", shows=True)
    stored = wanted.has("P")
    shape = _STORED_LINK if stored else _LINK
    output = _output(session, shape, wanted)
    every = links(session.state)
    names = {link.id: link.name for link in every}
    members: dict[int, list[str]] = {}
    for link in every:
        if link.port_of is not None:
            members.setdefault(link.port_of, []).append(link.name)
    foreign = zone_of(session, wanted) is None
    rows: list[Row] = [
        {
            "LINK": link.name,
            "CLASS": link.kind,
            "MTU": "" if stored else str(link.mtu),
            # Statistics of a link in a zone's own namespace are not found under its name.
            "STATE": "" if stored else None if link.namespace and foreign else link.state,
            "BRIDGE": "",
            "OVER": names.get(link.over or 0, "") if link.kind != AGGR else ",".join(members.get(link.id, [])),
        }
        for link in _only(session, wanted, _seen(session, wanted, {PHYS, AGGR, VLAN, VNIC, ETHERSTUB}))
    ]
    output.show(rows)
    return 0


def show_phys(session: Session, arguments: Sequence[str]) -> int:
    """Prints physical links, with `-m` their addresses."""
    wanted = given(session, arguments, "pPmo:", "show-phys [-m | -P] [-p] [-o <field>,..] [<link>]", shows=True)
    found = _only(session, wanted, _seen(session, wanted, {PHYS}))
    if wanted.has("m"):
        rows: list[Row] = [
            {
                "LINK": link.name,
                "SLOT": "primary",
                "ADDRESS": printed(link.mac),
                "INUSE": "yes",
                "CLIENT": link.name,
            }
            for link in found
        ]
        _output(session, _ADDRESSES, wanted).show(rows)
        return 0
    rows = [
        {
            "LINK": link.name,
            "MEDIA": "Ethernet",
            "STATE": link.state,
            "SPEED": str(SPEED if link.state == "up" else 0),
            "DUPLEX": "full" if link.state == "up" else "unknown",
            "DEVICE": _device(session, link),
            "FLAGS": "-----",
        }
        for link in found
    ]
    _output(session, _STORED_PHYS if wanted.has("P") else _PHYS, wanted).show(rows)
    return 0


def _device(session: Session, link: Link) -> str:
    """A physical link is made under its device's name and may be renamed later; ids follow the order of devices."""
    return session.state.fact("links").split()[link.id - 1]


def speed(link: Link, lowers: dict[int, Link], ports: dict[int, int]) -> int:
    """Mb/s of a link: of the one below for VNICs, of all ports for an aggregation; 0 for an etherstub."""
    if link.over is not None:
        return speed(lowers[link.over], lowers, ports)
    if link.kind == AGGR:
        return SPEED * ports.get(link.id, 0)
    return SPEED if link.kind == PHYS and link.state == "up" else 0


def show_vnic(session: Session, arguments: Sequence[str]) -> int:
    """Prints VNICs."""
    wanted = given(session, arguments, "pPl:o:z:", "show-vnic [-pP] [-l <link>] [-o <field>,..] [<link>]", shows=True)
    output = _output(session, _VNIC, wanted)
    found = _only(session, wanted, _seen(session, wanted, {VNIC}), "vnic")
    if (lower_name := wanted.last("l")) is not None:
        lower = named(session.state, lower_name)
        if lower is None:
            raise Died(f"invalid link name '{lower_name}': {ABSENT}")
        found = [link for link in found if link.over == lower.id]
    every = {link.id: link for link in links(session.state)}
    ports: dict[int, int] = {}
    for link in every.values():
        if link.port_of is not None and link.state == "up":
            ports[link.port_of] = ports.get(link.port_of, 0) + 1
    stored = wanted.has("P")
    rows: list[Row] = [
        {
            "LINK": link.name,
            "OVER": every[link.over].name if link.over is not None else "?",
            "SPEED": "" if stored else str(speed(link, every, ports)),
            "MACADDRESS": printed(link.mac),
            "MACADDRTYPE": link.mac_type,
            "VID": str(link.vid),
            "ZONE": "" if stored else link.zone,
        }
        for link in found
    ]
    output.show(rows)
    return 0


def show_etherstub(session: Session, arguments: Sequence[str]) -> int:
    """Prints the names of etherstubs; `-p` needs no `-o` here."""
    wanted = given(session, arguments, "pPto:z:", "show-etherstub [-tP] [<etherstub>]", shows=True)
    found = _only(session, wanted, _seen(session, wanted, {ETHERSTUB}), "etherstub")
    columns = wanted.last("o") or ("LINK" if wanted.has("p") else None)
    rows: list[Row] = [{"LINK": link.name} for link in found]
    Output(session, "dladm", _ETHERSTUB, columns=columns, parsable=wanted.has("p")).show(rows)
    return 0


def show_vlan(session: Session, arguments: Sequence[str]) -> int:
    """Prints VLANs."""
    wanted = given(session, arguments, "pPo:z:", "show-vlan [-pP] [-o <field>,..] [<link>]", shows=True)
    output = _output(session, _VLAN, wanted)
    names = _names(session)
    rows: list[Row] = [
        {"LINK": link.name, "VID": str(link.vid), "OVER": names.get(link.over or 0, "?"), "FLAGS": "-----"}
        for link in _only(session, wanted, _seen(session, wanted, {VLAN}), "vlan link")
    ]
    output.show(rows)
    return 0


def show_aggr(session: Session, arguments: Sequence[str]) -> int:
    """Prints aggregations, with `-x` and `-L` their ports."""
    wanted = given(session, arguments, "pPxLo:", "show-aggr [-pPLx] [-o <field>,..] [<link>]", shows=True)
    shape = _PORTS if wanted.has("x") else _LACP if wanted.has("L") else _AGGR
    output = _output(session, shape, wanted)
    found = _only(session, wanted, _seen(session, wanted, {AGGR}), "aggregation")
    members = [link for link in links(session.state) if link.port_of is not None]
    rows: list[Row] = []
    for link in found:
        ports = [one for one in members if one.port_of == link.id]
        if wanted.has("x"):
            rows.append(_whole_aggregation(link, ports))
            rows += [_port(link, port) for port in ports]
        elif wanted.has("L"):
            rows += [_negotiation(link, port) for port in ports]
        else:
            rows.append(
                {
                    "LINK": link.name,
                    "POLICY": link.policy,
                    "ADDRPOLICY": link.mac_type,
                    "LACPACTIVITY": link.lacp,
                    "LACPTIMER": link.timer,
                    "FLAGS": "-----",
                }
            )
    output.show(rows)
    return 0


def _whole_aggregation(link: Link, ports: Sequence[Link]) -> Row:
    total = sum(SPEED for port in ports if port.state == "up")
    return {
        "LINK": link.name,
        "PORT": "",
        "SPEED": f"{total}Mb",
        "DUPLEX": "full" if total else "unknown",
        "STATE": link.state,
        "ADDRESS": printed(link.mac),
        "PORTSTATE": "",
    }


def _port(link: Link, port: Link) -> Row:
    is_up = port.state == "up"
    return {
        "LINK": "",
        "PORT": port.name,
        "SPEED": f"{SPEED if is_up else 0}Mb",
        "DUPLEX": "full" if is_up else "unknown",
        "STATE": port.state,
        "ADDRESS": printed(link.mac),
        "PORTSTATE": "attached" if is_up else "standby",
    }


def _negotiation(link: Link, port: Link) -> Row:
    speaks = "yes" if link.lacp != "off" and port.state == "up" else "no"
    return {
        "LINK": link.name,
        "PORT": port.name,
        "AGGREGATABLE": speaks,
        "SYNC": speaks,
        "COLL": speaks,
        "DIST": speaks,
        "DEFAULTED": "no",
        "EXPIRED": "no",
    }


def show_overlay(session: Session, arguments: Sequence[str]) -> int:
    """Prints overlays, of which an emulated host has none."""
    wanted = given(session, arguments, "pftPo:", "show-overlay [-f | -t] [[-p] -o <field>,...] [<overlay>]", shows=True)
    shape = _TARGETS if wanted.has("t") else _STATUS if wanted.has("f") else _OVERLAY
    _only(session, wanted, [], "overlay")
    _output(session, shape, wanted).show([])
    return 0


def show_bridge(session: Session, arguments: Sequence[str]) -> int:
    """Prints bridges, of which an emulated host has none."""
    wanted = given(session, arguments, "plfo:", "show-bridge [-l | -f] [[-p] -o <field>,...] [<bridge>]", shows=True)
    shape = _BRIDGE_LINKS if wanted.has("l") else _BRIDGE_FORWARDS if wanted.has("f") else _BRIDGE
    if wanted.operands:
        raise Died(f"bridge {wanted.operands[0]} is not valid: {ABSENT}")
    _output(session, shape, wanted).show([])
    return 0
