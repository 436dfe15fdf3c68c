"""Guests that start and halt: what then runs, its links, and what keeps it from starting (smartos-vmadm.md 1, 7)."""

import copy

from reconciler.emulation.guests import datasets
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.properties import PROPERTIES, Acts
from reconciler.emulation.guests.reading import Datasets
from reconciler.emulation.guests.rows import Guest, Json, disks_of, save
from reconciler.emulation.guests.stored import dataset_names, root_of
from reconciler.emulation.guests.times import stamp
from reconciler.emulation.links.errors import Refused
from reconciler.emulation.links.guest_links import attach, detach, set_properties
from reconciler.emulation.session import Session
from reconciler.emulation.state import State

RUNNING, STOPPED, STOPPING, PROVISIONING, FAILED = "running", "stopped", "stopping", "provisioning", "failed"
INSTALLED = "installed"
# Directories of the global zone that are there without a dataset of their own.
DIRECTORIES = frozenset({"/", "/opt", "/opt/custom", "/tmp", "/usbkey", "/var", "/var/tmp"})  # noqa: S108 - emulated
_WHILE_RUNNING = ("zoneid", "pid", "init_restarts")
_AFTER_EXIT = ("exit_status", "exit_timestamp")
_FIRST_PID = 10_000
# A nic's properties that reach a running guest's link at once.
LIVE_NIC_PROPERTIES = frozenset(
    {
        "allow_ip_spoofing", "allow_mac_spoofing", "allow_dhcp_spoofing", "allow_restricted_traffic",
        "allow_unfiltered_promisc", "allowed_ips", "allowed_dhcp_cids",
    }
)  # fmt: skip


def boot(session: Session, guest: Guest, *, state: str = RUNNING) -> None:
    """Starts a guest from what is stored; raises Failed when its zone can't boot, and then it stays halted."""
    _require_parts(session, guest)
    try:
        for nic in guest.stored["nics"]:
            _attach(session.state, guest, nic)
    except Refused as refused:
        detach(session.state, guest.uuid)
        raise Failed(
            f"Command failed: zone '{guest.uuid}': failed to add network device: {refused}\n"
            f"zoneadm: zone '{guest.uuid}': call to zoneadmd failed"
        ) from refused
    for name in dataset_names(guest):
        datasets.set_in_use(session, name, in_use=True)
    guest.running = _booted(session.state, guest)
    for name in _AFTER_EXIT:
        guest.status.pop(name, None)
    number = session.state.next_number("zoneid")
    guest.status |= {
        "state": state,
        "zone_state": RUNNING,
        "boots": guest.status["boots"] + 1,
        "zoneid": number,
        "pid": _FIRST_PID + number,
        "boot_timestamp": stamp(session.now),
        "init_restarts": 0,
    }
    save(session.state, guest)


def _require_parts(session: Session, guest: Guest) -> None:
    refusal = f"Command failed: zone '{guest.uuid}': "
    if not datasets.exists(session, root_of(guest)):
        raise Failed(f"{refusal}could not verify zonepath /{root_of(guest)}: No such file or directory")
    for disk in disks_of(guest):
        if "zfs_filesystem" in disk and not datasets.exists(session, disk["zfs_filesystem"]):
            raise Failed(f"{refusal}could not open {disk['path']}: No such file or directory")
    for filesystem in guest.stored.get("filesystems", ()):
        if not _is_directory(session.state, filesystem["source"]):
            raise Failed(f"{refusal}could not verify fs {filesystem['target']}: could not access {filesystem['source']}")


def _is_directory(state: State, path: str) -> bool:
    place = path.rstrip("/") or "/"
    return (
        place in DIRECTORIES
        or state.row(
            "SELECT 1 FROM dataset WHERE mounted_at = ? OR (mounted_at > ? AND mounted_at < ?)", place, f"{place}/", f"{place}0"
        )
        is not None
    )


def _attach(state: State, guest: Guest, nic: Json) -> None:
    attach(
        state, guest.uuid, nic["interface"], nic["nic_tag"], nic["mac"], nic.get("vlan_id", 0), nic.get("mtu")
    )  # fmt: skip
    set_properties(state, guest.uuid, nic["interface"], link_properties(nic))


