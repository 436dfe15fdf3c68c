"""What the emulated `zfs` of illumos refuses, to the byte where illumos-cli.md gives the text."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run


@dataclass(frozen=True, slots=True)
class Case:
    reason: str
    line: str
    complaint: str
    exit_code: int = 1


_REFUSALS = (
    Case("it is there", "zfs create tank/a", "cannot create 'tank/a': dataset already exists"),
    Case("no parent", "zfs create tank/x/y", "cannot create 'tank/x/y': parent does not exist"),
    Case("no pool", "zfs create nopool/a", "cannot create 'nopool/a': no such pool 'nopool'"),
    Case("below a volume", "zfs create tank/vol/a", "cannot create 'tank/vol/a': parent is not a filesystem"),
    Case("slash at the end", "zfs create tank/a/", "cannot create 'tank/a/': trailing slash in name"),
    Case("slash at the start", "zfs create /tank/a", "cannot create '/tank/a': leading slash in name"),
    Case("nothing between slashes", "zfs create tank//a", "cannot create 'tank//a': empty component in name"),
    Case("odd character", "zfs create tank/a+b", "cannot create 'tank/a+b': invalid character '+' in name"),
    Case("reserved character", "zfs create tank/a%b", "cannot create 'tank/a%b': invalid character % in name"),
    Case(
        "a snapshot's name",
        "zfs create tank/a@b",
        "cannot create 'tank/a@b': snapshot delimiter '@' in filesystem name",
    ),
    Case("too long", f"zfs create tank/{'a' * 251}", f"cannot create 'tank/{'a' * 251}': name is too long"),
    Case(
        "too deep",
        f"zfs create tank{'/a' * 50}",
        f"cannot create 'tank{'/a' * 50}': maximum name nesting depth exceeded",
    ),
    Case("too small a quota", "zfs create -o quota=1K tank/z", "cannot create 'tank/z': out of space"),
    Case("more than there is", "zfs create -o reservation=5T tank/z", "cannot create 'tank/z': out of space"),
    Case("twice the same", "zfs create -o quota=1G -o quota=2G tank/z", "property 'quota' specified multiple times"),
    Case("read-only", "zfs set used=1 tank/a", "cannot set property for 'tank/a': 'used' is readonly"),
    Case(
        "only at creation",
        "zfs set casesensitivity=mixed tank/a",
        "cannot set property for 'tank/a': 'casesensitivity' is readonly",
    ),
    Case(
        "block size of a volume",
        "zfs set volblocksize=4K tank/vol",
        "cannot set property for 'tank/vol': 'volblocksize' is readonly",
    ),
    Case("unknown", "zfs set bogus=1 tank/a", "cannot set property for 'tank/a': invalid property 'bogus'"),
    Case("upper case", "zfs set A:B=1 tank/a", "cannot set property for 'tank/a': invalid property 'A:B'"),
    Case(
        "long name",
        f"zfs set a:{'b' * 254}=1 tank/a",
        f"cannot set property for 'tank/a': property name 'a:{'b' * 254}' is too long",
    ),
    Case("long value", f"zfs set a:b={'v' * 8192} tank/a", "cannot set property for 'tank/a': property value too long"),
    Case("bad word", "zfs set atime=ON tank/a", "cannot set property for 'tank/a': 'atime' must be one of 'on | off'"),
    Case(
        "no zstd on illumos",
        "zfs set compression=zstd tank/a",
        "cannot set property for 'tank/a': 'compression' must be one of 'on | off | lzjb | gzip | gzip-[1-9] | zle | lz4'",
    ),
    Case("bad number", "zfs set quota=abc tank/a", "cannot set property for 'tank/a': bad numeric value 'abc'"),
    Case(
        "recordsize",
        "zfs set recordsize=1000 tank/a",
        "cannot set property for 'tank/a': 'recordsize' must be power of 2 from 512B to 1024KB",
    ),
    Case(
        "volsize of a filesystem",
        "zfs set volsize=1G tank/a",
        "cannot set property for 'tank/a': 'volsize' does not apply to datasets of this type",
    ),
    Case(
        "quota below use",
        "zfs set quota=1K tank/a",
        "cannot set property for 'tank/a': size is less than current used or reserved space",
    ),
    Case(
        "reservation beyond the pool",
        "zfs set reservation=5T tank/a",
        "cannot set property for 'tank/a': size is greater than available space",
    ),
    Case(
        "relative mountpoint",
        "zfs set mountpoint=srv tank/a",
        "cannot set property for 'tank/a': 'mountpoint' must be an absolute path, 'none', or 'legacy'",
    ),
    Case(
        "native property of a snapshot",
        "zfs set atime=on tank/a@s",
        "cannot set property for 'tank/a@s': this property can not be modified for snapshots",
    ),
    Case(
        "odd volume size",
        "zfs set volsize=1000 tank/vol",
        "cannot set property for 'tank/vol': 'volsize' must be a multiple of volume block size (8K)",
    ),
    Case(
        "odd size of a new volume",
        "zfs create -V 1000 tank/v2",
        "cannot create 'tank/v2': volume size must be a multiple of volume block size",
    ),
    Case("volume of nothing", "zfs create -V 0 tank/v2", "cannot create 'tank/v2': volume size cannot be zero"),
    Case("bad volume size", "zfs create -V x tank/v2", "bad volume size 'x': bad numeric value 'x'"),
    Case(
        "reservation over the volume",
        "zfs set refreservation=2G tank/vol",
        "cannot set property for 'tank/vol': 'refreservation' is greater than current volume size",
    ),
    Case("gone", "zfs set atime=on tank/nope", "cannot open 'tank/nope': dataset does not exist"),
    Case("gone too", "zfs get quota tank/nope", "cannot open 'tank/nope': dataset does not exist"),
    Case("destroy what is gone", "zfs destroy tank/nope", "cannot open 'tank/nope': dataset does not exist"),
    Case("inherit used", "zfs inherit used tank/a", "used property is read-only"),
    Case(
        "inherit quota",
        "zfs inherit quota tank/a",
        "'quota' property cannot be inherited\nuse 'zfs set quota=none' to clear",
    ),
    Case("inherit canmount", "zfs inherit canmount tank/a", "'canmount' property cannot be inherited"),
    Case(
        "children",
        "zfs destroy tank/a",
        "cannot destroy 'tank/a': filesystem has children\nuse '-r' to destroy the following datasets:\n"
        "tank/a/b\ntank/a@s\ntank/a@t",
    ),
    Case(
        "clones of a snapshot",
        "zfs destroy tank/a@s",
        "cannot destroy 'tank/a@s': snapshot has dependent clones\nuse '-R' to destroy the following datasets:\ntank/clone",
    ),
    Case(
        "clones outside",
        "zfs destroy -r tank/a",
        "cannot destroy 'tank/a': filesystem has dependent clones\nuse '-R' to destroy the following datasets:\ntank/clone",
    ),
    Case("held", "zfs destroy tank/a@t", "cannot destroy snapshot tank/a@t: dataset is busy"),
    Case(
        "a whole pool",
        "zfs destroy tank",
        "cannot destroy 'tank': operation does not apply to pools\n"
        "use 'zfs destroy -r tank' to destroy all datasets in the pool\n"
        "use 'zpool destroy tank' to destroy the pool itself",
    ),
    Case(
        "no such snapshot",
        "zfs destroy tank/a@nope",
        "could not find any snapshots to destroy; check snapshot names.",
    ),
    Case("snapshot is there", "zfs snapshot tank/a@s", "cannot create snapshot 'tank/a@s': dataset already exists"),
    Case(
        "one of several is there",
        "zfs snapshot tank/a@u tank/a@s",
        "cannot create snapshot 'tank/a@s': dataset already exists\nno snapshots were created",
    ),
    Case("no clone", "zfs promote tank/a", "cannot promote 'tank/a': not a cloned filesystem"),
    Case("clone to what is there", "zfs clone tank/a@s tank/a/b", "cannot create 'tank/a/b': dataset already exists"),
    Case(
        "clone of a filesystem",
        "zfs clone tank/a tank/c2",
        "cannot open 'tank/a': operation not applicable to datasets of this type",
    ),
    Case("clone to another pool", "zfs clone tank/a@s rpool/c", "cannot create 'rpool/c': source and target pools differ"),
    Case("rename to what is there", "zfs rename tank/vol tank/clone", "cannot rename 'tank/vol': dataset already exists"),
    Case(
        "rename to another pool",
        "zfs rename tank/vol rpool/vol",
        "cannot rename to 'rpool/vol': datasets must be within same pool",
    ),
    Case("rename below nothing", "zfs rename tank/vol tank/n/v", "cannot create 'tank/n/v': parent does not exist"),
    Case(
        "rename into itself",
        "zfs rename tank/a tank/a/c",
        "cannot rename to 'tank/a/c': New dataset name cannot be a descendant of current dataset name",
    ),
    Case("held twice", "zfs hold keep tank/a@t", "cannot hold snapshot 'tank/a@t': tag already exists on this dataset"),
    Case("not held", "zfs release no tank/a@t", "cannot release hold from snapshot 'tank/a@t': no such tag on this dataset"),
    Case("hold of no snapshot", "zfs hold keep tank/a", "'tank/a' is not a snapshot"),
    Case(
        "rollback over later ones",
        "zfs rollback tank/a@s",
        "cannot rollback to 'tank/a@s': more recent snapshots or bookmarks exist\n"
        "use '-r' to force deletion of the following snapshots and bookmarks:\ntank/a@t",
    ),
    Case("mounted already", "zfs mount tank/a", "cannot mount 'tank/a': filesystem already mounted"),
    Case("nothing to unmount", "zfs unmount tank/off", "cannot unmount 'tank/off': not currently mounted"),
    Case("canmount off", "zfs mount tank/off", "cannot mount 'tank/off': 'canmount' property is set to 'off'"),
    Case(
        "zoned",
        "zfs set mountpoint=/srv tank/zoned",
        "cannot set property for 'tank/zoned': 'mountpoint' cannot be set on dataset in a non-global zone",
    ),
    Case("mount of a zone's", "zfs mount tank/zoned", "cannot mount 'tank/zoned': dataset is exported to a local zone"),
    Case("list of what is gone", "zfs list tank/nope", "cannot open 'tank/nope': dataset does not exist"),
    Case("absent pool", "zpool list nope", "cannot open 'nope': no such pool"),
)


_MISUSES = (
    Case("no arguments", "zfs", "missing command", 2),
    Case("unknown subcommand", "zfs frobnicate", "unrecognized command 'frobnicate'", 2),
    Case("no version subcommand on illumos", "zfs version", "unrecognized command 'version'", 2),
    Case("unknown option", "zfs list -j", "invalid option 'j'", 2),
    Case("option after operands", "zfs list tank -H", "cannot open '-H': dataset does not exist", 1),
    Case("unknown property", "zfs get bogus tank", "bad property list: invalid property 'bogus'", 2),
    Case("unknown column", "zfs list -o name,bogus", "bad property list: invalid property 'bogus'", 2),
    Case("unknown field", "zfs get -o colour quota tank", "invalid column name 'colour'", 2),
    Case("unknown source", "zfs get -s colour quota tank", "invalid source 'colour'", 2),
    Case("unknown type", "zfs get -t colour quota tank", "invalid type 'colour'", 2),
    Case("unknown property to inherit", "zfs inherit bogus tank", "invalid property 'bogus'", 2),
    Case("nothing to set", "zfs set", "missing property=value argument(s)", 2),
    Case("nothing to set on", "zfs set atime=on", "missing dataset name(s)", 2),
    Case("a property after a name", "zfs set atime=on tank/a quota=1G", "invalid argument order", 2),
    Case("no operand", "zfs create", "missing filesystem argument", 2),
    Case("no volume", "zfs create -V 1G", "missing volume argument", 2),
    Case("two operands", "zfs create tank/y tank/z", "too many arguments", 2),
    Case("sparse filesystem", "zfs create -s tank/y", "'-s' and '-b' can only be used when creating a volume", 2),
    Case("snapshot of nothing", "zfs snapshot tank/nope@s", "cannot open 'tank/nope': dataset does not exist", 2),
    Case("one operand", "zfs rename tank/a", "missing target dataset argument", 2),
    Case("unknown pool column", "zpool list -o bogus", "bad property list: invalid property 'bogus'", 2),
    Case("unknown pool subcommand", "zpool frobnicate", "unrecognized command 'frobnicate'", 2),
)


@pytest.fixture
def furnished(omnios: EmulatedHost) -> EmulatedHost:
    """A host whose tank holds one of each: tree, snapshots, clone, hold, volume, zoned."""
    must(
        omnios,
        "zfs create -p tank/a/b",
        "zfs snapshot tank/a@s",
        "zfs snapshot tank/a@t",
        "zfs hold keep tank/a@t",
        "zfs clone tank/a@s tank/clone",
        "zfs create -V 1G tank/vol",
        "zfs create -o canmount=off tank/off",
        "zfs create -o zoned=on tank/zoned",
    )
    return omnios


@pytest.mark.parametrize("case", _REFUSALS, ids=lambda case: case.reason)
def test_a_refused_command_says_why_and_prints_nothing_else(furnished: EmulatedHost, case: Case) -> None:
    printed = run(furnished, case.line)

    assert (printed.exit_code, printed.stdout, printed.stderr) == (case.exit_code, "", case.complaint + "\n")


@pytest.mark.parametrize("case", _REFUSALS, ids=lambda case: case.reason)
def test_a_refused_command_changes_nothing(furnished: EmulatedHost, case: Case) -> None:
    before = run(furnished, "zfs get -Hpr all tank").stdout

    run(furnished, case.line)

    assert not furnished.transcript()[-1].changed
    assert run(furnished, "zfs get -Hpr all tank").stdout == before


@pytest.mark.parametrize("case", _MISUSES, ids=lambda case: case.reason)
def test_a_wrong_command_line_is_complained_of(furnished: EmulatedHost, case: Case) -> None:
    printed = run(furnished, case.line)

    assert (printed.exit_code, printed.stderr.splitlines()[0]) == (case.exit_code, case.complaint)


@pytest.mark.parametrize("case", [case for case in _MISUSES if case.exit_code == 2], ids=lambda case: case.reason)
def test_a_wrong_command_line_shows_the_usage(furnished: EmulatedHost, case: Case) -> None:
    assert "usage:" in run(furnished, case.line).stderr
