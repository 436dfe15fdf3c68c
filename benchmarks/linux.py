"""Measures guests on a real Linux host against the native floor: a minimal shell script that does the same, in the same run.

Runs itself inside examples/linux/run.sh, on a throw-away host. Floor and ours take turns; the figure that counts is the median
of the ratios within a round. A guest is ready when it answers an HTTP request with its name, zones and virtual machines alike.
Writes its table into benchmarks/results.md.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from guests import HOST, Passes
from guests import Times as OwnTimes
from repositories import host_manifest, repository_manifest
from results import Figure, write
from turns import Times

from reconciler.controller.applying import working_state
from reconciler.controller.desired_state import DesiredReader
from reconciler.controller.installed import installed_registry
from reconciler.model.plan import PlanSource
from reconciler.source.folder import FolderSource

_ROOT = Path(__file__).resolve().parents[1]
_RUN, _IMAGES = _ROOT / "examples/linux/run.sh", _ROOT / "build/images"
sys.path.append(str(_ROOT))
from tests.real.linux_host import INSIDE, LinuxHost  # noqa: E402 - the same host as the tests have

ZONES, ZONE_BAR = 20, 1.2
MACHINE_BAR, HEADLINE, HEADLINE_S = 1.15, 60, 90
NO_OP_GUESTS, NO_OP_CPU_BAR_MS = 60, 500
AT_ONCE = 4
_PATIENCE_S = 300
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_BRIDGE = """set -e
ip link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
ip addr add 10.78.0.1/22 dev br0
ip link set br0 up
"""

_ZONE_IMAGE = """set -e
zfs create -p -o canmount=on tank/images/bb
tar -C "$(zfs get -H -o value mountpoint tank/images/bb)" -xf "$1"
zfs snapshot tank/images/bb@image
zfs create -p tank/zones
mkdir -p /run/floor
"""

_ONE_ZONE = """set -e
n=$1 ip=$2
zfs clone tank/images/bb@image tank/zones/$n
ip -batch - <<END
link add ${n}_0 type veth peer name ${n}_0g
link set ${n}_0 master br0 up
END
mkdir /var/lib/lxc/$n
cat >/var/lib/lxc/$n/config <<END
lxc.include = /usr/share/lxc/config/common.conf
lxc.rootfs.path = dir:$(zfs get -H -o value mountpoint tank/zones/$n)
lxc.uts.name = $n
lxc.init.cmd = /sbin/init
lxc.apparmor.profile = unconfined
lxc.net.0.type = phys
lxc.net.0.link = ${n}_0g
lxc.net.0.name = net0
lxc.net.0.ipv4.address = $ip/22
lxc.net.0.flags = up
lxc.cgroup.dir = $n
lxc.cgroup.memory.limit_in_bytes = 64M
END
lxc-start -P /var/lib/lxc -n $n
"""

_MACHINE_IMAGE = """set -e
zfs create -p tank/images/vm
cp --sparse=always "$1" "$(zfs get -H -o value mountpoint tank/images/vm)/disk.raw"
zfs snapshot tank/images/vm@image
zfs create -p tank/vms
mkdir -p /run/floor
"""

_ONE_MACHINE = """set -e
n=$1 ip=$2 mac=$3 seed=/run/floor/$1
zfs clone tank/images/vm@image tank/vms/$n
ip -batch - <<END
tuntap add dev ${n}_0 mode tap
link set ${n}_0 master br0 up
END
mkdir $seed
printf 'instance-id: %s\\nlocal-hostname: %s\\n' $n $n >$seed/meta-data
printf '#cloud-config\\n' >$seed/user-data
cat >$seed/network-config <<END
version: 2
ethernets:
  net0:
    match: {macaddress: "$mac"}
    addresses: ["$ip/22"]
