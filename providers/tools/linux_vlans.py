"""VLANs that a bridge keeps apart: which one each of its ports is in, untagged."""

from collections.abc import Mapping

from providers.tools.linux_json import objects
from reconciler.model.command import probe

SHOW_VLANS = probe("linux.vlans", "bridge", "-j", "vlan", "show")

BRIDGE_VLAN, LAST_VLAN = 1, 4094
"""The VLAN of ports that were put into none, and the last that there can be."""


def read_vlans(text: str) -> Mapping[str, int]:
    """The VLAN by port, of those that are in another than the bridge's own; ReadError for any other shape."""
    found = {}
    for port in objects(text):
        for vlan in port.list("vlans"):
            if "PVID" in vlan.texts("flags") and vlan.number("vlan") != BRIDGE_VLAN:
                found[port.text("ifname")] = vlan.number("vlan")
    return found
