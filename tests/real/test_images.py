"""Images on a real Linux host: every source and type, what is refused, what is cut short, what is in use."""

import hashlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from providers.zones import PROVIDER
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import REMOVAL
from reconciler.provider.checks import backend_for, check_probes, check_reading, look
from reconciler.provider.contract import Backend
from reconciler.provider.life import Sample, check_life
from tests.real.linux_host import POOL, LinuxHost, until
from tests.real.tree import Tree, manifest

MIB = 1 << 20
SNAPSHOT = f"{POOL}/images/{{}}@image"


def image(name: str, type_: str, **spec: Any) -> dict[str, Any]:
    return manifest("Image", name, {"type": type_, **spec})


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of files with what a copy easily loses."""
    made = tmp_path / "root"
    (made / "bin").mkdir(parents=True)
    (made / "bin/tool").write_bytes(b"tool")
    (made / "bin/tool").chmod(0o4755)
    (made / "bin/link").symlink_to("/bin/tool")
    os.link(made / "bin/tool", made / "bin/twin")
    (made / "owned").write_text("x")
    os.chown(made / "owned", 1234, 2345)
    return made


@pytest.fixture
def tarball(root: Path, tmp_path: Path) -> Path:
    made = tmp_path / "root.tar.gz"
    subprocess.run(["tar", "-C", str(root), "-czf", str(made), "."], check=True)
    return made


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk image of 4 MiB with something at its beginning and end."""
    made = tmp_path / "disk.raw"
    with made.open("wb") as file:
        file.write(os.urandom(MIB))
        file.seek(4 * MIB - 4096)
        file.write(os.urandom(4096))
    return made


def content(host: LinuxHost, name: str, tmp_path: Path) -> Path:
    """A clone of an image, mounted, so that its content can be looked at."""
    place = tmp_path / f"clone-{name}"
    host.run("zfs", "clone", "-o", f"mountpoint={place}", SNAPSHOT.format(name), f"{POOL}/look-{name}")
    return place


def is_whole(host: LinuxHost, name: str) -> bool:
    dataset = f"{POOL}/images/{name}"
    holds = host.run("zfs", "get", "-H", "-o", "value", "userrefs", f"{dataset}@image").strip()
    values = host.run("zfs", "get", "-H", "-o", "value", "mounted,readonly,dev.reconciler:image-making", dataset).split()
    return holds == "1" and values == ["no", "on", "-"]


def check_root(place: Path) -> None:
    tool = place / "bin/tool"
    assert tool.read_bytes() == b"tool"
    assert tool.stat().st_mode & 0o7777 == 0o4755
    assert tool.stat().st_ino == (place / "bin/twin").stat().st_ino
    assert (place / "bin/link").readlink() == Path("/bin/tool")
    assert ((place / "owned").stat().st_uid, (place / "owned").stat().st_gid) == (1234, 2345)


def test_a_root_of_a_zone_comes_whole_from_a_tree_a_tarball_and_a_dataset(
    host: LinuxHost, tree: Tree, root: Path, tarball: Path, tmp_path: Path
) -> None:
    host.run("zfs", "create", f"{POOL}/golden")
    place = Path(host.run("zfs", "get", "-H", "-o", "value", "mountpoint", f"{POOL}/golden").strip())
    subprocess.run(["cp", "-a", f"{root}/.", str(place)], check=True)
    host.run("zfs", "snapshot", f"{POOL}/golden@v1")

    tree.converges(
        image("tree", "zone", source={"path": str(root)}, os="linux"),
        image("tar", "zone", source={"path": str(tarball)}, sha256=sha256(tarball)),
        image("dataset", "zone", source={"dataset": f"{POOL}/golden@v1"}),
    )

    for name in ("tree", "tar", "dataset"):
        assert is_whole(host, name)
        check_root(content(host, name, tmp_path))
    seen = tree.observe()
    assert seen["Image/tree"]["fields"]["os"] == "linux"
    assert seen[f"Dataset/{POOL}/images/tree"]["belongsTo"] == "Image/tree"


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("raw", ()),
        ("qcow2", ("-c",)),
        ("vmdk", ("-o", "subformat=streamOptimized")),
        ("vmdk", ()),
        ("vpc", ("-o", "force_size=on")),
        ("vpc", ("-o", "subformat=fixed,force_size=on")),
        ("vhdx", ()),
        ("vdi", ()),
    ],
)
def test_a_disk_keeps_its_content_hash_through_every_format(
    host: LinuxHost, tree: Tree, disk: Path, tmp_path: Path, form: str, options: tuple[str, ...]
) -> None:
    packed = tmp_path / f"packed.{form}"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", form, *options, str(disk), str(packed)], check=True)

    tree.converges(image("disk", "vm", source={"path": str(packed)}, sha256=sha256(packed)))

    assert is_whole(host, "disk")
    unpacked = content(host, "disk", tmp_path) / "disk.raw"
    assert sha256(unpacked) == sha256(disk)
    assert unpacked.stat().st_blocks * 512 < 3 * MIB, "what was empty takes no space"


