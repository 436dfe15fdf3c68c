"""`ipadm show-addr` and `show-if` of the global zone: what is plumbed on which link (illumos-cli.md 5)."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.links.errors import Died, Misused
from reconciler.emulation.links.ofmt import Output, Row, table
from reconciler.emulation.links.options import options
from reconciler.emulation.session import Session, Tool, always_reads

_ADDRESSES = table(
    "ADDROBJ:18 TYPE:9 STATE:13 CURRENT:8 PERSISTENT:11 ADDR:46", names_option=True, default="ADDROBJ TYPE STATE ADDR"
)
_INTERFACES = table("IFNAME:11 STATE:9 CURRENT:12 PERSISTENT:10", names_option=True)
_LONG_NAMES = {"parsable": "p", "parseable": "p", "output": "o"}


def _show_addr(session: Session, arguments: Sequence[str]) -> int:
    wanted = options(arguments, "po:", "ipadm show-addr [[-p] -o <field>,...] [<addr-obj>]", long_names=_LONG_NAMES)
    if len(wanted.operands) > 1:
        raise Misused
    found = session.state.rows("SELECT name, type, state, address, persistent FROM address ORDER BY interface != 'lo0', name")
    if wanted.operands:
        asked = wanted.operands[0]
        interface, slash, name = asked.partition("/")
        if not interface or (slash and not name):
            raise Died(f"invalid address object name: {asked}")
        found = [row for row in found if (row[0] == asked if slash else row[0].partition("/")[0] == asked)]
        if not found:
            status = "Object not found" if slash else "Interface does not exist"
            raise Died(f"Could not get address object information: {status}")
    rows: list[Row] = [
        {
            "ADDROBJ": name,
            "TYPE": kind,
            "STATE": state,
            "CURRENT": "U----",
            "PERSISTENT": "U--" if persistent else "---",
            "ADDR": address,
        }
        for name, kind, state, address, persistent in found
    ]
    Output(session, "ipadm", _ADDRESSES, columns=wanted.last("o"), parsable=wanted.has("p")).show(rows)
    return 0


def _show_if(session: Session, arguments: Sequence[str]) -> int:
    wanted = options(arguments, "po:", "ipadm show-if [[-p] -o <field>,...] [<interface>]", long_names=_LONG_NAMES)
    if len(wanted.operands) > 1:
        raise Misused
    names = [
        str(name)
        for (name,) in session.state.rows(
            "SELECT interface FROM address GROUP BY interface ORDER BY interface != 'lo0', interface"
        )
    ]
    if wanted.operands:
        if wanted.operands[0] not in names:
            raise Died(f"cannot get information for interface {wanted.operands[0]}: Interface does not exist")
        names = [wanted.operands[0]]
    rows: list[Row] = [
        {
            "IFNAME": name,
            "STATE": "ok",
            "CURRENT": "-m-v------46" if name == "lo0" else "bm--------46",
            "PERSISTENT": "46--",
        }
        for name in names
    ]
    Output(session, "ipadm", _INTERFACES, columns=wanted.last("o"), parsable=wanted.has("p")).show(rows)
    return 0


_SUBCOMMANDS = {"show-if": _show_if, "show-addr": _show_addr}


def _run(session: Session, arguments: Sequence[str]) -> int:
    subcommand = _SUBCOMMANDS.get(arguments[0]) if arguments else None
    try:
        if subcommand is None:
            if arguments:
                session.complain(f"ipadm: unknown subcommand '{arguments[0]}'")
            raise Misused
        return subcommand(session, arguments[1:])
    except Died as died:
        session.complain(f"ipadm: {died}")
    except Misused:
        session.complain("usage: ipadm <subcommand> <args> ...")
        for name in _SUBCOMMANDS:
            session.complain(f"\t{name}")
    return 1


IPADM = Tool(run=_run, only_reads=always_reads)
