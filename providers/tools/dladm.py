"""Argument lists of `dladm`, and of `ipadm` as far as links are concerned (illumos-cli.md 3 and 5)."""

from collections.abc import Mapping, Sequence

LINK_COLUMNS = ("link", "class", "mtu", "state", "over")
STORED_COLUMNS = ("link", "class", "over")
VNIC_COLUMNS = ("link", "over", "macaddress", "vid", "zone")
"""An older `dladm` has no column ZONE: leave out the last one there."""
PROPERTY_COLUMNS = ("link", "property", "value", "default")
ADDRESS_COLUMNS = ("addrobj", "type", "state", "addr")

ZONE = "zone"
"""The link property that tells links of one name apart: each zone of SmartOS has a namespace of its own."""

_LONGEST_PROPERTIES = 240
"""Characters of all `-p` of one command together; older libraries take 255."""


def show_links(*name: str) -> tuple[str, ...]:
    """All links, or one."""
    return ("dladm", "show-link", "-p", "-o", ",".join(LINK_COLUMNS), *name)


def show_stored_links(*name: str) -> tuple[str, ...]:
    """What the next boot brings: links that are stored, active or not."""
    return ("dladm", "show-link", "-P", "-p", "-o", ",".join(STORED_COLUMNS), *name)


def show_vnics(columns: Sequence[str], *name: str) -> tuple[str, ...]:
    """All VNICs, those of guests among them, or one of the global zone."""
    return ("dladm", "show-vnic", "-p", "-o", ",".join(columns), *name)


def show_properties(names: Sequence[str]) -> tuple[str, ...]:
    """These properties of all links, with ZONE among them."""
    return ("dladm", "show-linkprop", "-c", "-o", ",".join(PROPERTY_COLUMNS), "-p", ",".join((ZONE, *names)))


def show_addresses() -> tuple[str, ...]:
    """The addresses of the global zone."""
    return ("ipadm", "show-addr", "-p", "-o", ",".join(ADDRESS_COLUMNS))


def create_etherstub(name: str, *, temporary: bool = False) -> tuple[str, ...]:
    return ("dladm", "create-etherstub", *_flag(temporary), name)


def delete_etherstub(name: str) -> tuple[str, ...]:
    return ("dladm", "delete-etherstub", name)


def create_vnic(
    name: str, over: str, mac: str, vlan: int | None, properties: Mapping[str, str], *, temporary: bool = False
) -> tuple[str, ...]:
    """A VNIC with its properties from the first moment. `temporary`: it is not there after a boot."""
    vid = ("-v", str(vlan)) if vlan is not None else ()
    pairs = (part for prop, value in properties.items() for part in ("-p", f"{prop}={value}"))
    return ("dladm", "create-vnic", *_flag(temporary), "-l", over, "-m", mac, *vid, *pairs, name)


def fits_one_command(properties: Mapping[str, str]) -> bool:
    """Whether `create-vnic` takes all these properties at once."""
    return len(",".join(f"{prop}={value}" for prop, value in properties.items())) <= _LONGEST_PROPERTIES


def delete_vnic(name: str) -> tuple[str, ...]:
    return ("dladm", "delete-vnic", name)


def rename_link(old: str, new: str) -> tuple[str, ...]:
    return ("dladm", "rename-link", old, new)


def set_property(name: str, prop: str, value: str) -> tuple[str, ...]:
    """One property: of several in one command only the last one's failure is told."""
    return ("dladm", "set-linkprop", "-p", f"{prop}={value}", name)


def reset_property(name: str, prop: str) -> tuple[str, ...]:
    return ("dladm", "reset-linkprop", "-p", prop, name)


def bandwidth(bits: int) -> str:
    """A rate as `maxbw` takes it: whole numbers of Mbit or kbit a second."""
    return f"{bits // 10**6}M" if bits % 10**6 == 0 else f"{bits // 10**3}K"


def _flag(temporary: bool) -> tuple[str, ...]:
    return ("-t",) if temporary else ()
