"""The table of native properties against an emulated vmadm, which was made from the same reference by others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.tools import vmadm_native
from providers.tools.vmadm_native import NATIVE, PREFIX, VM_BRANDS, ZONE_BRANDS
from reconciler.emulation.host import EmulatedHost
from reconciler.model.value import Scalar, Value
from reconciler.provider.field import Acts

ZONE_IMAGE, LX_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271", "e1faace4-e19b-11e5-928b-83849e2fd94a"
GUEST = "11111111-1111-4111-8111-111111111111"
BRANDS = ("joyent-minimal", "joyent", "lx", "bhyve", "kvm")

DEVICES = tuple(json.dumps([{"path": f"/devices/pci@0/{name}", "pci_slot": "0:9:0"}]) for name in ("a", "b"))
VALUES: dict[str, tuple[Scalar, Scalar]] = {
    "max_swap": (9000, 10000),
    "max_physical_memory": (4096, 8192),
    "max_locked_memory": (256, 300),
    "tmpfs": (100, 200),
    "zfs_root_recsize": (4096, 8192),
    "zfs_data_recsize": (4096, 8192),
    "zfs_root_compression": ("lz4", "gzip-9"),
    "zfs_data_compression": ("lz4", "off"),
    "cpu_type": ("host", "qemu64"),
    "vga": ("qxl", "std"),
    "disk_driver": ("virtio", "ide"),
    "nic_driver": ("virtio", "e1000"),
    "boot": ("order=cd", "order=c"),
    "limit_priv": ("default,!proc_info", "default"),
    "fs_allowed": ("nfs,ufs", "nfs"),
    "pci_devices": DEVICES,
    "vnc_password": ("secret", "other"),
    "com1": ("socket,/tmp/a", "socket,/tmp/b"),
    "flexible_disk_size": (20480, 40960),
}
"""Two values of each property that takes not just any."""


def values(name: str) -> tuple[Value, Value]:
    """Two canonical values of a property."""
    known = NATIVE[name]
    defaults: dict[vmadm_native.Form, tuple[Scalar, Scalar]] = {
        vmadm_native.Form.NUMBER: (500, 700),
        vmadm_native.Form.SWITCH: (True, False),
        vmadm_native.Form.TEXT: ("one", "two"),
        vmadm_native.Form.LIST: ("a,b", "a"),
    }
    first, second = VALUES[name] if name in VALUES else defaults[known.form]
    return known.canonical(first), known.canonical(second)


@pytest.fixture
def smartos(tmp_path: Path) -> Iterator[EmulatedHost]:
    with EmulatedHost.open(tmp_path / "smartos", system="smartos") as host:
        for image in (ZONE_IMAGE, LX_IMAGE):
            must(host, ["imgadm", "import", "-q", "-P", "zones", image])
        yield host


def must(host: EmulatedHost, argv: list[str], payload: object = None) -> str:
    answer = host.run(argv, None if payload is None else json.dumps(payload).encode())
    assert answer.exit_code == 0, f"{argv} {payload}: {answer.stderr.decode()}"
    return answer.stdout.decode()


def create(host: EmulatedHost, brand: str, more: dict[str, Any], *, running: bool = False) -> None:
    payload: dict[str, Any] = {"uuid": GUEST, "brand": brand, "autoboot": running, **more}
    if brand in VM_BRANDS:
        payload |= {"ram": 1024}
    else:
        payload |= {
            "image_uuid": LX_IMAGE if brand == "lx" else ZONE_IMAGE,
            "max_physical_memory": 512,
            "delegate_dataset": True,
        }
        if brand == "lx":
            payload["kernel_version"] = "4.3"
    must(host, ["vmadm", "validate", "create"], payload)
    must(host, ["vmadm", "create"], payload)


def update(host: EmulatedHost, brand: str, payload: dict[str, Any]) -> None:
    must(host, ["vmadm", "validate", "update", brand], payload)
    must(host, ["vmadm", "update", GUEST], payload)


def read(host: EmulatedHost, brand: str, name: str) -> Value:
    vm = json.loads(must(host, ["vmadm", "get", GUEST]))
    return dict(vmadm_native.read(vm, brand))[PREFIX + name]


def properties(brand: str) -> list[str]:
    return [name for name, known in NATIVE.items() if brand in known.brands]


@pytest.mark.parametrize("brand", BRANDS)
def test_every_property_is_taken_at_creation_and_read_as_stated(smartos: EmulatedHost, brand: str) -> None:
    # A docker zone gets a namespace of its own beside those that are stated.
    stated = {name: values(name)[0] for name in properties(brand) if name != "docker"}
    payload: dict[str, Any] = {}
    for name, value in stated.items():
        payload |= vmadm_native.created_with(name, value)
    create(smartos, brand, payload)

    kept = {name: value for name, value in stated.items() if not NATIVE[name].is_once}
    assert {name: read(smartos, brand, name) for name in kept} == kept


@pytest.mark.parametrize("brand", BRANDS)
def test_every_property_that_is_changed_or_unset_is_read_so(smartos: EmulatedHost, brand: str) -> None:
    create(smartos, brand, {})
    for name in properties(brand):
        known = NATIVE[name]
        if known.is_once:
            continue
        for value in (*values(name), *((None,) if known.clearable else ())):
            update(smartos, brand, vmadm_native.updated_with(name, read(smartos, brand, name), value))
            assert read(smartos, brand, name) == (known.absent if value is None else value), name


@pytest.mark.parametrize("brand", BRANDS)
def test_a_change_acts_on_a_running_guest_when_the_table_says_so(smartos: EmulatedHost, brand: str) -> None:
    create(smartos, brand, {}, running=True)
    for name in properties(brand):
        if NATIVE[name].is_once or name.startswith(("zfs_root", "zfs_data", "zfs_f", "zfs_s")) or name in LABELS:
            continue
        before, after = read(smartos, brand, name), values(name)[0]
        when = vmadm_native.acts(name, brand, before, after)
        if when is Acts.RESTART or before == after:
            continue
        update(smartos, brand, vmadm_native.updated_with(name, before, after))
        running = smartos.guests.guest(GUEST).running
        assert running is not None
        acted = dict(vmadm_native.read(running, brand))[PREFIX + name] == after
        assert acted is (when is Acts.LIVE), name


LABELS = frozenset(
    {
        "owner_uuid", "billing_id", "package_name", "package_version", "do_not_inventory", "archive_on_delete",
        "flexible_disk_size", "disk_driver", "nic_driver",
    }
)  # fmt: skip
"""What is only kept, or acts on datasets: a running guest has nothing of it."""


@pytest.mark.parametrize("brand", BRANDS)
def test_a_property_of_other_brands_alone_is_one_that_vmadm_refuses(smartos: EmulatedHost, brand: str) -> None:
    for name, known in NATIVE.items():
        if brand in known.brands or brand not in (ZONE_BRANDS | VM_BRANDS):
            continue
        payload = {"brand": brand, **vmadm_native.created_with(name, values(name)[0])}
        answer = smartos.run(["vmadm", "validate", "create"], json.dumps(payload).encode())
        refused = json.loads(answer.stderr).get("bad_properties", [])
        assert answer.exit_code == 1
        if name not in ALSO_A_FIELD:
            assert name in [one.partition(".")[0] for one in refused], name


ALSO_A_FIELD = frozenset({"cpu_cap", "cpu_shares", "max_physical_memory", "max_swap", "max_lwps"})
"""Native on machines, a field of a Zone."""
