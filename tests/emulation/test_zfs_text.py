"""What the emulated `zfs` of illumos prints, to the byte where illumos-cli.md gives the text."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run


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