def link_properties(nic: Json) -> dict[str, str]:
    """The properties of a nic's link that follow from what its guest may do."""
    guards = {
        "mac-nospoof": "allow_mac_spoofing",
        "restricted": "allow_restricted_traffic",
        "ip-nospoof": "allow_ip_spoofing",
        "dhcp-nospoof": "allow_dhcp_spoofing",
    }
    ips = nic.get("ips", [])
    static = [text.partition("/")[0] for text in ips if "/" in text]
    methods = ["dhcpv4"] * ("dhcp" in ips) + ["addrconf"] * ("addrconf" in ips)
    return {
        "protection": ",".join(guard for guard, flag in guards.items() if not nic.get(flag)),
        "allowed-ips": ",".join([*static, *(str(text) for text in nic.get("allowed_ips", ()))]),
        "dynamic-methods": ",".join(methods),
        "allowed-dhcp-cids": ",".join(str(text) for text in nic.get("allowed_dhcp_cids", ())),
        "promisc-filtered": "off" if nic.get("allow_unfiltered_promisc") else "",
    }


def _booted(state: State, guest: Guest) -> Json:
    """What a guest that starts now has: what is stored, but for what only its first start could give it, and disks as large
    as zfs says."""
    hvm = BRANDS[guest.stored["brand"]].hvm
    found: Json = {}
    former = guest.status.setdefault("first_boot", {})
    for name, value in guest.stored.items():
        one = PROPERTIES.get(name)
        acts = Acts.RECORD if one is None else one.hvm if hvm else one.os
        if name == "resolvers" and guest.stored.get("maintain_resolvers"):
            former[name] = copy.deepcopy(value)
        if acts is Acts.FIRST_BOOT:
            found[name] = former.setdefault(name, copy.deepcopy(value))
        elif acts in {Acts.BOOT, Acts.LIVE}:
            found[name] = copy.deepcopy(value)
    sizes = Datasets(state, dataset_names(guest))
    for disk in found.get("disks", ()):
        if "zfs_filesystem" in disk:
            disk["size"] = sizes.size(disk["zfs_filesystem"], "volsize") // datasets.MIB
    return found


def halt(session: Session, guest: Guest, *, state: str | None = None) -> None:
    """Ends what runs of a guest; its links vanish. It is stopped then, but one that is failed does not heal by that."""
    if state is None:
        state = FAILED if guest.state in {FAILED, PROVISIONING} else STOPPED
    detach(session.state, guest.uuid)
    for name in dataset_names(guest):
        datasets.set_in_use(session, name, in_use=False)
    guest.running = None
    for name in _WHILE_RUNNING:
        guest.status.pop(name, None)
    guest.status |= {
        "state": state,
        "zone_state": INSTALLED,
        "exit_status": 0,
        "exit_timestamp": stamp(session.now),
    }
    save(session.state, guest)


def apply_live(session: Session, guest: Guest, changed: frozenset[str]) -> None:
    """Lets stored values that act at once reach a running guest."""
    running = guest.running
    if running is None:
        return
    hvm = BRANDS[guest.stored["brand"]].hvm
    for name in changed:
        one = PROPERTIES.get(name)
        if one is None or ((one.hvm if hvm else one.os) is not Acts.LIVE and not _maintained(guest, name)):
            continue
        # A zone gets or loses its /tmp in memory only when it boots.
        if name == "tmpfs" and 0 in {running.get("tmpfs", 0), guest.stored.get("tmpfs", 0)}:
            continue
        if _maintained(guest, name):
            # Written into the zone, where it stays.
            guest.status.setdefault("first_boot", {})[name] = copy.deepcopy(guest.stored.get(name, []))
        if name in guest.stored:
            running[name] = copy.deepcopy(guest.stored[name])
        else:
            running.pop(name, None)
    by_mac = {nic["mac"]: nic for nic in guest.stored["nics"]}
    for nic in running["nics"]:
        wanted = by_mac.get(nic["mac"])
        if wanted is None or all(nic.get(name) == wanted.get(name) for name in LIVE_NIC_PROPERTIES):
            continue
        for name in LIVE_NIC_PROPERTIES:
            nic.pop(name, None)
            if name in wanted:
                nic[name] = copy.deepcopy(wanted[name])
        try:
            set_properties(session.state, guest.uuid, nic["interface"], link_properties(nic))
        except Refused as refused:
            raise Failed(f"Command failed: dladm: warning: cannot set link property: {refused}") from refused
    save(session.state, guest)


def _maintained(guest: Guest, name: str) -> bool:
    return name == "resolvers" and bool((guest.running or {}).get("maintain_resolvers"))
