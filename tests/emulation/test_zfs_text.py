"""What the emulated `zfs` of illumos says, to the byte where illumos-cli.md gives the text."""

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


def test_the_golden_get_sample_is_printed_as_the_reference_has_it(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o quota=10G -o org.ex:owner=o tank/a", "zfs create tank/a/b")

    printed = must(omnios, "zfs get -Hp -o name,property,value,source quota,org.ex:owner,mountpoint tank/a tank/a/b")

    assert printed == (
        "tank/a\tquota\t10737418240\tlocal\n"
        "tank/a\torg.ex:owner\to\tlocal\n"
        "tank/a\tmountpoint\t/tank/a\tdefault\n"
        "tank/a/b\tquota\t0\tdefault\n"
        "tank/a/b\torg.ex:owner\to\tinherited from tank/a\n"
        "tank/a/b\tmountpoint\t/tank/a/b\tdefault\n"
    )


def test_what_can_not_be_opened_does_not_keep_the_others_back(omnios: EmulatedHost) -> None:
    printed = run(omnios, "zfs list -H -o name tank/nope tank rpool/nope")

    assert printed.exit_code == 1
    assert printed.stdout == "tank\n"
    assert printed.stderr == (
        "cannot open 'tank/nope': dataset does not exist\ncannot open 'rpool/nope': dataset does not exist\n"
    )


def test_a_list_shows_a_parent_before_its_snapshots_before_its_children(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/b/c", "zfs create tank/a", "zfs snapshot tank/b@z", "zfs snapshot tank/b@y")

    assert must(omnios, "zfs list -H -t all -o name -r tank").split() == [
        "tank", "tank/a", "tank/b", "tank/b@z", "tank/b@y", "tank/b/c",
    ]  # fmt: skip


def test_an_empty_list_prints_nothing_for_programs_and_a_sentence_for_people(omnios: EmulatedHost) -> None:
    assert must(omnios, "zfs list -H -t snapshot") == ""
    assert must(omnios, "zfs list -t snapshot") == "no datasets available\n"


def test_a_tab_in_a_user_property_comes_out_raw(omnios: EmulatedHost) -> None:
    omnios.run(["zfs", "create", "-o", "a:b=one\ttwo", "tank/a"])

    assert must(omnios, "zfs get -Hp a:b tank/a") == "tank/a\ta:b\tone\ttwo\tlocal\n"


def test_bytes_that_are_no_text_come_back_as_they_went_in(omnios: EmulatedHost) -> None:
    raw = b"\xff\xfe".decode("utf-8", "surrogateescape")

    omnios.run(["zfs", "create", "-o", f"a:b={raw}", "tank/a"])

    assert omnios.run(["zfs", "get", "-H", "-o", "value", "a:b", "tank/a"]).stdout == b"\xff\xfe\n"


def test_a_user_property_that_nobody_set_reads_as_dashes(omnios: EmulatedHost) -> None:
    assert must(omnios, "zfs get -H org.ex:none tank") == "tank\torg.ex:none\t-\t-\n"


def test_a_property_that_a_type_does_not_have_reads_as_dashes(omnios: EmulatedHost) -> None:
    assert must(omnios, "zfs get -H volsize,origin tank") == "tank\tvolsize\t-\t-\ntank\torigin\t-\t-\n"


def test_no_limit_is_the_largest_number_for_programs_and_none_for_people(omnios: EmulatedHost) -> None:
    assert must(omnios, "zfs get -Hp -o value filesystem_limit,quota tank") == "18446744073709551615\n0\n"
    assert must(omnios, "zfs get -H -o value filesystem_limit,quota tank") == "none\nnone\n"


def test_sizes_for_people_have_three_digits(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o quota=1536M -o recordsize=128K tank/a")

    assert must(omnios, "zfs get -H -o value quota,recordsize,compressratio tank/a") == "1.50G\n128K\n1.00x\n"


def test_only_the_types_asked_for_are_read(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -V 1G tank/v", "zfs snapshot tank@s")

    assert must(omnios, "zfs get -Hp -r -t volume -o name type tank") == "tank/v\n"
    assert must(omnios, "zfs get -Hp -r -t filesystem,snapshot -o name type tank") == "tank\ntank@s\n"


def test_only_the_sources_asked_for_are_read(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o atime=off tank/a", "zfs create tank/a/b")

    assert must(omnios, "zfs get -H -r -s local -o name,value atime tank") == "tank/a\toff\n"
    assert must(omnios, "zfs get -H -r -s inherited -o name,source atime tank") == "tank/a/b\tinherited from tank/a\n"


def test_a_dry_run_names_what_would_go_and_how_much_it_gives_back(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs snapshot tank/a@s")

    printed = must(omnios, "zfs destroy -nvp -r tank/a")

    assert printed == "destroy\ttank/a/b\ndestroy\ttank/a@s\ndestroy\ttank/a\nreclaim\t49152\n"
    assert omnios.storage.exists("tank/a/b")


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ("s2%s3", ["s1", "s4"]),
        ("%s2", ["s3", "s4"]),
        ("s3%", ["s1", "s2"]),
        ("s1,s4", ["s2", "s3"]),
        ("s1,s3%s4", ["s2"]),
        ("s1,nope", ["s2", "s3", "s4"]),
    ],
)
def test_ranges_and_lists_of_snapshots_go_together(omnios: EmulatedHost, spec: str, left: list[str]) -> None:
    must(omnios, *(f"zfs snapshot tank@s{number}" for number in range(1, 5)))

    must(omnios, f"zfs destroy tank@{spec}")

    assert [name.partition("@")[2] for name in omnios.storage.names() if "@" in name] == left


def test_several_properties_are_set_by_one_command(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs set quota=1G atime=off org.ex:x=1 tank/a")

    assert must(omnios, "zfs get -Hp -o value quota,atime,org.ex:x tank/a") == "1073741824\noff\n1\n"


def test_one_bad_value_keeps_all_of_a_command_back(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")

    refused = run(omnios, "zfs set atime=off quota=nonsense tank/a")

    assert refused.exit_code == 1
    assert must(omnios, "zfs get -H -o value,source atime tank/a") == "on\tdefault\n"


def test_the_v23_dialect_takes_a_second_property_for_a_dataset(linux: EmulatedHost) -> None:
    printed = run(linux, "zfs set atime=off compression=off tank")

    assert (printed.exit_code, printed.stderr) == (1, "cannot open 'compression=off': invalid dataset name\n")
    assert must(linux, "zfs get -H -o value atime tank") == "off\n"


def test_the_v23_dialect_aborts_on_volumes(linux: EmulatedHost) -> None:
    printed = run(linux, "zfs create -V 1G tank/v")

    assert (printed.exit_code, printed.stderr) == (-6, "internal error: Function not implemented\n")


def test_holds_are_broken_in_the_v23_dialect_and_listed_on_illumos(linux: EmulatedHost, omnios: EmulatedHost) -> None:
    must(omnios, "zfs snapshot tank@s", "zfs hold keep tank@s")

    assert run(linux, "zfs holds tank@s").exit_code == 255
    assert must(omnios, "zfs holds -H tank@s") == "tank@s\tkeep\tFri Jan 15 08:00 2027\n"


def test_the_pools_of_a_host_are_listed_with_exact_numbers(omnios: EmulatedHost, linux: EmulatedHost) -> None:
    assert must(omnios, "zpool list -Hp -o name,size,health,cap,dedup tank") == f"tank\t{1 << 40}\tONLINE\t0\t1.00x\n"
    assert must(linux, "zpool list -H -o name,size,health,cap") == "tank\t1T\tONLINE\t0%\n"
    assert run(linux, "zpool list -Hp").complaint == "invalid option 'p'\n"


def test_a_pool_tells_its_properties_with_their_source(omnios: EmulatedHost) -> None:
    assert must(omnios, "zpool get -Hp version,health,feature@lz4_compress tank") == (
        "tank\tversion\t-\tdefault\ntank\thealth\tONLINE\t-\ntank\tfeature@lz4_compress\tactive\tlocal\n"
    )


def test_a_sick_pool_is_no_longer_called_healthy(omnios: EmulatedHost) -> None:
    assert must(omnios, "zpool status -x") == "all pools are healthy\n"
    assert must(omnios, "zpool status -x tank") == "pool 'tank' is healthy\n"

    omnios.storage.set_pool_health("tank", "DEGRADED")

    assert "  pool: tank\n state: DEGRADED\n" in must(omnios, "zpool status -x")
    assert must(omnios, "zpool list -H -o health tank rpool") == "DEGRADED\nONLINE\n"
