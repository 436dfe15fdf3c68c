"""Zones on Linux: what the host's own output says of them, and the commands of each change."""

import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.tools import lxc_errors
from providers.tools.lxc import FACTS, start
from providers.tools.lxc_config import read_config
from providers.tools.lxc_listing import Listing, read_listing
from providers.tools.zfs_rows import read_rows
from providers.zones.linux_config import read_fields, with_field, with_hooks
from providers.zones.linux_host import LxcHost, lxc_host
from providers.zones.linux_reading import ROOT_PROPERTIES, read_zone, surroundings
from providers.zones.linux_refusals import refusal
from providers.zones.linux_steps import steps
from reconciler.model.change import Change, Effect, FieldChange, Verb
from reconciler.model.command import Completed, Ending, RetryClass
from reconciler.model.errors import ReadError, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Value

_OUTPUT = Path(__file__).parent / "output/lxc-5.0.2"
_HOST = LxcHost("/var/lib/lxc", pools=("tank",))
_MARK = Mark("tests", ObjectName("Zone", "web1"), "host-id", on_removal=OnRemoval.DELETE)


def recorded() -> str:
    return (_OUTPUT / "zones.txt").read_text()


def zones(text: str | None = None, *, with_roots: bool = True) -> dict[str, Observed]:
    listing: Listing = read_listing(text if text is not None else recorded())
    rows = read_rows((_OUTPUT / "roots.txt").read_text(), ROOT_PROPERTIES) if with_roots else None
    around = surroundings(rows, None, ())
    found = (read_zone(one, listing, around, _HOST, ("tags.absent",)) for one in listing.containers.values())
    return {one.name.name: one for one in found}


def test_facts_tell_where_containers_live_and_how_they_are_limited() -> None:
    answer = Completed(FACTS.command, Ending.EXITED, 0, (_OUTPUT / "facts.txt").read_text())
    facts = HostFacts("Linux", "6.1", "#1", "boot", {}, {FACTS.name: answer})

    host = lxc_host(facts)

    assert host is not None
    assert (host.path, host.pools, host.cgroups.version, host.cgroups.counts_swap) == ("/var/lib/lxc", ("tank",), 1, True)
    assert (host.gets_by_type, host.confines) == (False, False)
    assert lxc_host(replace(facts, probed={FACTS.name: Completed(FACTS.command, Ending.EXITED, 127)})) is None


def test_a_zone_of_ours_is_read_with_all_its_fields() -> None:
    web1 = zones()["web1"]

    assert web1.mark == Mark(
        "tests", ObjectName("Zone", "web1"), "3d1219c7c4c5404aaa1f6d2a48adfda4", on_removal=OnRemoval.DELETE
    )
    expected: dict[str, Value] = {
        "state": "running", "image": "bb", "pool": "tank", "quota": 256 << 20, "memory": 64 << 20, "swap": 96 << 20,
        "cpuCap": 50, "cpuShares": 200, "maxTasks": 100, "hostname": "www", "dnsDomain": "example.com",
        "resolvers": ("10.0.0.1",), "routes": ("10.9.0.0/16 10.7.0.2",), "tags.role": "web", "tags.absent": None,
        "metadata.a = b": "x\ny", "nics": ("net0",), "nics.net0.ips": ("10.7.0.1/24",), "nics.net0.gateways": ("10.7.0.254",),
        "nics.net0.maxBandwidth": 100_000_000, "mounts": ("/mnt",), "mounts./mnt.source": "/srv", "mounts./mnt.readOnly": True,
        "native.lxc.environment": ("A=B",), "autoboot": True, "finished": True, "brand": "lxc",
    }  # fmt: skip
    assert {name: web1.fields.get(name) for name in expected} == expected
    assert web1.own_items == {"nics.net0", "mounts./mnt"}
    assert (web1.running, web1.pending_restart, web1.interrupted, web1.stuck) == (True, (), "", "")
    assert {ObjectName("Image", "bb"), ObjectName("Bridge", "br0")} <= set(web1.references)


def test_a_container_of_somebody_else_is_read_without_a_mark() -> None:
    old = zones()["old"]

    assert old.mark is None
    assert (old.fields["memory"], old.fields["state"]) == (128 << 20, "stopped")
    assert (old.fields["nics.eth0.over"], old.fields["nics.eth0.mac"]) == ("br0", "02:00:00:00:00:01")
    assert old.own_items == frozenset()
    assert old.removal is not None
    assert "by hand" in old.removal.obstacles[0]


