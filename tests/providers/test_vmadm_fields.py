"""When fields of guests act on SmartOS, and what it can't have."""

import pytest

from providers.kvm.refusals import refusal as refusal_of_machine
from providers.tools import vmadm_fields
from providers.tools.vmadm_native import PREFIX
from providers.zones.refusals import refusal as refusal_of_zone
from reconciler.model.change import FieldChange
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal
from reconciler.provider.field import Acts
from tests.desired.guests import GUESTS

GIB, MIB = 1 << 30, 1 << 20


def refusal(kind: str, field: str, value: Value, pools: frozenset[str] | None = frozenset({"zones"})) -> Refusal | None:
    return (refusal_of_machine if kind == "VirtualMachine" else refusal_of_zone)(kind, field, value, pools)


def acts(kind: str, field: str, brand: str, **observed: Value) -> Acts:
    """As the planner asks: what the backend says, else the kind's table."""
    return vmadm_fields.acts(FieldChange(field, None, None), brand, observed) or GUESTS.kinds[kind].rule(field).acts


@pytest.mark.parametrize(
    ("field", "when"),
    [
        ("memory", Acts.LIVE),
        ("swap", Acts.LIVE),
        ("cpuCap", Acts.LIVE),
        ("cpuShares", Acts.LIVE),
        ("maxTasks", Acts.LIVE),
        ("quota", Acts.LIVE),
        ("autoboot", Acts.LIVE),
        ("firewallEnabled", Acts.LIVE),
        ("metadata.user-script", Acts.LIVE),
        ("internalMetadata.a", Acts.LIVE),
        ("tags.role", Acts.LIVE),
        ("hostname", Acts.FIRST_BOOT),
        ("dnsDomain", Acts.FIRST_BOOT),
        ("kernelVersion", Acts.STAGED),
        ("resolvers", Acts.FIRST_BOOT),
        ("routes", Acts.STAGED),
        ("mounts", Acts.STAGED),
        ("mounts./data.source", Acts.STAGED),
        ("nics.net0", Acts.STAGED),
        ("nics.net0.over", Acts.STAGED),
        ("nics.net0.ips", Acts.STAGED),
        ("nics.net0.allow.macSpoofing", Acts.LIVE),
        ("nics.net0.allow.ips", Acts.LIVE),
        (f"{PREFIX}zfs_io_priority", Acts.LIVE),
        (f"{PREFIX}fs_allowed", Acts.STAGED),
    ],
)
def test_when_a_change_acts_on_a_running_zone(field: str, when: Acts) -> None:
    for brand in ("joyent-minimal", "joyent", "lx"):
        assert acts("Zone", field, brand) is when


@pytest.mark.parametrize(
    ("field", "when"),
    [
        ("memory", Acts.STAGED),
        ("cpus", Acts.STAGED),
        ("hostname", Acts.STAGED),
        ("resolvers", Acts.STAGED),
        ("firmware", Acts.STAGED),
        ("quota", Acts.LIVE),
        ("autoboot", Acts.LIVE),
        ("console.vnc.port", Acts.LIVE),
        ("cloudInit.userData", Acts.FIRST_BOOT),
        ("metadata.a", Acts.LIVE),
        ("nics.net0.model", Acts.STAGED),
        ("nics.net0.allow.ipSpoofing", Acts.LIVE),
        ("disks.data", Acts.RESTART),
        ("disks.data.size", Acts.RESTART),
        ("disks.data.model", Acts.RESTART),
        ("disks.data.properties.compression", Acts.LIVE),
        ("disks.data.properties.refreservation", Acts.LIVE),
        (f"{PREFIX}cpu_cap", Acts.STAGED),
        (f"{PREFIX}pci_devices", Acts.RESTART),
    ],
)
def test_when_a_change_acts_on_a_running_machine(field: str, when: Acts) -> None:
    assert acts("VirtualMachine", field, "bhyve") is when


def test_resolvers_act_at_once_where_the_zone_keeps_them() -> None:
    assert acts("Zone", "resolvers", "lx", **{f"{PREFIX}maintain_resolvers": True}) is Acts.LIVE
    assert acts("Zone", "resolvers", "lx", **{f"{PREFIX}maintain_resolvers": False}) is Acts.FIRST_BOOT


@pytest.mark.parametrize(("stored", "when"), [(True, Acts.STAGED), (False, Acts.LIVE)])
def test_resolvers_of_a_zone_that_is_to_keep_them_from_its_next_boot_wait_for_that(stored: bool, when: Acts) -> None:
    flag = f"{PREFIX}maintain_resolvers"
    assert vmadm_fields.acts(FieldChange("resolvers", None, None), "lx", {flag: stored}, (flag,)) is when


