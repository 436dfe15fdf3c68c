"""The main job: a tree is applied, changed, and kept, on each kind of host."""

from tests.e2e.ground import Ground, dataset, volume

DELETE = "{onRemoval: delete}"


def test_from_nothing_one_apply_converges_and_the_next_plan_is_empty(ground: Ground) -> None:
    p = ground.pool
    ground.write(dataset(f"{p}/data", atime="off"), dataset(f"{p}/data/web", quota="64MiB", compression=ground.compression))

    ground.converges()

    assert ground.value(f"{p}/data/web", "quota") == (str(64 << 20), "local")
    assert ground.value(f"{p}/data/web", "compression") == (ground.compression, "local")
    assert ground.value(f"{p}/data/web", "atime")[0] == "off"
    assert ground.value(f"{p}/data/web", "dev.reconciler:owner") == ("tests", "local")


def test_a_changed_value_converges_in_one_pass(ground: Ground) -> None:
    name = f"{ground.pool}/data"
    ground.write(dataset(name, quota="64MiB", site__room="a"))
    ground.converges()

    ground.write(dataset(name, quota="96MiB", site__room="b", recordsize="16K"))
    ground.converges()

    assert ground.value(name, "quota")[0] == str(96 << 20)
    assert ground.value(name, "site:room")[0] == "b"
    assert ground.value(name, "recordsize")[0] == "16384"


def test_null_takes_a_value_away_and_a_removed_line_leaves_it(ground: Ground) -> None:
    name = f"{ground.pool}/data"
    ground.write(dataset(name, quota="64MiB", refquota="64MiB", compression=ground.compression, atime="off", site__room="a"))
    ground.converges()

    ground.write(dataset(name, quota="null", compression="null", site__room="null"))
    planned = ground.reconciler("plan")
    ground.converges()

    assert "released" in planned.out
    assert "refquota" in planned.out
    assert ground.value(name, "quota")[0] == "0"
    assert ground.value(name, "compression")[1] != "local"
    assert ground.value(name, "site:room") == ("-", "-")
    assert ground.value(name, "atime") == ("off", "local")
    assert ground.value(name, "refquota")[0] == str(64 << 20)


def test_removal_by_delete_takes_children_first_and_leaves_the_rest(ground: Ground) -> None:
    p = ground.pool
    kept = dataset(f"{p}/keep")
    ground.write(kept, dataset(f"{p}/a", DELETE), dataset(f"{p}/a/b", DELETE), dataset(f"{p}/a/b/c", DELETE))
    ground.converges()
    before = ground.names()

    ground.write(kept)
    ground.converges()

    assert before - ground.names() == {f"{p}/a", f"{p}/a/b", f"{p}/a/b/c"}


def test_removal_with_snapshots_needs_consent_and_names_each(ground: Ground) -> None:
    name, keep = f"{ground.pool}/a", dataset(f"{ground.pool}/keep")
    ground.write(keep, dataset(name, DELETE))
    ground.converges()
    ground.zfs("snapshot", f"{name}@one")
    ground.zfs("snapshot", f"{name}@two")

    ground.write(keep)
    refused = ground.apply()
    ground.write(keep, dataset(name, "{onRemoval: delete, deleteSnapshots: true}"))
    ground.converges()
    ground.write(keep)
    planned = ground.reconciler("plan")
    ground.converges()

    assert refused.exit_code == 3
    assert "dataAtRisk" in refused.err
    assert f"zfs destroy {name}@one" in planned.out
    assert f"zfs destroy {name}@two" in planned.out
    assert name not in ground.names()


def test_a_rename_keeps_the_object_and_what_lies_in_it(ground: Ground) -> None:
    p = ground.pool
    ground.write(dataset(f"{p}/old", quota="64MiB"), dataset(f"{p}/old/inner"))
    ground.converges()
    guids = {name: ground.value(f"{p}/old{name}", "guid") for name in ("", "/inner")}

    ground.write(dataset(f"{p}/new", moved_from=f"{p}/old", quota="96MiB"), dataset(f"{p}/new/inner"))
    ground.converges()

    assert {name: ground.value(f"{p}/new{name}", "guid") for name in ("", "/inner")} == guids
    assert f"{p}/old" not in ground.names()
    assert ground.value(f"{p}/new", "quota")[0] == str(96 << 20)


