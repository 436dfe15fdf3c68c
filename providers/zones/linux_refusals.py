"""What zones can't have on a Linux host, told before anything runs."""

import ipaddress

from providers.tools.linux_filters import MOST_ADDRESSES
from providers.tools.linux_kernel import VLAN_FILTERING
from providers.tools.linux_ports import LONGEST_NAME
from providers.tools.lxc_limits import LIMITS
from providers.zones.linux_host import LxcHost
from providers.zones.linux_nics import LONGEST_INSIDE
from reconciler.model.errors import InvalidValue
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal

_NO_LXC = Refusal("the host has no LXC", "install the package lxc, or correct the PATH of the host's transport")


def refusal(field: str, value: Value, host: LxcHost | None) -> Refusal | None:
    """Why the host can't have a stated field of a Zone at that value; None when it can."""
    if host is None:
        return _NO_LXC
    try:
        _check(field, value, host)
    except InvalidValue as invalid:
        return Refusal(invalid.cause, invalid.remedy)
    return None


def _check(field: str, value: Value, host: LxcHost) -> None:
    head, _, rest = field.partition(".")
    if field in LIMITS:
        host.cgroups.check(field, value)
    elif head == "nics" and rest:
        _check_nic(rest, value, host)
    elif field.startswith("native.smartos."):
        raise InvalidValue(
            "properties of vmadm mean nothing to LXC", remedy="remove native.smartos for this host, or state native.lxc"
        )
    match field:
        case "pool" if value is None and len(host.pools) != 1:
            there = ", ".join(host.pools) or "unknown"
            cause = f"nothing says in which pool it is to lie (pools there: {there})"
            raise InvalidValue(cause, remedy="state spec.pool, or spec.defaultPool of the Host")
        case "brand" if value != "lxc":
            raise InvalidValue(
                f"Linux has no zones of brand {value}", remedy="write brand: lxc, or remove the line for this host"
            )
        case "kernelVersion":
            raise InvalidValue("a container runs on the kernel of its host", remedy="remove kernelVersion for this host")
        case "maxProcesses":
            raise InvalidValue("control groups count threads, not processes", remedy="state maxTasks, the limit of threads")
        case "delegatedDataset" if value is True:
            raise InvalidValue(
                "Linux makes no dataset for a zone by itself", remedy="write a Dataset of its own, and state it in datasets"
            )
        case "imageUpdate" | _:
            pass


def _check_nic(rest: str, value: Value, host: LxcHost) -> None:
    """As `_check`, for `NAME.FIELD` of a nic."""
    name, _, field = rest.partition(".")
    if len(name) > LONGEST_INSIDE:
        raise InvalidValue(
            f"a link's name has at most {LONGEST_INSIDE} letters, and {name} has {len(name)}",
            remedy="give the nic a shorter name",
        )
    match field:
        case "over" if host.links.missing:
            missing = ", ".join(host.links.missing)
            raise InvalidValue(f"the host has no {missing}, which nics need", remedy="install iproute2 and nftables")
        case "model":
            raise InvalidValue("the nics of a zone have no model", remedy="remove model")
        case "vlan" if value == 1:
            raise InvalidValue(
                "VLAN 1 is what a bridge of Linux gives to ports without one", remedy="state vlan: 0, or another id"
            )
        case "vlan" if value is not None and (why := host.links.why_not(VLAN_FILTERING)):
            raise InvalidValue(
                f"a bridge here can't keep VLANs apart: {why}", remedy="use an etherstub for each VLAN, or another kernel"
            )
        case "maxBandwidth" if isinstance(value, int) and value % 8:
            raise InvalidValue("tc holds a limit in whole bytes a second", remedy="state maxBandwidth in whole Kbps")
        case "allow.ips" if isinstance(value, tuple) and len(value) > MOST_ADDRESSES:
            raise InvalidValue(
                f"a port's filter holds {MOST_ADDRESSES} addresses, and {len(value)} are stated",
                remedy="state networks instead",
            )
        case "link" if len(str(value)) > LONGEST_NAME:
            raise InvalidValue(f"{value} has more than {LONGEST_NAME} letters", remedy="choose a shorter name")
        case "gateways" if isinstance(value, tuple):
            versions = [ipaddress.ip_address(gateway).version for gateway in value]
            if len(set(versions)) != len(versions):
                raise InvalidValue("LXC takes one gateway of a family", remedy="keep one, and state the others in routes")
        case _:
            pass
