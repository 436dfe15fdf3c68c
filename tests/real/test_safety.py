"""What is not ours stays as it is on a real Linux host, whatever a manifest, a cut or somebody's hand makes of its name."""

from pathlib import Path
from typing import Any

import pytest

from tests.real.linux_host import CONTAINERS, LinuxHost
from tests.real.tree import Tree, manifest


@pytest.fixture
def image(host: LinuxHost, zone_root: Path) -> str:
    """A golden root, by hand."""
    host.run("zfs", "create", "-p", "-o", f"mountpoint={host.scratch}/bb", "tank/images/bb")
    host.run("cp", "-a", f"{zone_root}/.", f"{host.scratch}/bb/")
    host.run("zfs", "snapshot", "tank/images/bb@image")
    return "bb"


def zone(name: str = "web1", lifecycle: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return manifest("Zone", name, {"image": "bb", **spec}, lifecycle=lifecycle or {})


def foreign(host: LinuxHost, dataset: str) -> Path:
    """Somebody's dataset with a file in it."""
    place = host.scratch / dataset.replace("/", "-")
    host.run("zfs", "create", "-p", "-o", f"mountpoint={place}", dataset)
    (place / "precious").write_text("mine\n")
    return place / "precious"


@pytest.mark.usefixtures("lxc", "image")
def test_somebodys_dataset_does_not_become_a_root(tree: Tree) -> None:
    precious = foreign(tree.host, "tank/zones/web1")
    tree.write(zone(), manifest("Dataset", "tank/other"))
    assert tree.apply().exit_code != 0
    assert "a dataset tank/zones/web1 that is not ours" in tree.apply().trouble
    assert precious.read_text() == "mine\n"

    tree.converges(manifest("Dataset", "tank/other"))

    assert precious.read_text() == "mine\n"
    assert tree.host.containers() == ()
    tree.host.run("zfs", "destroy", "tank/zones/web1")


@pytest.mark.usefixtures("lxc", "image")
def test_a_root_that_somebody_put_in_place_of_ours_is_not_destroyed(tree: Tree) -> None:
    tree.converges(zone(state="stopped"), manifest("Dataset", "tank/other"))
    tree.host.run("zfs", "destroy", "tank/zones/web1")
    precious = foreign(tree.host, "tank/zones/web1")

    tree.write(manifest("Dataset", "tank/other"))

    assert "its root tank/zones/web1 does not bear our mark" in tree.apply().trouble
    assert precious.read_text() == "mine\n"


@pytest.mark.usefixtures("lxc", "image")
def test_a_zone_is_not_renamed_onto_somebodys_dataset(tree: Tree) -> None:
    tree.converges(zone(state="stopped"))
    precious = foreign(tree.host, "tank/zones/web2")
    renamed = zone("web2", state="stopped")
    renamed["metadata"]["movedFrom"] = "web1"
    tree.write(renamed)

    assert tree.apply().exit_code != 0
    assert tree.apply().exit_code != 0

    assert precious.read_text() == "mine\n"
    tree.host.run("zfs", "unmount", "tank/zones/web2")
    tree.host.run("zfs", "rename", "tank/zones/web2", "tank/aside")
    tree.host.ask("zfs", "mount", "tank/aside")
    tree.converges()
    assert (precious.read_text(), tree.host.containers()) == ("mine\n", ("web2",))


@pytest.mark.usefixtures("lxc", "image")
def test_a_zone_whose_root_has_snapshots_goes_only_with_permission_and_never_with_holds(tree: Tree) -> None:
    other = manifest("Dataset", "tank/other")
    tree.converges(zone(), other)
    tree.host.run("zfs", "snapshot", "tank/zones/web1@mine")

    tree.write(other)
    assert tree.apply().blocked == [("dataAtRisk", "Zone/web1")]
    tree.converges(zone(lifecycle={"deleteSnapshots": True}), other)
    tree.host.run("zfs", "hold", "mine", "tank/zones/web1@mine")
    tree.write(other)
    assert tree.apply().blocked == [("dependents", "Zone/web1")]
    assert tree.host.run("lxc-info", "-P", str(CONTAINERS), "-n", "web1", "-sH") == "RUNNING\n"

    tree.host.run("zfs", "release", "mine", "tank/zones/web1@mine")
    tree.converges()
    assert "tank/zones/web1" not in tree.host.datasets()


@pytest.mark.usefixtures("lxc", "image")
def test_somebodys_link_that_a_nic_names_stays(tree: Tree) -> None:
    tree.host.run("ip", "link", "add", "lan0", "type", "bridge")
    tree.write(
        manifest("Etherstub", "br0"),
        zone(nics=[{"name": "net0", "over": "br0", "link": "lan0"}]),
        manifest("Dataset", "tank/o"),
    )
    assert tree.apply().exit_code != 0

    tree.converges(manifest("Dataset", "tank/o"))
    assert "lan0" in tree.host.links()


@pytest.mark.usefixtures("lxc", "image")
def test_what_a_zone_planted_leads_no_write_out_of_its_root(tree: Tree, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    spec = {"resolvers": ["10.0.0.1"], "hostname": "web1"}
    tree.converges(zone(state="stopped", **spec))
    inside = CONTAINERS / "web1/rootfs/etc"
    for name in ("resolv.conf", "hostname"):
        (inside / name).unlink(missing_ok=True)
        (inside / name).symlink_to(outside)

    tree.converges(zone(state="running", **spec))

    assert list(outside.iterdir()) == []


DATA = {"name": "data", "size": "1MiB"}
ROOT = {"name": "root", "size": "1MiB"}


def machine(*disks: dict[str, Any]) -> dict[str, Any]:
    return manifest("VirtualMachine", "vm1", {"memory": "64MiB", "state": "stopped", "disks": [ROOT, *disks]})


def disk_of(name: str) -> Path:
    return Path(f"/var/lib/libvirt/images/vm1/{name}/disk.raw")


@pytest.mark.usefixtures("libvirt")
def test_somebodys_dataset_in_a_machines_own_does_not_become_its_disk(tree: Tree) -> None:
    tree.converges(machine())
    tree.host.run("zfs", "create", "tank/vms/vm1/data")
    disk_of("data").write_text("mine\n")

    tree.write(machine(DATA))
    assert tree.apply().exit_code != 0

    assert disk_of("data").read_text() == "mine\n"


@pytest.mark.usefixtures("libvirt")
def test_a_copy_of_a_machines_disks_does_not_go_with_it(tree: Tree) -> None:
    tree.converges(machine())
    tree.host.run("zfs", "snapshot", "-r", "tank/vms/vm1@b")
    tree.host.run("sh", "-c", "zfs send -R tank/vms/vm1@b | zfs receive -u tank/vms/backup")
    for snapshot in ("vm1@b", "vm1/root@b", "backup@b", "backup/root@b"):
        tree.host.run("zfs", "destroy", f"tank/vms/{snapshot}")

    tree.converges(manifest("Dataset", "tank/other"))

    assert tree.host.datasets() == ("tank/other", "tank/vms", "tank/vms/backup", "tank/vms/backup/root")


@pytest.mark.usefixtures("libvirt")
def test_snapshots_of_a_disk_go_only_with_permission(tree: Tree) -> None:
    tree.converges(machine({**DATA, "onRemoval": "delete"}))
    tree.host.run("zfs", "snapshot", "tank/vms/vm1/data@keep")

    tree.write(machine())
    assert "nothing says that they may go with it" in tree.apply().trouble
    assert "tank/vms/vm1/data@keep" in tree.host.datasets()

    tree.converges()
    kept = [name for name in tree.host.datasets() if name.endswith("@keep")]
    assert [name.rpartition("/")[0] for name in kept] == ["tank/.reconciler-detached"]


@pytest.mark.usefixtures("libvirt")
def test_a_disk_put_aside_stays_when_another_of_its_name_follows(tree: Tree) -> None:
    for _ in range(2):
        tree.converges(machine(DATA))
        tree.converges(machine())

    assert len([name for name in tree.host.datasets() if name.startswith("tank/.reconciler-detached/")]) == 2


def test_what_is_mounted_where_an_image_is_to_be_is_not_emptied(tree: Tree, tmp_path: Path) -> None:
    place = Path("/var/lib/reconciler-images/tank/bb")
    tree.host.run("zfs", "create", "-o", f"mountpoint={place}", "tank/precious")
    (place / "precious").write_text("mine\n")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/file").write_text("")

    tree.write(manifest("Image", "bb", {"type": "zone", "source": {"path": str(tmp_path / "root")}}))
    assert tree.apply().exit_code != 0

    assert (place / "precious").read_text() == "mine\n"


@pytest.mark.usefixtures("libvirt")
def test_a_volume_that_somebodys_machine_uses_stays(tree: Tree) -> None:
    other = manifest("Dataset", "tank/other")
    tree.converges(manifest("Volume", "tank/disk0", {"size": "1MiB"}), other)
    disk = "<disk type='file'><source file='/var/lib/reconciler-volumes/tank/disk0/volume.raw'/><target dev='vda'/></disk>"
    system = "<memory>65536</memory><os><type>hvm</type></os>"
    xml = f"<domain type='qemu'><name>hand</name>{system}<devices>{disk}</devices></domain>"
    tree.host.run("virsh", "-q", "define", "/dev/stdin", stdin=xml)

    tree.write(other)

    assert tree.apply().blocked == [("dependents", "Volume/tank/disk0")]