def test_what_lxc_can_not_load_is_told_and_left() -> None:
    bad = zones()["bad"]

    assert bad.fields["state"] == "unknown"
    assert "Failed to load config for bad" in bad.stuck


def ailing(trouble: str, *, starts: bool = True) -> Observed:
    """web1 as it runs, with its root gone or silent."""
    text = recorded() if starts else recorded().replace("lxc.start.auto = 1", "lxc.start.auto = 0")
    return zones(f"{text}root 370 {trouble}\n")["web1"]


def test_a_zone_that_lost_its_root_is_started_again_where_it_is_to_run() -> None:
    lost = ailing("dead")

    assert (lost.fields["state"], lost.running, lost.interrupted, lost.stuck) == ("dead", True, "running", "")
    names = scripts(changed(lost, FieldChange("state", "dead", "running")))
    assert [name for name in names if name.endswith(("-zone", "-config", "-root"))] == [
        "write-config", "stop-zone", "mount-root", "start-zone",
    ]  # fmt: skip
    first = steps(changed(lost, FieldChange("state", "dead", "running")), _HOST)[0].command.stdin or ""
    assert "reconciler.resume = running" in first


def test_a_zone_that_lost_its_root_is_left_where_nobody_says_what_state_it_shall_have() -> None:
    lost = ailing("dead", starts=False)

    assert (lost.fields["state"], lost.interrupted, lost.state_unsticks) == ("dead", "", True)
    assert "lost its root" in lost.stuck
    assert "state: running" in lost.unsticking
    # What is there to be lost is no more than with any other zone that goes.
    assert "stop-zone" in scripts(replace(changed(lost, verb=Verb.DELETE), resource=None))
    assert "stop-zone" in scripts(changed(lost, FieldChange("state", "dead", "stopped")))


def test_a_root_that_does_not_answer_is_no_reason_to_stop_a_zone() -> None:
    silent = ailing("hangs")

    assert (silent.fields["state"], silent.interrupted, silent.state_unsticks) == ("running", "", False)
    assert "does not answer" in silent.stuck


@pytest.mark.parametrize("evidence", ["monitor [lxc monitor] /var/lib/lxc web2\n", "payload linux01-web2\n"])
def test_a_zone_is_stopped_only_where_nothing_speaks_against_it(evidence: str) -> None:
    assert zones()["web2"].fields["state"] == "stopped"
    assert zones()["web2"].stuck == ""

    contradicted = zones(recorded() + evidence)["web2"]

    assert contradicted.fields["state"] == "unknown"
    assert contradicted.stuck.startswith("LXC says that it is stopped, and")


def test_what_holds_otherwise_than_the_config_says_is_told_with_both() -> None:
    drifted = zones(recorded().replace("limit web1 memory.limit_in_bytes 67108864", "limit web1 memory.limit_in_bytes 4194304"))

    assert drifted["web1"].fields["memory"] == "67108864 in its config, 4194304 in force"


def test_what_waits_for_the_next_boot_is_told_by_what_it_was_started_with() -> None:
    text = recorded().replace("line web1/config:lxc.uts.name = www", "line web1/config:lxc.uts.name = other")
    text = text.replace("line web1/config:lxc.environment = A=B\n", "").replace(
        "line web1/config:lxc.start.auto = 1", "line web1/config:"
    )

    assert zones(text)["web1"].pending_restart == ("hostname", "native.lxc.environment")


def test_a_zone_that_starts_with_the_host_and_was_not_started_in_this_boot_is_to_run() -> None:
    text = recorded().replace("boot abc982b5-495b-4e0b-8237-c58c979a5923", "boot another", 1)
    text = text.replace("state web1 RUNNING 370", "state web1 STOPPED -")
    text = text.replace("monitor [lxc monitor] /var/lib/lxc web1\n", "").replace("payload linux01-web1\n", "")

    assert zones(text)["web1"].interrupted == "running"
    assert zones(text.replace("boot another", "boot abc982b5-495b-4e0b-8237-c58c979a5923", 1))["web1"].interrupted == ""


def test_a_zone_whose_root_is_gone_is_not_made_anew() -> None:
    listing = read_listing(recorded())
    around = surroundings((), None, ())

    lost = read_zone(listing.containers["web2"], listing, around, _HOST, ())

    assert lost.stuck == "its root, the dataset tank/zones/web2, is not there"


