"""Every field of Zone on a Linux host: what runs is what was stated, as the kernel and the container itself tell it."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.provider.registry import Registry
from tests.real.linux_host import CONTAINERS, LinuxHost
from tests.real.scene import Row, Scene, Told, missing
from tests.real.tree import Tree, manifest

pytestmark = pytest.mark.usefixtures("lxc")

MAC, OTHER_MAC = "02:08:20:00:00:{n:02x}", "02:08:21:00:00:{n:02x}"
MIB = 1 << 20
UNLIMITED = 1 << 62


def init(host: LinuxHost, name: str) -> int:
    """The first process of a zone that runs, another one after each start."""
    return int(host.ask("lxc-info", "-P", str(CONTAINERS), "-n", name, "-pH").stdout or 0)


def inside(*argv: str) -> Told:
    return lambda host, name: host.in_container(name, *argv).stdout.strip()


def says(place: str, *texts: str) -> Told:
    """Which of these texts a file of the running zone holds."""
    return lambda host, name: [text for text in texts if text in host.in_container(name, "cat", place).stdout]


def group(controller: str, file: str) -> Told:
    """What its control group really holds."""

    def told(host: LinuxHost, name: str) -> int | None:
        groups = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{init(host, name)}/cgroup").read_text().splitlines())
        place = groups[controller].lstrip("/")
        # The innermost group of its own may have no limits; those of the outer one hold.
        held = int(Path(f"/sys/fs/cgroup/{controller}/{place}/{file}").read_text())
        return None if held < 0 or held > UNLIMITED else held

    return told


def nic(what: str) -> Told:
    return lambda host, name: json.loads(host.in_container(name, "cat", f"/sys/class/net/net0/{what}").stdout.strip() or "null")


def port(host: LinuxHost, name: str) -> str:
    """The link of the host that is its nic's."""
    links = host.links()
    found = [one for one, shown in links.items() if f"Zone/{name}:" in shown.get("ifalias", "") and f"{one}i" in links]
    found = found or [one for one, shown in links.items() if f"Zone/{name}:" in shown.get("ifalias", "")]
    return found[0] if len(found) == 1 else f"{len(found)} ports"


def rules(host: LinuxHost, name: str) -> str:
    blocks = host.run("nft", "list", "ruleset", "netdev").split("chain ")
    return "".join(block for block in blocks if f'device "{port(host, name)}"' in block)


def drops(words: str) -> Told:
    """Whether a rule of the port drops what these words are about; one that only counts does not."""
    return lambda host, name: any(words in line and " drop" in line for line in rules(host, name).splitlines())


def lets_pass(*addresses: str) -> Told:
    return lambda host, name: [one for one in addresses if f"ip saddr != {one} " in rules(host, name)]


def limit(host: LinuxHost, name: str) -> Any:
    shown = json.loads(host.ask("tc", "-j", "qdisc", "show", "dev", port(host, name)).stdout or "[]")
    return next((one["options"]["rate"] * 8 for one in shown if one["kind"] == "tbf"), None)


def prop(name: str) -> Told:
    return lambda host, zone: int(host.run("zfs", "get", "-Hp", "-o", "value", name, f"tank/zones/{zone}"))


def routed(*texts: str) -> Told:
    return lambda host, name: [text for text in texts if text in host.in_container(name, "ip", "route").stdout]


def mounted(*sources: str) -> Told:
    """Which of these folders of the host is /mnt in the zone."""
    return lambda host, name: [
        place for place in sources if f" {place} /mnt " in host.in_container(name, "cat", "/proc/self/mountinfo").stdout
    ]


def config(key: str) -> Told:
    """The lines of that key in its config."""

    def told(host: LinuxHost, name: str) -> list[str]:
        lines = (CONTAINERS / name / "config").read_text().splitlines()
        return [line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == f"lxc.{key}"]

    return told


def _kept(field: str) -> Row:
    """What is for the host's operators: it stands in the config."""
    one, two = f"one-{field}", f"two-{field}"

    def told(host: LinuxHost, name: str) -> list[str]:
        return [text for text in (one, two) if text in (CONTAINERS / name / "config").read_text()]

    return Row(field, ({"key": one}, {"key": two}), told, ([one], [two]), [])


def _native(name: str, one: Any, two: Any) -> Row:
    def shown(value: Any) -> list[str]:
        return [str(int(value) if isinstance(value, bool) else value)]

    return Row(f"native.lxc.{name}", (one, two), config(name), (shown(one), shown(two)), [])


