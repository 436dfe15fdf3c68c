"""A guest's static routes (smartos-vmadm.md 5)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.nics import DYNAMIC
from reconciler.emulation.guests.rows import Json

_BY_NIC = re.compile(r"(nics|macs)\[(.*)\]")


def check_routes(routes: Mapping[str, object], nics: Sequence[Json]) -> None:
    """Raises Failed for a destination that is none, or a gateway that can't be reached."""
    for destination, gateway in routes.items():
        try:
            ipaddress.ip_interface(destination)
        except ValueError as error:
            raise Failed(f'Invalid route destination: "{destination}" (must be IP address or CIDR)') from error
        named = _BY_NIC.fullmatch(str(gateway))
        if named is None:
            try:
                ipaddress.IPv4Address(str(gateway))
            except ValueError as error:
                raise Failed(f'Invalid route gateway: "{gateway}" (must be IP address or nic)') from error
        elif not any(_is_meant(nic, place, *named.groups()) and _is_static(nic) for place, nic in enumerate(nics)):
            raise Failed(f'Route gateway: "{gateway}" refers to non-existent or DHCP nic')


def _is_meant(nic: Json, place: int, how: str, which: str) -> bool:
    return str(place) == which if how == "nics" else bool(nic["mac"] == which)


def _is_static(nic: Json) -> bool:
    return any(text not in DYNAMIC for text in nic.get("ips", ()))