@pytest.mark.parametrize(
    "broken", ["", "what\n", "path /x\nboot b\nstate NAME STATE PID\nstate web1 DANCING 5\n", "path /x\nboot b"]
)
def test_any_other_output_is_an_error_and_not_fewer_zones(broken: str) -> None:
    with pytest.raises(ReadError):
        read_listing(broken)


def resource(**fields: Value) -> Resource:
    return Resource(Key("linux01", "Zone", "web1"), fields, Origin("x.yaml", 1, 1), created_with={"image": "bb"})


def scripts(change: Change) -> list[str]:
    """What the commands of a change are called."""
    return [
        one.command.argv[3] if one.command.argv[0] == "sh" else " ".join(one.command.argv[:2]) for one in steps(change, _HOST)
    ]


def created(**fields: Value) -> Change:
    return Change(
        Key("linux01", "Zone", "web1"),
        Verb.CREATE,
        (),
        resource(**fields),
        None,
        _MARK,
        identity="u",
        default_pool="tank",
        owner="tests",
    )


def changed(before: Observed, *entries: FieldChange, verb: Verb = Verb.UPDATE, **more: Any) -> Change:
    return Change(Key("linux01", "Zone", "web1"), verb, entries, resource(), before, before.mark, owner="tests", **more)


def test_a_zone_is_made_definition_first_and_its_note_goes_last() -> None:
    change = created(nics=("net0",), **{"nics.net0.over": "br0", "nics.net0.ips": ("10.7.0.1/24",)})
    found = steps(change, _HOST)

    assert [name for name in scripts(change) if name in ("write-config", "make-dataset", "start-zone")] == [
        "write-config", "make-dataset", "start-zone",
    ]  # fmt: skip
    first, last = found[0].command.stdin, found[-1].command.stdin
    assert first is not None
    assert last is not None
    assert first.startswith("# reconciler.owner = tests\n# reconciler.key = Zone/web1\n")
    assert first.removesuffix("# reconciler.doing = making\n# reconciler.resume = running\n") == last
    clone = next(one.command.argv for one in found if "clone" in one.command.argv)
    assert "dev.reconciler:key=Zone/web1" in clone
    assert clone[-2:] == ("tank/images/bb@image", "tank/zones/web1")


def test_a_zone_that_is_to_be_stopped_is_not_started() -> None:
    assert scripts(created(state="stopped")) == ["write-config", "make-dataset", "write-config"]


def test_without_an_image_or_with_one_in_another_pool_nothing_is_made() -> None:
    with pytest.raises(ReconcilerError, match="made of an image"):
        steps(replace(created(), resource=replace(resource(), created_with={})), _HOST)
    elsewhere = replace(created(), identities={ObjectName("Image", "bb"): "data/images/bb"})
    with pytest.raises(ReconcilerError, match="lies in pool data"):
        steps(elsewhere, _HOST)


def test_limits_change_the_config_and_what_runs_and_stop_nothing() -> None:
    web1 = zones()["web1"]

    assert scripts(changed(web1, FieldChange("memory", 64 << 20, 32 << 20))) == ["write-config", "limit-zone"]
    told = steps(changed(web1, FieldChange("memory", 64 << 20, 32 << 20)), _HOST)[-1].command.argv
    assert told[4:] == (
        "/var/lib/lxc", "web1", "memory.limit_in_bytes", str(32 << 20), "memory.memsw.limit_in_bytes", str(96 << 20),
    )  # fmt: skip
    stopped = replace(changed(zones()["web2"], FieldChange("memory", None, 32 << 20)), key=Key("linux01", "Zone", "web2"))
    assert scripts(stopped) == ["write-config"]
    assert scripts(changed(web1, FieldChange("quota", None, 1 << 30))) == ["zfs set"]


def test_a_restart_is_noted_before_it_and_the_note_goes_with_the_start() -> None:
    change = changed(zones()["web1"], FieldChange("hostname", "www", "other", Effect.RESTART))
    names = scripts(change)

    assert (names[0], names[1], names[-1]) == ("write-config", "stop-zone", "start-zone")
    found = steps(change, _HOST)
    assert "# reconciler.resume = running" in (found[0].command.stdin or "")
    assert "# reconciler.resume" not in (found[-1].command.stdin or "")
    assert "lxc.uts.name = other\n" in (found[-1].command.stdin or "")


