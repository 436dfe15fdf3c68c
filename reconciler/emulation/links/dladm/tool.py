"""The `dladm` program: its subcommands and how each of them ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from reconciler.emulation.links.dladm import aggregating, linkprop, making, show
from reconciler.emulation.links.errors import Died, Misused
from reconciler.emulation.session import Session, Tool

_SUBCOMMANDS: Mapping[str, Callable[[Session, Sequence[str]], int]] = MappingProxyType(
    {
        "show-link": show.show_link,
        "rename-link": making.rename_link,
        "create-aggr": aggregating.create_aggr,
        "delete-aggr": aggregating.delete_aggr,
        "add-aggr": aggregating.add_aggr,
        "remove-aggr": aggregating.remove_aggr,
        "modify-aggr": aggregating.modify_aggr,
        "show-aggr": show.show_aggr,
        "set-linkprop": linkprop.set_linkprop,
        "reset-linkprop": linkprop.reset_linkprop,
        "show-linkprop": linkprop.show_linkprop,
        "show-phys": show.show_phys,
        "create-vnic": making.create_vnic,
        "delete-vnic": making.delete_vnic,
        "show-vnic": show.show_vnic,
        "create-etherstub": making.create_etherstub,
        "delete-etherstub": making.delete_etherstub,
        "show-etherstub": show.show_etherstub,
        "create-vlan": making.create_vlan,
        "delete-vlan": making.delete_vlan,
        "show-vlan": show.show_vlan,
        "show-bridge": show.show_bridge,
        "show-overlay": show.show_overlay,
    }
)


def _run(session: Session, arguments: Sequence[str]) -> int:
    subcommand = _SUBCOMMANDS.get(arguments[0]) if arguments else None
    try:
        if subcommand is None:
            if arguments:
                session.complain(f"dladm: unknown subcommand '{arguments[0]}'")
            raise Misused
        return subcommand(session, arguments[1:])
    except Died as died:
        session.complain(f"dladm: {died}")
    except Misused:
        session.complain("usage: dladm <subcommand> <args> ...")
        for name in _SUBCOMMANDS:
            session.complain(f"    {name}")
    return 1


def _only_reads(arguments: Sequence[str]) -> bool:
    return not arguments or arguments[0].startswith("show-") or arguments[0] not in _SUBCOMMANDS


DLADM = Tool(run=_run, only_reads=_only_reads)
