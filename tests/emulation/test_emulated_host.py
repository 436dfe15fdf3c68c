"""The emulated host itself: its state file, its transcript, its faults, its small tools."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from reconciler.emulation import Answer, EmulatedHost, EmulationError, Fault, FaultKind
from tests.emulation.console import must, run


def test_a_host_is_the_same_when_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    with EmulatedHost.open(path, system="omnios") as host:
        must(host, "zfs create -o org.ex:x=1 tank/a")
        before = must(host, "zfs get -Hpr all tank")

    with EmulatedHost.open(path, system="omnios") as host:
        assert must(host, "zfs get -Hpr all tank") == before


def test_the_system_of_a_host_is_found_in_its_state(tmp_path: Path) -> None:
    EmulatedHost.open(tmp_path / "host.db", system="smartos").close()

    with EmulatedHost.open(tmp_path / "host.db") as host:
        assert host.system.name == "smartos"


def test_two_hosts_of_one_name_and_system_have_the_same_ids(tmp_path: Path) -> None:
    read = []
    for name in ("one", "two"):
        with EmulatedHost.open(tmp_path / f"{name}.db", system="omnios", clock=lambda: 1.8e9) as host:
            must(host, "zfs create tank/a", "zfs snapshot tank/a@s")
            read.append(must(host, "zfs get -Hpr all tank") + must(host, "hostid"))

    assert read[0] == read[1]


@pytest.mark.parametrize(
    ("content", "system", "expected"),
    [
        (None, "haiku", "there is no emulated system 'haiku'; remedy: use one of linux-zfs-fuse, omnios, smartos"),
        (None, None, "there is no emulated host yet; remedy: say which system to make"),
        (b"not a database at all", "omnios", "this is no emulated host's state"),
        (b"", "omnios", "this is no emulated host's state"),
    ],
)
def test_a_host_that_can_not_be_opened_says_why(
    tmp_path: Path, content: bytes | None, system: str | None, expected: str
) -> None:
    path = tmp_path / "host.db"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(EmulationError, match=re.escape(expected)):
        EmulatedHost.open(path, system=system)


def test_a_state_of_another_system_is_refused(tmp_path: Path) -> None:
    EmulatedHost.open(tmp_path / "host.db", system="smartos").close()

    with pytest.raises(EmulationError, match="this host is an emulated smartos, not omnios; remedy: name another file"):
        EmulatedHost.open(tmp_path / "host.db", system="omnios")


@pytest.mark.parametrize(("pools", "expected"), [({"0tank": 1 << 40}, "is no name for a pool"), ({"tank": 5}, "too few")])
def test_a_pool_that_no_host_could_have_is_refused(tmp_path: Path, pools: dict[str, int], expected: str) -> None:
    with pytest.raises(EmulationError, match=expected):
        EmulatedHost.open(tmp_path / "host.db", system="omnios", pools=pools)

    assert list(tmp_path.iterdir()) == []


def test_a_smartos_host_has_what_smartos_puts_into_its_pool(smartos: EmulatedHost) -> None:
    assert must(smartos, "zfs list -H -o name,type,mountpoint -r zones").splitlines() == [
        "zones\tfilesystem\t/zones",
        "zones/archive\tfilesystem\t/zones/archive",
        "zones/config\tfilesystem\tlegacy",
        "zones/cores\tfilesystem\tnone",
        "zones/cores/global\tfilesystem\t/cores",
        "zones/dump\tvolume\t-",
        "zones/opt\tfilesystem\tlegacy",
        "zones/swap\tvolume\t-",
        "zones/usbkey\tfilesystem\tlegacy",
        "zones/var\tfilesystem\tlegacy",
    ]


def test_an_omnios_host_runs_from_its_boot_environment(omnios: EmulatedHost) -> None:
    assert must(omnios, "zfs list -H -o name,mounted,mountpoint rpool/ROOT/omnios") == "rpool/ROOT/omnios\tyes\t/\n"


def test_a_host_says_what_it_is(smartos: EmulatedHost, omnios: EmulatedHost, linux: EmulatedHost) -> None:
    assert must(smartos, "uname -sv") == "SunOS joyent_20250724T000555Z\n"
    assert must(omnios, "uname -srvmpi").startswith("SunOS 5.11 omnios-r151054-")
    assert must(linux, "uname") == "Linux\n"
    assert must(smartos, "hostname") == "hv01\n"
    assert "OmniOS v11 r151054" in must(omnios, "cat /etc/release")
    assert re.fullmatch(r"[0-9a-f]{32}\n", must(linux, "cat /etc/machine-id"))
    assert re.fullmatch(r"[0-9a-f]{8}\n", must(omnios, "hostid"))


def test_a_file_that_is_not_there_is_complained_of(omnios: EmulatedHost) -> None:
    printed = run(omnios, "cat /etc/nothing")

    assert (printed.exit_code, printed.stderr) == (2, "cat: cannot open /etc/nothing: No such file or directory\n")


def test_cat_without_operands_copies_its_input(omnios: EmulatedHost) -> None:
    assert omnios.run(["cat"], b"hello") == Answer(0, b"hello")


def test_sysinfo_describes_the_host_in_json(smartos: EmulatedHost) -> None:
    described = json.loads(must(smartos, "sysinfo"))

    assert described["Hostname"] == "hv01"
    assert described["Zpool"] == "zones"
    assert described["MiB of Memory"] == "65510"
    assert described["Network Interfaces"]["igb0"]["NIC Names"] == ["admin"]
    assert described["Network Interfaces"]["igb1"]["NIC Names"] == ["external"]
    assert described["Boot Time"] == "1800000000"


def test_the_boot_time_is_read_by_kstat_and_changes_with_a_boot(omnios: EmulatedHost) -> None:
    assert must(omnios, "kstat -p unix:0:system_misc:boot_time") == "unix:0:system_misc:boot_time\t1800000000\n"
    assert run(omnios, "kstat -p nothing:0:at:all").exit_code == 1

    omnios.reboot()

    assert must(omnios, "kstat -p unix:0:system_misc:boot_time") == "unix:0:system_misc:boot_time\t1800000001\n"


def test_a_boot_mounts_what_mounts_by_itself_and_frees_what_was_in_use(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs create -o canmount=noauto tank/b", "zfs mount tank/b", "zfs unmount tank/a")
    omnios.storage.set_in_use("tank/b", in_use=True)

    omnios.reboot()

    assert must(omnios, "zfs list -H -o mounted tank/a tank/b rpool/ROOT/omnios") == "yes\nyes\nno\n"
    must(omnios, "zfs destroy tank/b")


def test_a_tool_that_the_system_lacks_is_not_found(omnios: EmulatedHost) -> None:
    assert omnios.run(["sysinfo"]) == Answer(127, b"", b"bash: sysinfo: command not found\n")


def test_a_tool_may_be_called_by_its_path(omnios: EmulatedHost) -> None:
    assert omnios.run(["/usr/sbin/zfs", "list", "-H", "-o", "name", "tank"]).stdout == b"tank\n"


def test_the_transcript_shows_each_call_and_whether_it_changed_anything(omnios: EmulatedHost) -> None:
    omnios.run(["zfs", "list"])
    omnios.run(["zfs", "create", "tank/a"])
    omnios.run(["zfs", "create", "tank/a"])
    omnios.run(["cat"], b"text")
    omnios.run(["vmadm", "list"])

    calls = omnios.transcript()

    assert [(call.argv, call.stdin, call.exit_code, call.changed) for call in calls] == [
        (("zfs", "list"), None, 0, False),
        (("zfs", "create", "tank/a"), None, 0, True),
        (("zfs", "create", "tank/a"), None, 1, False),
        (("cat",), b"text", 0, False),
        (("vmadm", "list"), None, 127, False),
    ]


def test_the_transcript_can_be_cleared(omnios: EmulatedHost) -> None:
    omnios.run(["zfs", "list"])

    omnios.clear_transcript()

    assert omnios.transcript() == ()


def test_drift_is_not_in_the_transcript_and_meets_no_fault(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.FAIL))

    answer = omnios.drift(["zfs", "create", "tank/a"])

    assert answer.exit_code == 0
    assert omnios.transcript() == ()
    assert omnios.storage.exists("tank/a")
    assert len(omnios.faults()) == 1


def test_a_failing_command_does_nothing(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.FAIL, tool="zfs", argv="create", exit_code=1, stderr="pool I/O is currently suspended\n"))

    assert omnios.run(["zfs", "create", "tank/a"]) == Answer(1, b"", b"pool I/O is currently suspended\n")
    assert not omnios.storage.exists("tank/a")


def test_a_fault_skips_calls_and_is_used_up(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.FAIL, tool="zfs", argv=r"^zfs list", skip=1, times=2))

    codes = [omnios.run(["zfs", "list"]).exit_code for _ in range(5)]

    assert codes == [0, 1, 1, 0, 0]
    assert omnios.faults() == ()


def test_a_fault_may_last_for_ever(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.FAIL, times=None))

    assert {omnios.run(["zfs", "list"]).exit_code for _ in range(5)} == {1}

    omnios.clear_faults()
    assert omnios.run(["zfs", "list"]).exit_code == 0


def test_a_fault_hits_only_what_it_is_about(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.FAIL, tool="zpool"))
    omnios.inject(Fault(FaultKind.FAIL, argv="tank/other"))

    assert omnios.run(["zfs", "create", "tank/a"]).exit_code == 0
    assert len(omnios.faults()) == 2


def test_a_hanging_command_has_or_has_not_done_its_work(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.HANG, argv="tank/a"))
    omnios.inject(Fault(FaultKind.HANG_AFTER, argv="tank/b"))

    answers = [omnios.run(["zfs", "create", name]) for name in ("tank/a", "tank/b")]

    assert [answer.hangs for answer in answers] == [True, True]
    assert (omnios.storage.exists("tank/a"), omnios.storage.exists("tank/b")) == (False, True)
    assert [call.hangs for call in omnios.transcript()] == [True, True]


def test_a_lost_reply_hides_that_all_is_done(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.LOST_REPLY))
    omnios.inject(Fault(FaultKind.LOST_REPLY, exit_code=-9))

    answers = [omnios.run(["zfs", "create", name]) for name in ("tank/a", "tank/b")]

    assert answers == [Answer(255), Answer(-9)]
    assert omnios.storage.exists("tank/a")


def test_a_create_done_by_half_is_made_and_not_mounted(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.HALF, argv="create"))

    printed = run(omnios, "zfs create -o org.ex:owner=me tank/a")

    assert printed.exit_code == 1
    assert printed.stderr == (
        "cannot mount '/tank/a': failed to create mountpoint\nfilesystem successfully created, but not mounted\n"
    )
    assert must(omnios, "zfs get -H -o value org.ex:owner,mounted tank/a") == "me\nno\n"


@pytest.mark.parametrize(
    ("line", "read", "left"),
    [
        ("zfs set atime=off exec=off tank/a", "zfs get -H -o value atime,exec tank/a", "off\non\n"),
        ("zfs set atime=off tank/a tank/b", "zfs get -H -o value atime tank/a tank/b", "off\non\n"),
        ("zfs snapshot tank/a@s tank/b@s", "zfs list -H -t snapshot -o name", "tank/a@s\n"),
        ("zfs destroy -r tank/a", "zfs list -H -o name -r tank", "tank\ntank/a\ntank/b\n"),
        ("zfs create -p tank/c/d", "zfs list -H -o name -r tank", "tank\ntank/a\ntank/a/k\ntank/b\ntank/c\n"),
    ],
)
def test_a_command_done_by_half_has_done_its_first_part(omnios: EmulatedHost, line: str, read: str, left: str) -> None:
    must(omnios, "zfs create tank/a", "zfs create tank/a/k", "zfs create tank/b")
    omnios.inject(Fault(FaultKind.HALF, stderr="interrupted\n"))

    printed = run(omnios, line)

    assert printed.exit_code == 1
    assert printed.stderr.endswith("interrupted\n")
    assert must(omnios, read) == left


def test_a_truncated_answer_ends_inside_a_line(omnios: EmulatedHost) -> None:
    whole = omnios.run(["zfs", "get", "-Hp", "all", "tank"]).stdout
    omnios.inject(Fault(FaultKind.TRUNCATE))

    cut = omnios.run(["zfs", "get", "-Hp", "all", "tank"])

    assert cut.exit_code == 0
    assert whole.startswith(cut.stdout)
    assert 0 < len(cut.stdout) < len(whole)
    assert not cut.stdout.endswith(b"\n")


def test_a_garbled_answer_is_no_text(omnios: EmulatedHost) -> None:
    omnios.inject(Fault(FaultKind.GARBAGE))

    answer = omnios.run(["zfs", "list"])

    assert answer.exit_code == 0
    with pytest.raises(UnicodeDecodeError):
        answer.stdout.decode()


@pytest.mark.parametrize(("argv", "skip", "times"), [("(", 0, 1), ("", -1, 1), ("", 0, 0)])
def test_a_fault_that_means_nothing_is_refused(argv: str, skip: int, times: int) -> None:
    with pytest.raises(EmulationError, match="remedy"):
        Fault(FaultKind.FAIL, argv=argv, skip=skip, times=times)


def test_one_of_many_racing_creates_wins(omnios: EmulatedHost) -> None:
    codes: list[int] = []
    threads = [
        threading.Thread(target=lambda: codes.append(omnios.run(["zfs", "create", "tank/a"]).exit_code)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(codes) == [0, 1, 1, 1, 1, 1, 1, 1]


def test_hosts_over_one_file_see_each_other(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    with EmulatedHost.open(path, system="omnios") as one, EmulatedHost.open(path) as other:
        must(one, "zfs create tank/a")

        assert other.storage.exists("tank/a")
        assert len(other.transcript()) == 1
