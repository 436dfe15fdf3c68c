"""The rules behind the emulated `zfs`: inheritance, received values, space, clones, holds."""

from __future__ import annotations

import pytest

from reconciler.emulation import EmulatedHost, EmulationError
from tests.emulation.console import must, run, value

MIB = 1 << 20
GIB = 1 << 30


def test_a_user_property_shows_on_children_as_inherited(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o org.ex:owner=me tank/a", "zfs create tank/a/b", "zfs snapshot tank/a/b@s")

    assert value(omnios, "tank/a", "org.ex:owner") == ("me", "local")
    assert value(omnios, "tank/a/b", "org.ex:owner") == ("me", "inherited from tank/a")
    assert value(omnios, "tank/a/b@s", "org.ex:owner") == ("me", "inherited from tank/a")


def test_quota_none_reads_zero_with_source_local(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o quota=1G tank/a", "zfs set quota=none tank/a")

    assert value(omnios, "tank/a", "quota") == ("0", "local")


def test_gzip_6_reads_back_as_gzip(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o compression=gzip-6 tank/a")

    assert value(omnios, "tank/a", "compression") == ("gzip", "local")


@pytest.mark.parametrize("size", ["1536M", "1.5g", "1.50GB", "1610612736"])
def test_sizes_are_stored_in_bytes_whatever_their_unit(omnios: EmulatedHost, size: str) -> None:
    must(omnios, f"zfs create -o quota={size} tank/a")

    assert value(omnios, "tank/a", "quota") == ("1610612736", "local")


def test_a_received_value_comes_back_only_with_inherit_s(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.receive("tank/a", "atime", "off")
    assert value(omnios, "tank/a", "atime") == ("off", "received")

    must(omnios, "zfs set atime=on tank/a")
    assert must(omnios, "zfs get -H -o value,source,received atime tank/a") == "on\tlocal\toff\n"

    must(omnios, "zfs inherit atime tank/a")
    assert must(omnios, "zfs get -H -o value,source,received atime tank/a") == "on\tdefault\toff\n"

    must(omnios, "zfs inherit -S atime tank/a")
    assert must(omnios, "zfs get -H -o value,source,received atime tank/a") == "off\treceived\toff\n"


def test_children_inherit_a_received_user_property(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b")

    omnios.storage.receive("tank/a", "dev.reconciler:owner", "other")

    assert value(omnios, "tank/a", "dev.reconciler:owner") == ("other", "received")
    assert value(omnios, "tank/a/b", "dev.reconciler:owner") == ("other", "inherited from tank/a")


def test_create_with_parents_leaves_what_is_there_alone(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p -o atime=off tank/a/b")
    assert value(omnios, "tank/a", "atime") == ("on", "default")

    must(omnios, "zfs create -p -o atime=on tank/a/b")

    assert value(omnios, "tank/a/b", "atime") == ("off", "local")


def test_a_volume_reserves_its_size_and_more(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -V 10G tank/v", "zfs create -s -V 10G tank/sparse")

    reserved = int(value(omnios, "tank/v", "refreservation")[0])

    assert 10 * GIB < reserved < 10.4 * GIB
    assert int(value(omnios, "tank/v", "used")[0]) == reserved
    assert value(omnios, "tank/sparse", "refreservation") == ("0", "default")


def test_the_reservation_of_a_volume_follows_its_size(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -V 10G tank/v", "zfs create -V 20G tank/w", "zfs set volsize=20G tank/v")

    assert value(omnios, "tank/v", "refreservation") == value(omnios, "tank/w", "refreservation")


def test_a_reservation_set_by_hand_does_not_follow_the_size(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -V 10G tank/v", "zfs set refreservation=1G tank/v", "zfs set volsize=20G tank/v")

    assert value(omnios, "tank/v", "refreservation") == (str(GIB), "local")


def test_what_is_written_counts_on_all_datasets_above(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b")
    before = {name: omnios.storage.dataset(name).used for name in ("tank", "tank/a", "tank/a/b")}

    omnios.storage.write("tank/a/b", 5 * MIB)

    after = {name: omnios.storage.dataset(name).used for name in before}
    assert after == {name: used + 5 * MIB for name, used in before.items()}
    assert omnios.storage.dataset("tank/a").properties["usedbychildren"].value == str(before["tank/a/b"] + 5 * MIB)


def test_a_quota_limits_what_can_be_written(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o quota=10M tank/a", "zfs create tank/a/b")

    with pytest.raises(EmulationError, match="tank/a/b: 10485760 bytes do not fit"):
        omnios.storage.write("tank/a/b", 10 * MIB)


def test_a_refquota_does_not_count_the_children(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o refquota=10M tank/a", "zfs create tank/a/b")

    omnios.storage.write("tank/a/b", 20 * MIB)

    assert omnios.storage.dataset("tank/a").available < 10 * MIB


def test_a_quota_below_what_is_used_is_refused(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 20 * MIB)

    assert run(omnios, "zfs set quota=10M tank/a").stderr == (
        "cannot set property for 'tank/a': size is less than current used or reserved space\n"
    )


def test_a_reservation_is_taken_from_what_the_others_have(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    before = omnios.storage.dataset("tank").available

    must(omnios, "zfs create -o reservation=1G tank/b")

    assert omnios.storage.dataset("tank").available == before - GIB
    assert omnios.storage.dataset("tank/b").available == before - 24 * 1024


def test_nothing_more_is_made_in_a_full_pool(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", omnios.storage.dataset("tank/a").available)

    assert run(omnios, "zfs create tank/b").stderr == "cannot create 'tank/b': out of space\n"
    assert must(omnios, "zpool list -Hp -o cap tank") == "96\n"


def test_a_snapshot_holds_what_is_erased_after_it(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 10 * MIB)
    must(omnios, "zfs snapshot tank/a@s")
    assert omnios.storage.dataset("tank/a@s").used == 0

    omnios.storage.erase("tank/a", 4 * MIB)

    assert omnios.storage.dataset("tank/a@s").used == 4 * MIB
    assert value(omnios, "tank/a", "usedbysnapshots") == (str(4 * MIB), "-")
    assert omnios.storage.dataset("tank/a").referenced == omnios.storage.dataset("tank/a@s").referenced - 4 * MIB


def test_destroying_a_snapshot_gives_back_what_only_it_held(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 10 * MIB)
    must(omnios, "zfs snapshot tank/a@s", "zfs snapshot tank/a@t")
    omnios.storage.erase("tank/a", 4 * MIB)
    held_by_both = omnios.storage.dataset("tank/a").used

    must(omnios, "zfs destroy tank/a@s")
    assert omnios.storage.dataset("tank/a").used == held_by_both
    assert omnios.storage.dataset("tank/a@t").used == 4 * MIB

    must(omnios, "zfs destroy tank/a@t")
    assert omnios.storage.dataset("tank/a").used == held_by_both - 4 * MIB


def test_a_rollback_brings_the_data_of_the_snapshot_back(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 10 * MIB)
    must(omnios, "zfs snapshot tank/a@s")
    referenced = omnios.storage.dataset("tank/a").referenced
    omnios.storage.erase("tank/a", 4 * MIB)
    omnios.storage.write("tank/a", 7 * MIB)

    must(omnios, "zfs rollback tank/a@s")

    assert omnios.storage.dataset("tank/a").referenced == referenced
    assert omnios.storage.dataset("tank/a").used == referenced
    assert omnios.storage.dataset("tank/a@s").used == 0


def test_a_clone_uses_only_what_is_written_to_it(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 10 * MIB)
    must(omnios, "zfs snapshot tank/a@s", "zfs clone tank/a@s tank/c")
    omnios.storage.write("tank/c", MIB)

    clone = omnios.storage.dataset("tank/c")

    assert (clone.origin, clone.used) == ("tank/a@s", MIB)
    assert clone.referenced == omnios.storage.dataset("tank/a").referenced + MIB
    assert value(omnios, "tank/a@s", "clones") == ("tank/c", "-")


def test_promoting_a_clone_turns_origin_and_space_around(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 10 * MIB)
    must(omnios, "zfs snapshot tank/a@old", "zfs snapshot tank/a@s", "zfs clone tank/a@s tank/c")
    before = omnios.storage.dataset("tank").used

    must(omnios, "zfs promote tank/c")

    assert omnios.storage.dataset("tank/a").origin == "tank/c@s"
    assert omnios.storage.dataset("tank/c").origin is None
    assert omnios.storage.names()[-5:] == ("tank", "tank/a", "tank/c", "tank/c@old", "tank/c@s")
    assert omnios.storage.dataset("tank/a").used == 0
    assert omnios.storage.dataset("tank").used == before


def test_renaming_moves_the_whole_tree_and_its_space(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs snapshot tank/a/b@s", "zfs create tank/trash")
    omnios.storage.write("tank/a/b", MIB)
    guid, total = omnios.storage.dataset("tank/a/b").guid, omnios.storage.dataset("tank").used

    must(omnios, "zfs rename tank/a tank/trash/1")

    assert [name for name in omnios.storage.names() if "trash" in name] == [
        "tank/trash", "tank/trash/1", "tank/trash/1/b", "tank/trash/1/b@s",
    ]  # fmt: skip
    assert omnios.storage.dataset("tank/trash/1/b").guid == guid
    assert omnios.storage.dataset("tank").used == total
    assert "/tank/trash/1/b\n" in must(omnios, "zfs mount")


def test_a_rename_within_a_full_pool_needs_no_room(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs create tank/trash")
    omnios.storage.write("tank/a", omnios.storage.dataset("tank/a").available)

    must(omnios, "zfs rename tank/a tank/trash/1")

    assert omnios.storage.exists("tank/trash/1")


def test_a_rename_into_too_small_a_quota_is_refused(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs create -o quota=1M tank/small")
    omnios.storage.write("tank/a", 5 * MIB)

    printed = run(omnios, "zfs rename tank/a tank/small/a")

    assert (printed.exit_code, printed.stderr) == (1, "cannot rename 'tank/a': out of space\n")
    assert value(omnios, "tank/a", "mounted") == ("yes", "-")


def test_a_clone_with_too_small_a_quota_can_not_be_promoted(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a")
    omnios.storage.write("tank/a", 5 * MIB)
    must(omnios, "zfs snapshot tank/a@s", "zfs clone -o quota=1M tank/a@s tank/c")

    assert run(omnios, "zfs promote tank/c").stderr == "cannot promote 'tank/c': out of space\n"


def test_rename_makes_parents_when_asked(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs rename -p tank/a tank/x/y/a")

    assert omnios.storage.exists("tank/x/y/a")


def test_recursive_snapshots_share_their_transaction(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs snapshot -r -o org.ex:x=1 tank/a@s")

    assert value(omnios, "tank/a@s", "createtxg") == value(omnios, "tank/a/b@s", "createtxg")
    assert value(omnios, "tank/a/b@s", "org.ex:x") == ("1", "local")


def test_several_snapshots_are_taken_together_or_not_at_all(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs create tank/b", "zfs snapshot tank/a@s tank/b@s")

    refused = run(omnios, "zfs snapshot tank/a@t tank/b@s")

    assert refused.exit_code == 1
    assert not omnios.storage.exists("tank/a@t")


def test_a_deferred_snapshot_goes_with_its_last_hold(omnios: EmulatedHost) -> None:
    must(omnios, "zfs snapshot tank@s", "zfs hold one tank@s", "zfs hold two tank@s", "zfs destroy -d tank@s")
    assert value(omnios, "tank@s", "defer_destroy") == ("on", "-")
    assert value(omnios, "tank@s", "userrefs") == ("2", "-")

    must(omnios, "zfs release one tank@s")
    assert omnios.storage.exists("tank@s")

    must(omnios, "zfs release two tank@s")
    assert not omnios.storage.exists("tank@s")


def test_a_deferred_snapshot_goes_with_its_last_clone(omnios: EmulatedHost) -> None:
    must(omnios, "zfs snapshot tank@s", "zfs clone tank@s tank/c", "zfs destroy -d tank@s")

    must(omnios, "zfs destroy tank/c")

    assert not omnios.storage.exists("tank@s")


def test_destroy_r_goes_as_far_as_it_can(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -p tank/a/b", "zfs create tank/a/c", "zfs snapshot tank/a/c@s", "zfs hold keep tank/a/c@s")

    refused = run(omnios, "zfs destroy -r tank/a")

    assert refused.stderr == "cannot destroy snapshot tank/a/c@s: dataset is busy\n"
    assert not omnios.storage.exists("tank/a/b")
    assert omnios.storage.exists("tank/a/c@s")


def test_destroy_capital_r_takes_the_clones_along(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create tank/a", "zfs snapshot tank/a@s", "zfs clone tank/a@s tank/c", "zfs create tank/c/d")

    must(omnios, "zfs destroy -R tank/a")

    assert [name for name in omnios.storage.names() if name.startswith("tank")] == ["tank"]


def test_a_new_filesystem_takes_after_its_parent_in_how_it_compares_names(omnios: EmulatedHost) -> None:
    must(omnios, "zfs create -o normalization=formC tank/a", "zfs create tank/a/b")

    assert value(omnios, "tank/a/b", "normalization") == ("formC", "-")
    assert value(omnios, "tank/a/b", "utf8only") == ("on", "-")


def test_reading_a_pool_takes_as_many_queries_however_many_datasets_it_has(omnios: EmulatedHost) -> None:
    def queries_of_a_read() -> int:
        counted: list[str] = []
        omnios._state._connection.set_trace_callback(counted.append)
        must(omnios, "zfs get -Hp -r -o name,property,value,source all tank")
        omnios._state._connection.set_trace_callback(None)
        return len(counted)

    must(omnios, *(f"zfs create -o org.ex:n={number} tank/a{number}" for number in range(20)))
    few = queries_of_a_read()
    must(omnios, *(f"zfs create -o org.ex:n={number} tank/b{number}" for number in range(80)))

    assert queries_of_a_read() == few