END
genisoimage -quiet -output $seed.iso -volid cidata -joliet -rock $seed/*
cat >$seed.xml <<END
<domain type='qemu'><name>$n</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='$(zfs get -H -o value mountpoint tank/vms/$n)/disk.raw'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/>
<source file='$seed.iso'/><target dev='vdb' bus='virtio'/><readonly/></disk>
<interface type='ethernet'><mac address='$mac'/><target dev='${n}_0' managed='no'/><model type='virtio'/></interface>
<serial type='file'><source path='$seed.log'/></serial>
</devices></domain>
END
virsh -q define $seed.xml >/dev/null
virsh -q start $n >/dev/null
"""


def main() -> int:
    options = _options()
    if INSIDE not in os.environ:
        if not (_IMAGES / "vm.raw").exists():
            sys.exit("there are no images; remedy: make images")
        environment = {**os.environ, "RECONCILER_GROUND_POOL": "32G", "RECONCILER_GROUND_NAME": HOST}
        return subprocess.call([str(_RUN), sys.executable, *sys.argv], env=environment)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as scratch:
        bench = Bench(LinuxHost(Path(os.environ[INSIDE])), Path(scratch))
        if options.only in (None, "zones"):
            figures += bench.zones(options.rounds, options.zones)
        if options.only in (None, "no-op"):
            figures += asyncio.run(bench.nothing(options.rounds, NO_OP_GUESTS))
        if options.only in (None, "machines"):
            figures += bench.machines(options.machine_rounds, options.machines)
    for figure in figures:
        print(figure.row())
    if not (options.dry or options.only):
        write(
            "Guests on a Linux host",
            f"LXC and libvirt (TCG) on zfs-fuse; medians of {options.rounds} rounds (of machines {options.machine_rounds}); "
            f"floor and ours take turns, {AT_ONCE} at once in both. A guest is ready when it answers an HTTP request; "
            "CPU is that of ours with its children.",
            figures,
        )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds per figure")
    parser.add_argument("--machine-rounds", type=int, default=3, help="rounds per figure of virtual machines")
    parser.add_argument("--zones", type=int, default=ZONES, help="zones to make")
    parser.add_argument("--machines", type=int, default=10, help=f"virtual machines to make; {HEADLINE} is the headline")
    parser.add_argument("--only", choices=["zones", "no-op", "machines"], help="only these figures; nothing is written")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


class Bench:
    """Makes guests on an empty host, by us or by a script; the image is there before the clock starts."""

    def __init__(self, host: LinuxHost, scratch: Path) -> None:
        self._host = host
        self._scratch = scratch

    def zones(self, rounds: int, count: int) -> list[Figure]:
        least, ours = Times(), Times()
        for _ in range(rounds):
            self._bare(_ZONE_IMAGE, _IMAGES / "zone.tar")
            least.take(lambda: self._by_script(_ONE_ZONE, "zone", count))
            tree = self._prepared("zone", count)
            ours.take(partial(self._by_us, tree, "zone", count))
        return [ours.figure(f"{count} zones from one image, ready; floor: a script", least, ZONE_BAR)]

    def machines(self, rounds: int, count: int) -> list[Figure]:
        least, ours = Times(), Times()
        for _ in range(rounds):
            self._bare(_MACHINE_IMAGE, _IMAGES / "vm.raw")
            least.take(lambda: self._by_script(_ONE_MACHINE, "vm", count))
            tree = self._prepared("vm", count)
            ours.take(partial(self._by_us, tree, "vm", count))
        what = f"{count} virtual machines from one image, ready"
        bar_s = HEADLINE_S if count == HEADLINE else None
        return [
            ours.figure(f"{what}; floor: virsh in a script", least, MACHINE_BAR),
            Figure(f"{what} (headline: {HEADLINE} in {HEADLINE_S} s)", statistics.median(ours.wall), "s", bar_s),
        ]

    async def nothing(self, rounds: int, count: int) -> list[Figure]:
        """A pass over a host full of zones that finds nothing to do, in this process."""
        tree = self._prepared("zone", count)
        self._by_us(tree, "zone", count)
        registry, source = installed_registry(), FolderSource(tree)
        revision = source.fetch()
        desired = DesiredReader(registry).read(source, revision).desired
        times = OwnTimes()
        async with working_state(registry, self._state, lambda: datetime.now(UTC)) as (setting, connections, journal):
            passes = Passes(setting, connections, journal, desired, PlanSource("bench", revision))
            assert await passes.once() == 0
            for _ in range(rounds):
                with times.taken():
                    done = await passes.once()
                assert done == 0
        own_ms = statistics.median(times.cpu) * 1000
        what = f"{count} zones: a pass that finds nothing to do"
        return [times.figure(what), Figure(f"{what}: our own CPU", own_ms, "ms", NO_OP_CPU_BAR_MS)]

    @property
    def _state(self) -> Path:
        return self._scratch / "state"

    def _bare(self, image: str = "", source: Path | None = None) -> None:
        """A host with a bridge that has the host's own address, and with the image where a script makes it."""
        self._host.empty()
        subprocess.run(["rm", "-rf", str(self._state), "/run/floor"], check=True)
        self._host.run("sh", "-c", _BRIDGE)
        if image:
            self._host.run("sh", "-c", image, "sh", str(source))

    def _prepared(self, kind: str, count: int) -> Path:
        """A host with our image, and the tree with all guests on it."""
        self._bare()
        tree = self._scratch / f"tree-{kind}-{count}"
        host = tree / "hosts" / HOST
        host.mkdir(parents=True, exist_ok=True)
        (tree / "repository.yaml").write_text(repository_manifest("bench"))
        limits = f"  defaultPool: tank\n  limits: {{parallel: {AT_ONCE}, perPool: {AT_ONCE}}}\n"
        (host / "host.yaml").write_text(host_manifest(HOST, more=limits))
        source = _IMAGES / ("zone.tar" if kind == "zone" else "vm.raw")
        (host / "image.yaml").write_text(_IMAGE.format(type=kind, path=source))
        guests = [_GUESTS[kind].format(name=name, address=address, mac=mac) for name, address, mac in _named(kind, count)]
        (host / "guests.yaml").unlink(missing_ok=True)
        self._apply(tree)
        (host / "guests.yaml").write_text("---\n".join(guests))
        return tree

    def _apply(self, tree: Path) -> None:
        reconciler = str(Path(sys.executable).parent / "reconciler")
        done = subprocess.run(
            [reconciler, "apply", str(tree), "--yes", "--state", str(self._state)], check=False, capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"apply exited with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")

    def _by_us(self, tree: Path, kind: str, count: int) -> None:
        with _all_ready(kind, count):
            self._apply(tree)

    def _by_script(self, one: str, kind: str, count: int) -> None:
        script = self._scratch / "one.sh"
        script.write_text(one)
        lines = "\n".join(" ".join(words) for words in _named(kind, count))
        with _all_ready(kind, count):
            self._host.run("xargs", f"-P{AT_ONCE}", "-L1", "sh", str(script), stdin=lines, timeout=_PATIENCE_S)


_IMAGE = """apiVersion: reconciler/v1
kind: Image
metadata: {{name: golden}}
spec: {{type: {type}, source: {{path: {path}}}}}
"""

_GUESTS = {
    "zone": """apiVersion: reconciler/v1
kind: Zone
metadata: {{name: {name}}}
lifecycle: {{onRemoval: delete}}
spec:
  image: golden
  state: running
  memory: 64MiB
  nics:
    - {{name: net0, over: br0, ips: [{address}/22]}}
""",
    "vm": """apiVersion: reconciler/v1
kind: VirtualMachine
metadata: {{name: {name}}}
lifecycle: {{onRemoval: delete}}
spec:
  engine: qemu
  state: running
  memory: 96MiB
  cpus: 1
  disks:
    - {{name: root, image: golden, boot: true}}
  nics:
    - {{name: net0, over: br0, mac: "{mac}", ips: [{address}/22]}}
  cloudInit: {{userData: "#cloud-config\\n"}}
""",
}


def _named(kind: str, count: int) -> Iterator[tuple[str, str, str]]:
    """Name, address and MAC of each guest."""
    for number in range(count):
        yield (
            f"{kind}{number:03d}",
            f"10.78.{number // 200 + 1}.{number % 200 + 1}",
            f"02:00:00:00:{number // 200:02x}:{number % 200:02x}",
        )


@contextmanager
def _all_ready(kind: str, count: int) -> Iterator[None]:
    """What is done within makes these guests; leaves when each has answered with its name."""
    yield
    deadline = time.monotonic() + _PATIENCE_S

    def answers(guest: tuple[str, str, str]) -> bool:
        name, address, _ = guest
        while time.monotonic() < deadline:
            try:
                with _OPENER.open(f"http://{address}/", timeout=1) as answer:
                    return str(answer.read().decode().strip()) == name
            except OSError:
                time.sleep(0.02)
        return False

    guests = list(_named(kind, count))
    with ThreadPoolExecutor(count) as pool:
        missing = [guest[0] for guest, ready in zip(guests, pool.map(answers, guests), strict=True) if not ready]
    if missing:
        sys.exit(f"never ready: {', '.join(missing)}")


if __name__ == "__main__":
    sys.exit(main())
