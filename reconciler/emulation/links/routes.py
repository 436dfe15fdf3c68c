"""`route -n get default` and `netstat -rn -f inet`: which link carries the default route."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from reconciler.emulation.links.table import link_named
from reconciler.emulation.session import Session, Tool, always_reads

_ROUTE_USAGE = "usage: route -n get <destination>"
_NETSTAT_USAGE = "usage: netstat -rn [-f inet]"


def _route(session: Session, arguments: Sequence[str]) -> int:
    words = [word for word in arguments if word != "-n"]
    if len(words) != 2 or words[0] != "get":
        session.complain(_ROUTE_USAGE)
        return 1
    destination = words[1]
    found = _matching(session, destination)
    if found is None:
        session.complain(f"{destination}: not in table")
        return 1
    network, gateway, interface = found
    is_default = network == "default"
    link = link_named(session.state, interface)
    for name, value in {
        "route to": destination,
        "destination": network,
        "mask": "default" if is_default else "255.255.255.0",
        **({"gateway": gateway} if is_default else {}),
        "interface": interface,
        "flags": "<UP,GATEWAY,DONE,STATIC>" if is_default else "<UP,DONE>",
    }.items():
        session.line(f"{name:>11}: {value}")
    session.line(" recvpipe  sendpipe  ssthresh    rtt,ms rttvar,ms  hopcount      mtu     expire")
    session.line(f"{0:8} {0:9} {0:9} {0:9} {0:9} {0:9} {link.mtu if link else 0:9} {0:9} ")
    return 0


def _matching(session: Session, destination: str) -> tuple[str, str, str] | None:
    table = {
        str(network): (str(network), str(gateway), str(interface))
        for network, gateway, interface in session.state.rows("SELECT destination, gateway, interface FROM route")
    }
    for network, route in table.items():
        if network == "default" or destination == "default":
            continue
        try:
            if ipaddress.ip_address(destination) in ipaddress.ip_network(f"{network}/24"):
                return route
        except ValueError:
            return None
    return table.get("default")


ROUTE = Tool(run=_route, only_reads=always_reads)


def _netstat(session: Session, arguments: Sequence[str]) -> int:
    if list(arguments) not in (["-rn"], ["-nr"], ["-rn", "-f", "inet"], ["-nr", "-f", "inet"]):
        session.complain(_NETSTAT_USAGE)
        return 1
    session.line("")
    session.line("Routing Table: IPv4")
    session.line("  Destination           Gateway           Flags  Ref     Use     Interface ")
    session.line("-------------------- -------------------- ----- ----- ---------- --------- ")
    rows = session.state.rows(
        "SELECT destination, gateway, interface FROM route ORDER BY destination != 'default', destination"
    )
    for destination, gateway, interface in [*rows, ("127.0.0.1", "127.0.0.1", "lo0")]:
        flags = "UG" if destination == "default" else "UH" if interface == "lo0" else "U"
        # A route that was added by its gateway alone shows no interface.
        shown = "" if destination == "default" else interface
        session.line(f"{destination:<20} {gateway:<20} {flags:<5} {2:>5} {0:>10} {shown:<9} ")
    return 0


NETSTAT = Tool(run=_netstat, only_reads=always_reads)
