"""How many commands a look at an emulated SmartOS host takes: as many for a host full of guests as for one with a few."""

from pathlib import Path

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.desired.manifest import resource
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry
from tests.passes.ground import Ground

PROVIDERS = (CROSSBOW, KVM, ZFS, ZONES)
KINDS = Registry.of(PROVIDERS).kinds
ZONE_IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"


def wanted(kind: str, name: str, spec: dict[str, object]) -> Resource:
    document = {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    found = resource(document, "hv01", Origin("hosts/hv01/a.yaml", 1, 1), KINDS)  # type: ignore[arg-type]
    assert isinstance(found, Resource), found
    return found


def company(guests: int) -> list[Resource]:
    """Links, an image and a rule, and so many guests: two zones to one virtual machine."""
    found = [
        wanted("Image", "base", {"uuid": ZONE_IMAGE}),
        wanted("Etherstub", "stub0", {}),
        wanted(
            "FirewallRule",
            "web",
            {"from": ["any"], "to": ["guest/guest0"], "action": "allow", "protocol": "tcp", "ports": [80]},
        ),
    ]
    for number in range(guests):
        nic: dict[str, object] = {"name": "net0", "over": "stub0", "ips": [f"10.0.0.{number + 1}/24"]}
        spec: dict[str, object] = {"memory": "256MiB", "pool": "zones"}
        if number % 3 == 2:
            spec |= {"engine": "bhyve", "state": "stopped", "disks": [{"name": "root", "size": "1GiB", "model": "virtio"}]}
            nic["model"] = "virtio"
            found.append(wanted("VirtualMachine", f"guest{number}", {**spec, "nics": [nic]}))
        else:
            spec |= {"brand": "joyent-minimal", "image": "base", "state": "running"}
            found.append(wanted("Zone", f"guest{number}", {**spec, "nics": [nic]}))
    return found


def asked(host: Ground, *wish: Resource) -> list[tuple[str, ...]]:
    """The commands of one plan."""
    host.host.clear_transcript()
    host.planned(*wish)
    return [call.argv for call in host.host.transcript()]


def looks(root: Path, guests: int) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The commands of a plan that finds nothing to do, and of one that is to take all guests away."""
    host = Ground(root, "smartos", providers=PROVIDERS)
    try:
        wish = company(guests)
        host.converges(*wish)
        return asked(host, *wish), asked(host, *(one for one in wish if one.key.kind in ("Image", "Etherstub")))
    finally:
        host.host.close()


def test_a_host_with_many_guests_is_asked_no_more_than_one_with_few(tmp_path: Path) -> None:
    few, few_going = looks(tmp_path / "few", 3)
    many, many_going = looks(tmp_path / "many", 60)

    assert (sorted(few), sorted(few_going)) == (sorted(many), sorted(many_going))
    assert many.count(("vmadm", "lookup", "-j")) == 1
    assert len(many) == len(set(many))
