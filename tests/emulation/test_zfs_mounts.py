"""Where emulated filesystems are mounted, and when they are not."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run, value


def test_a_mountpoint_is_inherited_with_the_rest_of_the_name(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o mountpoint=/srv tank/a", "zfs create -p tank/a/b/c")

    assert value(omnios, "tank/a/b/c", "mountpoint") == ("/srv/b/c", "inherited from tank/a")


def test_children_move_with_a_mountpoint(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs set mountpoint=/srv tank/a")

    assert "tank/a/b                        /srv/b\n" in must(omnios, "zfs mount")


def test_what_had_no_path_is_mounted_when_it_gets_one(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o mountpoint=none tank/a", "zfs create tank/a/b", "zfs create -o canmount=noauto tank/a/c")
    assert value(omnios, "tank/a/b", "mounted") == ("no", "-")

    must(omnios, "zfs set mountpoint=/srv tank/a")

    assert must(omnios, "zfs list -Hr -o name,mounted tank/a") == "tank/a\tyes\ntank/a/b\tyes\ntank/a/c\tno\n"


def test_canmount_off_unmounts_and_on_does_not_mount_again(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs set canmount=off tank/a")
    assert value(omnios, "tank/a", "mounted") == ("no", "-")

    must(omnios, "zfs set canmount=on tank/a")

    assert value(omnios, "tank/a", "mounted") == ("no", "-")


def test_a_second_filesystem_at_one_mountpoint_is_made_but_not_mounted(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o mountpoint=/srv tank/a")

    printed = run(omnios, "zfs create -o mountpoint=/srv tank/b")

    assert (printed.exit_code, printed.stderr) == (
        1,
        "cannot mount 'tank/b': mountpoint or dataset is busy\nfilesystem successfully created, but not mounted\n",
    )
    assert value(omnios, "tank/b", "mounted") == ("no", "-")


def test_a_zoned_filesystem_is_unmounted_and_stays_so(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs set zoned=on tank/a")
    assert value(omnios, "tank/a", "mounted") == ("no", "-")

    must(omnios, "zfs set zoned=off tank/a")

    assert value(omnios, "tank/a", "mounted") == ("no", "-")


@pytest.mark.parametrize(
    "line",
    [
        "zfs unmount tank/a",
        "zfs destroy -r tank/a",
        "zfs rename tank/a tank/b",
        "zfs set mountpoint=/srv tank/a",
        "zfs set canmount=off tank/a",
    ],
)
def test_a_filesystem_in_use_can_not_be_unmounted(omnios: EmulatedHost, line: str) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.set_in_use("tank/a", in_use=True)

    printed = run(omnios, line)

    assert (printed.exit_code, printed.stderr) == (1, "cannot unmount '/tank/a': Device busy\n")
    assert value(omnios, "tank/a", "mounted") == ("yes", "-")


def test_a_busy_child_leaves_the_others_mounted(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs create tank/a/c")
    omnios.storage.set_in_use("tank/a/b", in_use=True)

    assert run(omnios, "zfs set mountpoint=/srv tank/a").exit_code == 1

    assert must(omnios, "zfs list -Hr -o mounted tank/a") == "yes\nyes\nyes\n"


def test_force_unmounts_what_is_in_use(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.set_in_use("tank/a", in_use=True)

    must(omnios, "zfs unmount -f tank/a")

    assert value(omnios, "tank/a", "mounted") == ("no", "-")


def test_an_unmounted_filesystem_lingers_in_zfs_fuse(linux: EmulatedHost) -> None:
    must(linux, "zfs create tank/a")
    linux.storage.linger(2)

    answers = [run(linux, "zfs destroy tank/a") for _ in range(3)]

    assert [answer.stderr for answer in answers] == ["cannot destroy 'tank/a': dataset is busy\n"] * 2 + [""]
    assert not linux.storage.exists("tank/a")


def test_a_lingering_filesystem_is_left_unmounted(linux: EmulatedHost) -> None:
    must(linux, "zfs create tank/a")
    linux.storage.linger(1)

    run(linux, "zfs destroy tank/a")

    assert value(linux, "tank/a", "mounted") == ("no", "-")