def test_drift_behind_our_back_is_corrected(ground: Ground) -> None:
    p = ground.pool
    ground.write(dataset(f"{p}/a", quota="64MiB", site__room="a"), dataset(f"{p}/b"))
    ground.converges()
    ground.zfs("set", "quota=32M", f"{p}/a")
    ground.zfs("inherit", "site:room", f"{p}/a")
    ground.zfs("destroy", f"{p}/b")

    pending = ground.reconciler("plan", "--exit-code")
    ground.converges()

    assert pending.exit_code == 2
    assert ground.value(f"{p}/a", "quota")[0] == str(64 << 20)
    assert f"{p}/b" in ground.names()


def test_unmanaged_objects_are_never_touched_and_naming_one_is_blocked(ground: Ground) -> None:
    p = ground.pool
    ground.zfs("create", "-o", "quota=32M", f"{p}/theirs")
    before = ground.zfs("get", "-Hp", "-o", "property,value,source", "guid,quota,compression", f"{p}/theirs")
    ground.write(dataset(f"{p}/ours"))
    ground.converges()

    ground.write(dataset(f"{p}/ours"), dataset(f"{p}/theirs", quota="64MiB"))
    refused = ground.apply()

    assert refused.exit_code == 3
    assert "notOurs" in refused.err
    assert ground.zfs("get", "-Hp", "-o", "property,value,source", "guid,quota,compression", f"{p}/theirs") == before


def test_protection_outlives_the_manifest(ground: Ground) -> None:
    name, keep = f"{ground.pool}/a", dataset(f"{ground.pool}/keep")
    ground.write(keep, dataset(name, "{onRemoval: delete, protect: removal}"))
    ground.converges()

    ground.write(keep)
    refused = ground.apply()
    ground.write(keep, dataset(name, DELETE))
    ground.converges()
    ground.write(keep)
    ground.converges()

    assert refused.exit_code == 3
    assert "protected" in refused.err
    assert name not in ground.names()


def test_without_the_state_file_everything_of_ours_is_known_again(ground: Ground) -> None:
    p = ground.pool
    ground.write(dataset(f"{p}/a", quota="64MiB"), dataset(f"{p}/b", DELETE))
    ground.converges()
    for file in ground.state.glob("reconciler.sqlite*"):
        file.unlink()

    ground.write(dataset(f"{p}/a", quota="64MiB"))
    ground.converges()

    assert f"{p}/b" not in ground.names()


def test_a_replacement_needs_permission_and_makes_a_new_object(ground: Ground) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name, DELETE, casesensitivity="sensitive"))
    ground.converges()
    first = ground.value(name, "guid")

    ground.write(dataset(name, DELETE, casesensitivity="mixed"))
    refused = ground.apply()
    ground.write(dataset(name, "{onRemoval: delete, disruption: replace}", casesensitivity="mixed"))
    ground.converges()

    assert refused.exit_code == 3
    assert "disruption" in refused.err
    assert ground.value(name, "guid") != first
    assert ground.value(name, "casesensitivity")[0] == "mixed"


def test_a_volume_grows_and_does_not_shrink(ground: Ground) -> None:
    name = f"{ground.pool}/vol"
    ground.write(volume(name, "64MiB", DELETE))
    size = "volsize" if ground.has_volumes else "dev.reconciler:volsize"
    ground.converges()

    ground.write(volume(name, "96MiB", DELETE))
    ground.converges()
    grown = ground.value(name, size)[0]
    ground.write(volume(name, "64MiB", DELETE))
    refused = ground.apply()

    assert grown == str(96 << 20)
    assert refused.exit_code == 3
    assert "dataAtRisk" in refused.err
    assert ground.value(name, size)[0] == grown