SETTINGS = (
    Row("autoboot", (True, False), config("start.auto"), (["1"], ["0"])),
    Row("hostname", ("host-one", "host-two"), inside("hostname"), ("host-one", "host-two")),
    Row("quota", ("1GiB", "2GiB"), prop("quota"), (1 << 30, 2 << 30), 0),
    _kept("metadata"),
    _kept("internalMetadata"),
    _kept("tags"),
)

RESOLVING = (
    Row(
        "dnsDomain",
        ("one.test", "two.test"),
        says("/etc/resolv.conf", "one.test", "two.test"),
        (["one.test"], ["two.test"]),
        [],
    ),
    Row(
        "resolvers", (["9.9.9.9"], ["1.1.1.1"]), says("/etc/resolv.conf", "9.9.9.9", "1.1.1.1"), (["9.9.9.9"], ["1.1.1.1"]), []
    ),
)

LIMITS = (
    Row("memory", ("64MiB", "96MiB"), group("memory", "memory.limit_in_bytes"), (64 * MIB, 96 * MIB)),
    Row("swap", ("128MiB", "160MiB"), group("memory", "memory.memsw.limit_in_bytes"), (128 * MIB, 160 * MIB)),
    Row("cpuCap", (50, 150), group("cpu", "cpu.cfs_quota_us"), (50_000, 150_000), None),
    Row("cpuShares", (50, 200), group("cpu", "cpu.shares"), (512, 2048)),
    Row("maxTasks", (50, 70), group("pids", "pids.max"), (50, 70)),
)

NICS = (
    (
        Row("nics[].over", ("br0", "br1"), lambda host, name: host.links()[port(host, name)].get("master"), ("br0", "br1"),
            required=True),
        Row("nics[].mac", (MAC, OTHER_MAC), inside("cat", "/sys/class/net/net0/address"), (MAC, OTHER_MAC)),
        Row("nics[].mtu", (1400, 1300), nic("mtu"), (1400, 1300), 1500),
        Row("nics[].maxBandwidth", ("10Mbps", "200Mbps"), limit, (10_000_000, 200_000_000), None),
    ),
    (
        Row("nics[].ips", (["10.2.2.1/16"], ["10.2.2.2/16"]), lets_pass("10.2.2.1", "10.2.2.2"), (["10.2.2.1"], ["10.2.2.2"])),
        Row("nics[].gateways", (["10.2.0.1"], ["10.2.0.2"]), routed("default via 10.2.0.1 ", "default via 10.2.0.2 "),
            (["default via 10.2.0.1 "], ["default via 10.2.0.2 "]), []),
        Row("routes", ([{"to": "10.7.0.0/16", "via": "10.2.3.7"}], [{"to": "10.8.0.0/16", "via": "10.2.3.8"}]),
            routed("10.7.0.0/16 via 10.2.3.7 ", "10.8.0.0/16 via 10.2.3.8 "),
            (["10.7.0.0/16 via 10.2.3.7 "], ["10.8.0.0/16 via 10.2.3.8 "]), []),
    ),
    (
        Row("nics[].allow.macSpoofing", (True, False), drops("ether saddr != 02:"), (False, True)),
        Row("nics[].allow.dhcpSpoofing", (True, False), drops("udp sport 67 "), (False, True)),
        Row("nics[].allow.restrictedTraffic", (True, False), drops("meta protocol != "), (False, True)),
        Row("nics[].allow.ips", (["10.9.0.7"], ["10.9.1.7"]), lets_pass("10.9.0.7", "10.9.1.7"), (["10.9.0.7"], ["10.9.1.7"])),
    ),
    (
        Row("nics[].allow.ipSpoofing", (True, False), drops("ip saddr != "), (False, True),
            beside={"nics[].ips": ["10.2.0.9/16"]}),
        Row("nics[].primary", (True, True), lambda host, name: True, (True, True)),
    ),
)  # fmt: skip

MOUNTS = (
    Row("mounts[].source", ("/opt", "/srv"), mounted("/opt", "/srv"), (["/opt"], ["/srv"]), required=True),
    Row("mounts[].readOnly", (True, False), inside("sh", "-c", "touch /mnt/.tried || echo no"), ("no", "")),
)