@pytest.mark.parametrize(
    ("kind", "field", "value", "remedy"),
    [
        ("Zone", "memory", 512 * MIB + 1024, "write 512MiB or 513MiB"),
        ("Zone", "memory", 1024, "write 1MiB"),
        ("VirtualMachine", "memory", 2 * GIB + 512, "write 2GiB or 2049MiB"),
        ("Zone", "swap", 1536 * 1024, "write 1MiB or 2MiB"),
        ("Zone", "swap", 255 * MIB, "write 256MiB or more"),
        ("Zone", "quota", 1536 * MIB, "write 1GiB or 2GiB"),
        ("Zone", "quota", 512 * MIB, "write 1GiB"),
        ("VirtualMachine", "disks.data.size", 10 * GIB + 1, "write 10GiB or 10241MiB"),
        ("VirtualMachine", "disks.data.properties.refreservation", 1024, "write 1MiB"),
    ],
)
def test_a_size_that_vmadm_can_not_hold_is_refused_with_the_nearest_two(
    kind: str, field: str, value: Value, remedy: str
) -> None:
    refused = refusal(kind, field, value)

    assert refused is not None
    assert refused.remedy == remedy


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Zone", "brand", "ipkg"),
        ("Zone", "brand", "lxc"),
        ("Zone", "zonePath", "/zones/a"),
        ("Zone", "maxProcesses", 100),
        ("Zone", "datasets", ("zones/data",)),
        ("Zone", "routes", ("2001:db8::/32 fe80::1",)),
        ("VirtualMachine", "engine", "qemu"),
        ("VirtualMachine", "dnsDomain", "example.org"),
        ("VirtualMachine", "console.serial", "log"),
        ("VirtualMachine", "console.vnc.bind", "127.0.0.1"),
        ("VirtualMachine", "cloudInit.networkConfig", "a"),
        ("VirtualMachine", "cloudInit.instanceId", "a"),
        ("VirtualMachine", "disks.data.serial", "a"),
        ("VirtualMachine", "disks.data.properties.compression", "zstd"),
        ("VirtualMachine", "disks.data.properties.checksum", "sha256"),
        ("Zone", "nics.net0.vnic", "web0"),
        ("Zone", "nics.net0.link", "web0"),
        ("Zone", "nics.net0.maxBandwidth", 10**9),
        ("Zone", "nics.net0.model", "virtio"),
        ("VirtualMachine", "nics.net0.model", "vmxnet3"),
        ("Zone", "nics.net0.primary", False),
        ("Zone", "nics.net0.over", "a-b"),
        ("Zone", "nics.net0.gateways", ("fe80::1",)),
        ("Zone", "nics.net0.ips", tuple(f"10.0.0.{number}/24" for number in range(21))),
        ("Zone", "nics.net0.allow.ips", tuple(f"10.0.0.{number}/32" for number in range(14))),
        ("Image", "source.path", "/a"),
        ("Image", "source.dataset", "tank/a"),
        ("Image", "sha256", "a"),
        ("Image", "arch", "aarch64"),
    ],
)
def test_what_smartos_lacks_is_refused_before_anything_runs(kind: str, field: str, value: Value) -> None:
    refused = refusal(kind, field, value)

    assert refused is not None
    assert refused.cause
    assert refused.remedy


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Zone", "metadata.name", "web1"),
        ("Zone", "memory", GIB),
        ("Zone", "quota", None),
        ("Zone", "brand", "lx"),
        ("Zone", "dnsDomain", "example.org"),
        ("Zone", "routes", ("10.0.0.0/8 10.0.0.1",)),
        ("Zone", "mounts", ("/data",)),
        ("Zone", "nics", ("net0",)),
        ("Zone", "nics.net0.maxBandwidth", None),
        ("Zone", "nics.net0.primary", True),
        ("Zone", "nics.net0.over", "sdc_overlay/1234"),
        ("Zone", "nics.net0.gateways", None),
        ("Zone", "nics.net0.vlan", None),
        ("VirtualMachine", "nics.net0.model", "virtio"),
        ("VirtualMachine", "engine", "kvm"),
        ("VirtualMachine", "disks", ("data",)),
        ("VirtualMachine", "disks.data.size", 10 * GIB),
        ("VirtualMachine", "disks.data.properties.compression", None),
        ("VirtualMachine", "console.vnc.port", -1),
        ("VirtualMachine", "metadata.serial", "a"),
        ("Image", "source.url", "https://images.example.org"),
        ("Image", "arch", "x86_64"),
    ],
)
def test_what_smartos_has_is_not_refused(kind: str, field: str, value: Value) -> None:
    assert refusal(kind, field, value) is None


@pytest.mark.parametrize("kind", ["Zone", "VirtualMachine"])
def test_a_guest_of_which_nothing_says_where_it_is_to_lie_needs_a_host_with_one_pool(kind: str) -> None:
    assert refusal(kind, "pool", None) is None
    for pools, there in ((None, "unknown"), (frozenset(), "unknown"), (frozenset({"b", "a"}), "a, b")):
        refused = refusal(kind, "pool", None, pools)
        assert refused is not None
        assert f"(pools there: {there})" in refused.cause
        assert "spec.defaultPool" in refused.remedy
