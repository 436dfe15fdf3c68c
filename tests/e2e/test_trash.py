"""Removal by the default lifecycle: what goes into the trash keeps its data, and its key waits for it."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.ground import Ground, dataset, real, volume
from tests.zfs_fuse import RealPool

REPLACE = "{disruption: replace}"
PROPERTIES = ("guid", "quota", "compression", "atime", "volsize", "site:room", "dev.reconciler:key")


def entries(ground: Ground) -> dict[str, str]:
    """Key in the mark of each entry in the trash, by the name it has there."""
    trash = f"{ground.pool}/.reconciler-trash/"
    found = {name: ground.value(name, "dev.reconciler:key")[0] for name in ground.names() if name.startswith(trash)}
    return {name: key for name, key in found.items() if ground.value(name, "dev.reconciler:key")[1] == "local"}


def entry_of(ground: Ground, key: str) -> str:
    (name,) = [name for name, marked in entries(ground).items() if marked == key]
    return name


def note_of(ground: Ground, name: str) -> Mapping[str, object]:
    value, source = ground.value(name, "dev.reconciler:trash")
    assert source == "local"
    found: Mapping[str, object] = json.loads(value)
    return found


def set_here(ground: Ground, name: str) -> dict[str, str]:
    """What is set on the object itself, and its guid."""
    found = {prop: ground.value(name, prop) for prop in PROPERTIES}
    return {prop: value for prop, (value, source) in found.items() if source in ("local", "-") and value != "-"}


def tree(ground: Ground) -> tuple[str, ...]:
    """Manifests of a small tree: datasets in one another with properties, and a volume where there are volumes."""
    p = ground.pool
    made = (
        dataset(f"{p}/a", quota="64MiB", compression=ground.compression, site__room="a"),
        dataset(f"{p}/a/b", atime="off"),
        dataset(f"{p}/a/b/c", canmount="off"),
    )
    return (*made, volume(f"{p}/a/v", "16MiB")) if ground.has_volumes else made


def test_a_tree_with_snapshots_and_a_clone_goes_into_the_trash_in_one_apply(ground: Ground) -> None:
    p, keep = ground.pool, dataset(f"{ground.pool}/keep")
    ground.write(keep)
    ground.converges()
    staying = ground.names()
    ground.write(keep, *tree(ground))
    ground.converges()
    ground.zfs("snapshot", f"{p}/a/b@one")
    clone = dataset(f"{p}/clone").replace("spec: {}", f"spec:\n  origin: {p}/a/b@one")
    ground.write(keep, *tree(ground), clone)
    ground.converges()
    gone = ground.names() - staying
    before = {name: set_here(ground, name) for name in gone}

    ground.write(keep)
    planned = ground.reconciler("plan")
    ground.converges()

    assert "DATA LOSS" not in planned.out
    assert "goes to the trash with" in planned.out
    assert "zfs destroy" not in planned.out
    names = {key.partition("/")[2]: name for name, key in entries(ground).items()}
    assert names.keys() == gone
    assert ground.names() == {*staying, f"{p}/.reconciler-trash", *names.values()}
    assert {was: set_here(ground, now) for was, now in names.items()} == before
    assert ground.zfs("list", "-H", "-t", "snapshot", "-o", "name").split() == [f"{names[f'{p}/a/b']}@one"]
    assert {note_of(ground, name)["group"] for name in names.values()} == {note_of(ground, names[f"{p}/a"])["group"]}
    for was, now in names.items():
        if was != f"{p}/a/v":
            assert ground.value(now, "mounted")[0] == "no"
            assert ground.value(now, "canmount")[0] in ("noauto", "off")


def test_putting_the_manifests_back_waits_for_what_lies_in_the_trash(ground: Ground) -> None:
    keep = dataset(f"{ground.pool}/keep")
    ground.write(keep, *tree(ground))
    ground.converges()
    ground.write(keep)
    ground.converges()
    before = ground.names()

    ground.write(keep, *tree(ground))
    refused = ground.apply()

    assert refused.exit_code == 3, refused.out + refused.err
    assert "inTrash" in refused.err
    for name in sorted(set(entries(ground).values())):
        assert f"reconciler trash restore h/{name}" in refused.out + refused.err
        assert f"reconciler trash purge h/{name}" in refused.out + refused.err
    assert ground.names() == before


def test_a_removed_manifest_and_another_kind_of_the_same_name_change_places(ground: Ground) -> None:
    if not ground.has_volumes:
        return
    name, keep = f"{ground.pool}/a", dataset(f"{ground.pool}/keep")
    ground.write(keep, dataset(name))
    ground.converges()

    ground.write(keep, volume(name, "16MiB"))
    ground.converges()

    assert ground.value(name, "type")[0] == "volume"
    assert ground.value(entry_of(ground, f"Dataset/{name}"), "type")[0] == "filesystem"


def test_a_replacement_keeps_the_old_one_in_the_trash(ground: Ground) -> None:
    name = f"{ground.pool}/a"
    ground.write(dataset(name, REPLACE, normalization="none"))
    ground.converges()
    old = ground.value(name, "guid")

    ground.write(dataset(name, REPLACE, normalization="formD"))
    ground.converges()

    assert ground.value(name, "guid") != old
    assert ground.value(name, "normalization")[0] == "formD"
    kept = entry_of(ground, f"Dataset/{name}")
    assert ground.value(kept, "guid") == old
    assert note_of(ground, kept)["replaced"] is True


@pytest.mark.real
def test_files_are_kept_by_removal_and_by_replacement(
    pool: RealPool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ground = real(tmp_path, pool.name, capsys)
    removed, replaced, keep = f"{pool.name}/removed", f"{pool.name}/replaced", dataset(f"{pool.name}/keep")
    ground.write(keep, dataset(removed), dataset(replaced, REPLACE, normalization="none"))
    ground.converges()
    for name in (removed, replaced):
        (Path(ground.value(name, "mountpoint")[0]) / "letter").write_text(f"of {name}")

    ground.write(keep, dataset(replaced, REPLACE, normalization="formD"))
    ground.converges()

    assert list(Path(ground.value(replaced, "mountpoint")[0]).iterdir()) == []
    for name in (removed, replaced):
        entry, seen = entry_of(ground, f"Dataset/{name}"), tmp_path / name.rpartition("/")[2]
        ground.zfs("set", f"mountpoint={seen}", entry)
        ground.zfs("mount", entry)
        assert (seen / "letter").read_text() == f"of {name}"
        ground.zfs("unmount", entry)