def test_a_removed_zone_loses_its_root_before_its_definition() -> None:
    change = Change(Key("linux01", "Zone", "web1"), Verb.DELETE, observed=zones()["web1"], owner="tests")
    names = scripts(change)

    assert (names[0], names[1], names[-1]) == ("stop-zone", "zfs destroy", "remove-zone")
    assert [one.command.argv for one in steps(change, _HOST) if one.command.argv[0] == "zfs"] == [
        ("zfs", "destroy", "tank/zones/web1")
    ]


def test_what_is_contradictory_is_not_removed() -> None:
    running = zones(recorded().replace("state web1 RUNNING 370", "state web1 STOPPED -"))["web1"]

    with pytest.raises(ReconcilerError, match="LXC says that it is stopped"):
        steps(Change(Key("linux01", "Zone", "web1"), Verb.DELETE, observed=running), _HOST)


def test_a_zone_in_the_trash_is_known_by_its_mark_and_blocks_no_name() -> None:
    web1 = zones()["web1"]
    trashing = Trashing("20260102T030405.000Z", "group", 60)
    found = steps(replace(changed(web1, verb=Verb.TRASH), trashing=trashing), _HOST)
    begun, done = found[0].command.stdin or "", found[-1].command.stdin or ""

    def seen(config: str) -> Observed:
        lines = [line for line in recorded().splitlines() if not line.startswith("line web1/config:")]
        lines += [f"line web1/config:{line}" for line in config.splitlines()]
        text = "\n".join(lines).replace("state web1 RUNNING 370", "state web1 STOPPED -") + "\n"
        text = text.replace("monitor [lxc monitor] /var/lib/lxc web1\n", "").replace("payload linux01-web1\n", "")
        return next(one for one in zones(text).values() if one.fields["container"] == "web1")

    assert seen(begun).name.name == "web1"
    assert seen(begun).trashed is not None
    assert seen(done).name.name == "trash.20260102T030405.000Z.web1"
    assert seen(done).is_in_trash
    assert (seen(done).fields["autoboot"], seen(done).interrupted) == (False, "")
    back = steps(Change(Key("linux01", "Zone", "web1"), Verb.RESTORE, observed=seen(done), mark=web1.mark), _HOST)
    assert (back[-1].command.argv[3], back[-1].command.stdin) == ("start-zone", web1.fields["configText"])


def test_a_replacement_that_keeps_the_old_zone_is_refused() -> None:
    change = replace(changed(zones()["web1"], verb=Verb.REPLACE), trashing=Trashing("t", "g", None, replaced=True))

    with pytest.raises(ReconcilerError, match="keeps its name"):
        steps(change, _HOST)


def test_a_zone_given_up_keeps_all_but_our_mark() -> None:
    web1 = zones()["web1"]
    found = steps(changed(web1, verb=Verb.FORGET), _HOST)

    kept, before = (found[-1].command.stdin or "").splitlines(), str(web1.fields["configText"]).splitlines()
    gone = ("# reconciler.owner", "# reconciler.key", "# reconciler.host", "# reconciler.on-removal")
    assert kept == [line for line in before if not line.startswith(gone)]


@pytest.mark.parametrize(
    ("field", "value", "cause"),
    [
        ("brand", "joyent", "no zones of brand"),
        ("kernelVersion", "4.3.0", "kernel of its host"),
        ("maxProcesses", 5, "threads"),
        ("delegatedDataset", True, "makes no dataset"),
        ("native.smartos.tmpfs", 5, "vmadm"),
        ("nics.net0.model", "virtio", "no model"),
        ("nics.averyverylongname.over", "br0", "at most 15"),
        ("nics.net0.gateways", ("10.0.0.1", "10.0.0.2"), "one gateway"),
        ("nics.net0.vlan", 5, "VLANs"),
    ],
)
def test_what_linux_lacks_is_refused_with_a_remedy(field: str, value: Value, cause: str) -> None:
    found = refusal(field, value, _HOST)

    assert found is not None
    assert cause in found.cause
    assert found.remedy


def test_a_host_without_lxc_has_no_zones() -> None:
    found = refusal("brand", "lxc", None)

    assert found is not None
    assert found.remedy.startswith("install")


