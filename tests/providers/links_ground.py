"""The ports that were on the host when `output/iproute2-6.1.0` was recorded."""

from providers.tools import linux_filters
from providers.tools.linux_marks import LinkMark
from providers.tools.linux_ports import Port, Style
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark


def of_vnic(name: str) -> LinkMark:
    return LinkMark(Mark("lab", ObjectName("VNIC", name), "4c4c4544-0042", Protect.REMOVAL, OnRemoval.DELETE))


def of_nic(kind: str, guest: str, nic: str = "net0") -> LinkMark:
    return LinkMark(Mark("lab", ObjectName(kind, guest), "4c4c4544-0042", Protect.REMOVAL, OnRemoval.DELETE), nic)


VNIC0 = Port(
    "vnic0",
    Style.VETH,
    "es0",
    "02:08:20:00:00:01",
    of_vnic("vnic0"),
    mtu=1400,
    max_bandwidth=10_000_000,
    allow=frozenset({linux_filters.DHCP}),
    ips=("10.0.0.0/24", "10.0.0.5/32", "2001:db8::5/128", "fe80::/10"),
)
VNIC1 = Port("vnic1", Style.VETH, "br0", "02:08:20:00:00:02", of_vnic("vnic1"), allow=linux_filters.FORGERIES)
MACVLAN0 = Port("mac0", Style.MACVLAN, "far0", "02:08:20:00:00:03", of_vnic("mac0"), max_bandwidth=100_000_000)
WEB1 = Port(
    "web1_0",
    Style.VETH,
    "es0",
    "02:08:20:00:00:04",
    of_nic("Zone", "web1"),
    mtu=1400,
    ips=("10.0.0.6/32", linux_filters.BY_ROUTERS),
)
VM1 = Port("vm1_0", Style.TAP, "br0", "02:08:20:00:00:05", of_nic("VirtualMachine", "vm1"), ips=(linux_filters.BY_DHCP,))

PORTS = (VNIC0, VNIC1, MACVLAN0, WEB1, VM1)