def make_backed(folder: Path, disk: Path) -> Path:
    made = folder / "backed.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(disk), str(made)], check=True)
    return made


def make_external(folder: Path, _disk: Path) -> Path:
    made = folder / "external.qcow2"
    options = f"data_file={folder}/external.data"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, str(made), "1M"], check=True)
    return made


def make_flat(folder: Path, disk: Path) -> Path:
    made = folder / "flat.vmdk"
    options = ["-O", "vmdk", "-o", "subformat=monolithicFlat"]
    subprocess.run(["qemu-img", "convert", "-f", "raw", *options, str(disk), str(made)], check=True)
    return made


def make_compressed(folder: Path, disk: Path) -> Path:
    subprocess.run(["gzip", "-k", str(disk)], check=True)
    return folder / f"{disk.name}.gz"


def make_damaged(folder: Path, disk: Path) -> Path:
    made = folder / "damaged.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk), str(made)], check=True)
    with made.open("r+b") as file:
        file.seek(3 << 16)
        file.write(b"\xff" * 4096)
    return made


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_backed, "backing file"),
        (make_external, "data in another file"),
        (make_flat, "data in other files"),
        (make_compressed, "compressed"),
        (make_damaged, "damaged"),
    ],
)
def test_a_disk_that_does_not_stand_alone_or_is_none_makes_nothing(
    host: LinuxHost, tree: Tree, disk: Path, tmp_path: Path, make: Any, said: str
) -> None:
    tree.write(image("disk", "vm", source={"path": str(make(tmp_path, disk))}))

    refused = tree.apply()

    assert refused.exit_code != 0
    assert said in refused.out
    assert host.datasets() == ()


def test_a_wrong_checksum_makes_nothing_and_says_both(host: LinuxHost, tree: Tree, tarball: Path) -> None:
    tree.write(image("bad", "zone", source={"path": str(tarball)}, sha256="0" * 64))

    refused = tree.apply()

    assert refused.exit_code != 0
    assert sha256(tarball) in refused.out
    assert "0" * 64 in refused.out
    assert host.datasets() == ()
    tree.converges(image("bad", "zone", source={"path": str(tarball)}, sha256=sha256(tarball)))


class Server(ThreadingHTTPServer):
    """Serves one file; the first `cuts` answers end after 300 kB. Keeps what was asked for."""

    def __init__(self, file: Path, cuts: int) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.file, self.cuts = file, cuts
        self.ranges: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{self.file.name}"