@pytest.mark.parametrize(
    ("noted", "left"),
    [
        ({}, "search a.test\nnameserver 10.0.0.9\noptions rotate\n"),
        ({"resolvers": None}, "search a.test\noptions rotate\n"),
        ({"dnsDomain": None}, "nameserver 10.0.0.9\noptions rotate\n"),
        ({"dnsDomain": None, "resolvers": ()}, "options rotate\n"),
        ({"resolvers": ("10.0.0.1",)}, "nameserver 10.0.0.1\nsearch a.test\noptions rotate\n"),
        ({"dnsDomain": "b.test"}, "search b.test\nnameserver 10.0.0.9\noptions rotate\n"),
    ],
)
def test_only_lines_that_are_stated_change_where_names_are_looked_up(
    tmp_path: Path, noted: dict[str, Value], left: str
) -> None:
    root, host = tmp_path / "root", LxcHost(str(tmp_path))
    for place in (root / "etc", tmp_path / "web1"):
        place.mkdir(parents=True)
    (root / "etc/resolv.conf").write_text("search a.test\nnameserver 10.0.0.9\noptions rotate\n")
    config = read_config([f"lxc.rootfs.path = dir:{root}"])
    for name, value in noted.items():
        config = with_field(config, name, value, {}, host)
    config = with_hooks(config, host, "web1")
    (tmp_path / "web1/config").write_text(str(config))

    subprocess.run(["sh", "-c", f"exec {config.all('lxc.hook.pre-start')[0]}"], check=True, timeout=10)

    assert (root / "etc/resolv.conf").read_text() == left
    told = read_fields(config, host)
    assert {name: told[name] or None for name in noted} == {name: value or None for name, value in noted.items()}


def test_the_hook_writes_into_the_root_only_what_leads_nowhere_else(tmp_path: Path) -> None:
    folder, root, outside = tmp_path / "web1", tmp_path / "a root", tmp_path / "outside"
    for place in (folder, root / "etc", outside):
        place.mkdir(parents=True)
    (outside / "hostname").write_text("mine")
    (root / "etc/hostname").symlink_to(outside / "hostname")
    (root / "etc/resolv.conf").symlink_to(outside / "resolv.conf")
    lines = [
        f"lxc.rootfs.path = dir:{root}", "lxc.uts.name = www", "# reconciler.root = tank/zones/web1",
        '# reconciler.resolvers = {"is":["10.0.0.1"]}', '# reconciler.dnsDomain = {"is":"example.com"}',
    ]  # fmt: skip
    config = with_hooks(read_config(lines), LxcHost(str(tmp_path)), "web1")
    (folder / "config").write_text(str(config))
    hook = config.all("lxc.hook.pre-start")[0]

    for _ in range(2):
        subprocess.run(["sh", "-c", f"exec {hook}"], check=True, timeout=10)

    assert (outside / "hostname").read_text() == "mine"
    assert not (outside / "resolv.conf").exists()
    assert (root / "etc/hostname").read_text() == "www\n"
    assert (root / "etc/resolv.conf").read_text() == "search example.com\nnameserver 10.0.0.1\n"
    assert (folder / "started").read_text().startswith(str(config))
    (root / "etc").rename(tmp_path / "etc")
    (root / "etc").symlink_to(outside)
    subprocess.run(["sh", "-c", f"exec {hook}"], check=True, timeout=10)
    assert (outside / "hostname").read_text() == "mine"


def test_names_in_hooks_are_quoted(tmp_path: Path) -> None:
    lines = ["lxc.rootfs.path = dir:/a b/$(touch x)", "lxc.uts.name = www", "# reconciler.root = tank/zones/web1"]
    hook = with_hooks(read_config(lines), LxcHost("/var/lib/l xc"), "web1").all("lxc.hook.pre-start")[0]

    words = shlex.split(hook)

    assert words[:2] == ["sh", "-c"]
    assert "cd '/var/lib/l xc/web1' &&" in words[2]
    assert "e='/a b/$(touch x)/etc';" in words[2]


@pytest.mark.parametrize(
    ("file", "cause", "retry"),
    [
        ("start-bad-config", "can't load its config", RetryClass.NEVER),
        ("start-no-dataset", "mounted nowhere", RetryClass.LATER),
        ("start-no-init", "holds no program", RetryClass.NEVER),
        ("start-no-link", "link is not there", RetryClass.LOOK_AGAIN),
        ("start-no-mount", "directory that it is to see", RetryClass.LATER),
        ("limit-below-use", "uses more than that", RetryClass.LATER),
    ],
)
def test_a_failure_is_told_by_what_the_log_says(file: str, cause: str, retry: RetryClass) -> None:
    failed = Completed(start("/var/lib/lxc", "web2"), Ending.EXITED, 1, "", (_OUTPUT / f"{file}.txt").read_text())

    found = lxc_errors.explain(failed)

    assert cause in found.cause
    assert found.retry is retry