NATIVE = (
    _native("init.cmd", "/sbin/init", "/sbin/init two"),
    _native("init.cwd", "/", "/tmp"),
    _native("environment", "A=1", "A=2"),
    _native("cap.drop", "mknod", "sys_time"),
    _native("seccomp.profile", "/usr/share/lxc/config/common.seccomp", "/dev/null"),
    _native("no_new_privs", True, False),
    _native("signal.halt", "SIGTERM", "SIGPWR"),
    _native("signal.reboot", "SIGINT", "SIGHUP"),
    _native("signal.stop", "SIGKILL", "SIGTERM"),
    _native("tty.max", 1, 2),
    _native("pty.max", 10, 20),
    _native("start.delay", 1, 2),
    _native("start.order", 10, 20),
    _native("log.level", "WARN", "INFO"),
)

FIXED = {"uuid", "brand", "pool", "zonePath", "image", "imageUpdate", "nics[].link"}
"""What is chosen when a zone is made."""

ELSEWHERE = {"state", "nics[]", "mounts[]", "datasets[]", "firewallEnabled", "nics[].vnic"}
"""What test_zones.py and test_firewall.py are about."""

NATIVE_ELSEWHERE = {"init.uid", "init.gid", "cap.keep", "apparmor.profile", "mount.auto"}
"""What needs a root or a host of its own."""

LACKING: dict[str, Any] = {
    "brand": "joyent",
    "delegatedDataset": True,
    "kernelVersion": "4.3.0",
    "maxProcesses": 100,
    "nics[].model": "virtio",
    "nics[].vlan": 7,
}
"""Fields, or values of them, that this host has not got."""

BASE = {"image": "bb", "memory": "64MiB", "nics": [{"name": "net0", "over": "br0"}]}
GROUPS = (SETTINGS, LIMITS, *NICS, MOUNTS)


@pytest.fixture
def bridges(host: LinuxHost) -> None:
    for name in ("br0", "br1"):
        host.run("ip", "link", "add", name, "type", "bridge")
        host.run("ip", "link", "set", name, "up")


@pytest.fixture
def image(zone_tarball: Path) -> dict[str, Any]:
    return manifest("Image", "bb", {"type": "zone", "source": {"path": str(zone_tarball)}})


@pytest.mark.usefixtures("bridges")
def test_every_field_of_a_zone_acts_as_its_plan_promised(tree: Tree, image: dict[str, Any]) -> None:
    base = {**BASE, "mounts": [{"target": "/mnt", "source": "/opt"}]}
    scene = Scene.of(tree, "Zone", GROUPS, base, "z", around=(image,), boot=init)

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
def test_where_a_zone_looks_names_up_acts_as_its_plan_promised(tree: Tree, image: dict[str, Any]) -> None:
    scene = Scene.of(tree, "Zone", (RESOLVING,), BASE, "z", around=(image,), boot=init)

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
def test_every_native_setting_of_a_zone_reaches_its_config(tree: Tree, image: dict[str, Any]) -> None:
    scene = Scene.of(tree, "Zone", (NATIVE,), {**BASE, "state": "stopped"}, "z", around=(image,))

    scene.run()

    assert scene.findings == [], "\n".join(scene.findings)


@pytest.mark.usefixtures("bridges")
@pytest.mark.parametrize("field", LACKING)
def test_what_this_host_has_not_got_is_refused_in_the_plan(tree: Tree, image: dict[str, Any], field: str) -> None:
    head, _, rest = field.rpartition("[].")
    spec = {**BASE, head: [{**BASE["nics"][0], rest: LACKING[field]}]} if head else {**BASE, rest: LACKING[field]}  # type: ignore[dict-item,index]
    tree.write(image, manifest("Zone", "z1", spec))

    planned = tree.plan()

    assert planned.exit_code == 3
    assert planned.blocked == [("unsupported", "Zone/z1")]
    (blocked,) = planned.document["hosts"][0]["blocked"]
    stated = (tree.folder / blocked["origin"]["path"]).read_text().splitlines()[blocked["origin"]["line"] - 1]
    assert f'"{rest}"' in stated
    assert blocked["cause"]
    assert blocked["remedy"]


def test_no_field_is_missing_from_the_tables(registry: Registry) -> None:
    tabled = {row.field for rows in (*GROUPS, RESOLVING, NATIVE) for row in rows}
    elsewhere = {*ELSEWHERE, *(f"native.lxc.{name}" for name in NATIVE_ELSEWHERE)}
    known = [name for name in registry.kinds["Zone"].every_rule if not name.startswith("native.smartos")]

    assert missing(known, tabled, FIXED, elsewhere, LACKING) == []