class _Answer(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        data = self.server.file.read_bytes()
        asked = self.headers.get("Range", "")
        self.server.ranges.append(asked)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if begin >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data) - begin))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if self.server.cuts > 0:
            self.server.cuts -= 1
            self.wfile.write(data[begin : begin + 300_000])
            self.wfile.flush()
            self.connection.close()
        else:
            self.wfile.write(data[begin:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Any]:
    servers = []

    def begin(file: Path, cuts: int = 0) -> Server:
        servers.append(Server(file, cuts))
        return servers[-1]

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_download_that_is_cut_goes_on_where_it_was(
    host: LinuxHost, tree: Tree, disk: Path, tmp_path: Path, serve: Any
) -> None:
    server = serve(disk, cuts=2)

    tree.converges(image("disk", "vm", source={"url": server.url}, sha256=sha256(disk)))

    assert server.ranges == ["", "bytes=300000-", "bytes=600000-"]
    assert sha256(content(host, "disk", tmp_path) / "disk.raw") == sha256(disk)
    place = host.run("zfs", "get", "-H", "-o", "value", "mountpoint", f"{POOL}/images").strip()
    assert os.listdir(place) == [], "the download is gone"


def test_a_later_pass_goes_on_with_what_an_earlier_one_downloaded(host: LinuxHost, tree: Tree, disk: Path, serve: Any) -> None:
    server = serve(disk, cuts=1000)
    tree.write(image("disk", "vm", source={"url": server.url}, sha256=sha256(disk)))

    cut = tree.apply()
    server.cuts = 0
    server.ranges.clear()

    assert cut.exit_code != 0
    assert "what came is kept" in cut.out
    tree.converges()
    assert server.ranges[0].startswith("bytes=1500000")
    assert is_whole(host, "disk")


def test_a_download_with_another_checksum_makes_nothing(host: LinuxHost, tree: Tree, disk: Path, serve: Any) -> None:
    server = serve(disk)
    tree.write(image("disk", "vm", source={"url": server.url}, sha256="1" * 64))

    refused = tree.apply()

    assert refused.exit_code != 0
    assert sha256(disk) in refused.out
    assert host.datasets() == (f"{POOL}/images",)


def test_an_image_that_something_is_made_of_stays_and_the_plan_says_by_what(
    host: LinuxHost, tree: Tree, root: Path, tmp_path: Path
) -> None:
    tree.converges(image("used", "zone", source={"path": str(root)}))
    content(host, "used", tmp_path)
    tree.write()

    plan = tree.plan()

    assert plan.blocked == [("dependents", "Image/used")], plan.out
    assert f"{POOL}/look-used" in plan.out
    host.run("zfs", "destroy", f"{POOL}/look-used")
    tree.converges()
    host.must_be_empty()


def test_what_holds_images_stays_where_somebody_else_made_it(host: LinuxHost, tree: Tree, root: Path) -> None:
    host.run("zfs", "create", f"{POOL}/images")
    tree.converges(image("bb", "zone", source={"path": str(root)}))
    tree.write()

    tree.converges()

    assert host.datasets() == (f"{POOL}/images",)


def test_an_image_is_renamed_and_stays_whole(host: LinuxHost, tree: Tree, root: Path, tmp_path: Path) -> None:
    tree.converges(image("old", "zone", source={"path": str(root)}))

    # Not with clones: zfs-fuse then finds it busy, more often than not; ZFS elsewhere does not.
    tree.converges({**image("new", "zone", source={"path": str(root)}), "metadata": {"name": "new", "movedFrom": "old"}})

    assert is_whole(host, "new")
    check_root(content(host, "new", tmp_path))


def ask(command: Command) -> Completed:
    done = subprocess.run(command.argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if "busy" in done.stderr:
        time.sleep(0.05)
    return Completed(command, Ending.EXITED, done.returncode, done.stdout, done.stderr)


def backend() -> Backend:
    return backend_for(PROVIDER, HostFacts("Linux", "", "", "boot", {}), ask)


@pytest.mark.parametrize("stop_after", [None, 1, 4, 5, 7, 8, 9])
@pytest.mark.usefixtures("host")
def test_an_image_is_made_whole_after_a_cut_at_any_command(
    tarball: Path, disk: Path, root: Path, serve: Any, stop_after: int | None
) -> None:
    sources = {
        "zone": {"source.path": str(tarball)},
        "vm": {"source.url": serve(disk).url, "sha256": sha256(disk)},
    }
    for type_, source in sources.items():
        sample = Sample(ObjectName("Image", type_), {"type": type_, "pool": POOL}, created_with=source, system="Linux")
        check_life(PROVIDER, backend(), ask, sample, stop_after=stop_after)


@pytest.mark.usefixtures("host")
def test_a_removal_that_was_cut_at_any_command_is_finished(host: LinuxHost, tree: Tree, root: Path) -> None:
    for number in (1, 2):
        tree.converges(image("bb", "zone", source={"path": str(root)}))
        (seen,) = look(backend(), ask, [one for one in PROVIDER.kinds if one.name == "Image"], {REMOVAL})
        steps = backend().steps(Change(Key("h", "Image", "bb"), Verb.DELETE, observed=seen))
        for step in steps[:number]:
            assert ask(step.command).succeeded
        tree.write()
        tree.converges()
    host.must_be_empty()


@pytest.mark.usefixtures("host")
def test_answers_are_read_strictly(tree: Tree, root: Path) -> None:
    tree.converges(image("bb", "zone", source={"path": str(root)}))

    check_probes(PROVIDER, backend())
    check_reading(PROVIDER, backend(), ask)


@pytest.mark.usefixtures("libvirt")
def test_a_disk_made_with_dd_boots_as_an_image(host: LinuxHost, tree: Tree, vm_disk: Path, tmp_path: Path) -> None:
    copied, seed = tmp_path / "copied", tmp_path / "seed"
    subprocess.run(["dd", f"if={vm_disk}", f"of={copied}", "bs=1M", "status=none"], check=True)
    tree.converges(image("disk", "vm", source={"path": str(copied)}))
    booted = content(host, "disk", tmp_path) / "disk.raw"
    seed.mkdir()
    (seed / "meta-data").write_text("instance-id: vm1\nlocal-hostname: vm1\n")
    (seed / "network-config").write_text('{"version": 2, "ethernets": {"net0": {"addresses": ["10.0.2.15/24"]}}}')
    iso, log, monitor = (str(tmp_path / name) for name in ("seed.iso", "console", "monitor"))
    subprocess.run(["genisoimage", "-quiet", "-output", iso, "-volid", "cidata", "-joliet", "-rock", str(seed)], check=True)

    machine = host.start(
        *(
            "qemu-system-x86_64",
            "-machine",
            "pc",
            "-accel",
            "tcg,thread=single",
            "-m",
            "128",
            "-nodefaults",
            "-display",
            "none",
        ),
        *("-serial", f"file:{log}", "-monitor", f"unix:{monitor},server=on,wait=off"),
        *("-drive", f"file={booted},format=raw,if=virtio", "-drive", f"file={iso},format=raw,if=virtio,readonly=on"),
        *("-nic", "user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:8080-10.0.2.15:80"),
    )

    console = Path(log)
    until(console.exists, lambda: "the machine does not start")
    until(lambda: "RECON-READY name=vm1" in console.read_text(), console.read_text, 60)
    assert host.run("busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/").strip() == "vm1"
    with socket.socket(socket.AF_UNIX) as connected:
        connected.connect(monitor)
        connected.sendall(b"system_powerdown\n")
        machine.wait(30)


def test_a_hold_that_somebody_released_comes_back(host: LinuxHost, tree: Tree, root: Path) -> None:
    tree.converges(image("bb", "zone", source={"path": str(root)}))
    host.run("zfs", "release", "reconciler", SNAPSHOT.format("bb"))

    tree.is_repaired("Image/bb")

    assert is_whole(host, "bb")


def test_what_linux_lacks_is_refused_with_its_remedy(tree: Tree) -> None:
    tree.write(manifest("Image", "x", {"uuid": "0b2f6c0e-5d0c-4e0b-9a51-0f3f0c9d5b11", "type": "zone"}))
    by_uuid = tree.plan()
    tree.write(manifest("Image", "x", {"source": {"path": "/x"}}))
    no_type = tree.plan()

    assert "state source" in json.dumps(by_uuid.document)
    assert "state type: zone, or type: vm" in json.dumps(no_type.document)
