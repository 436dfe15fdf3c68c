"""What comes back from the trash is what went in, and it goes for good only when asked."""

import json
from pathlib import Path

import pytest

from reconciler.cli.main import run
from tests.e2e.ground import Ground, Said, dataset, real, volume
from tests.zfs_fuse import RealPool


def trash(ground: Ground, command: str, *arguments: str) -> Said:
    """`reconciler trash COMMAND` over the ground's tree."""
    ground.capture.readouterr()
    code = run(["trash", command, *arguments[:1], str(ground.tree), "--state", str(ground.state), *arguments[1:]])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def entries(ground: Ground) -> list[dict[str, object]]:
    ground.capture.readouterr()
    assert run(["trash", "list", str(ground.tree), "--state", str(ground.state), "--output", "json"]) == 0
    (host,) = json.loads(ground.capture.readouterr().out)["hosts"]
    found: list[dict[str, object]] = host["entries"]
    return found


def portrait(ground: Ground, *names: str) -> dict[str, object]:
    """Everything that can be set on the objects with its source, guids, mounts and snapshots."""
    changing = {"used", "available", "referenced", "usedbydataset", "usedbychildren", "usedbysnapshots", "compressratio"}
    changing |= {"refcompressratio", "logicalused", "logicalreferenced", "written", "usedbyrefreservation", "createtxg"}
    found: dict[str, object] = {}
    for name in names:
        rows = [line.split("\t") for line in ground.zfs("get", "-Hp", "-o", "property,value,source", "all", name).splitlines()]
        found[name] = sorted(row for row in rows if row[0] not in changing)
        snapshots = ground.zfs("list", "-H", "-r", "-d", "1", "-t", "snapshot", "-o", "name", name).split()
        found[f"{name}@"] = [(one, ground.value(one, "guid")) for one in snapshots]
    return found


def tree_of(ground: Ground) -> list[str]:
    p = ground.pool
    manifests = [
        dataset(f"{p}/a", quota="512MiB", compression=ground.compression, site__room="ü 'x'"),
        dataset(f"{p}/a/b", "{trashTtl: null}", atime="off", refreservation="1MiB"),
        dataset(f"{p}/a/b/c", canmount="noauto"),
        dataset(f"{p}/a/quiet", mountpoint="none"),
    ]
    return [*manifests, volume(f"{p}/a/v", "64MiB")] if ground.has_volumes else manifests


def names_of(ground: Ground) -> list[str]:
    p = ground.pool
    return [f"{p}/a", f"{p}/a/b", f"{p}/a/b/c", f"{p}/a/quiet", *([f"{p}/a/v"] if ground.has_volumes else [])]


def removed(ground: Ground) -> dict[str, object]:
    """The tree, made, with snapshots, and removed again; what it was like."""
    ground.write(*tree_of(ground))
    ground.converges()
    for name in names_of(ground):
        ground.zfs("snapshot", f"{name}@kept")
    before = portrait(ground, *names_of(ground))
    ground.write()
    ground.converges()
    assert not ground.names() & set(names_of(ground))
    return before


def test_a_tree_that_was_removed_comes_back_as_it_was(ground: Ground) -> None:
    before = removed(ground)

    ground.write(*tree_of(ground))
    blocked = ground.apply()
    restored = trash(ground, "restore", f"h/Dataset/{ground.pool}/a", "--yes")

    assert blocked.exit_code == 3
    assert blocked.err.count("inTrash") == len(names_of(ground))
    assert f"reconciler trash restore h/Dataset/{ground.pool}/a" in blocked.err
    assert restored.exit_code == 0, restored.out + restored.err
    assert portrait(ground, *names_of(ground)) == before
    assert entries(ground) == []
    assert ground.reconciler("plan", "--exit-code").exit_code == 0


def test_one_object_comes_back_alone_where_asked(ground: Ground) -> None:
    removed(ground)

    missing = trash(ground, "restore", f"h/Dataset/{ground.pool}/a/b", "--only", "--yes")
    parent = trash(ground, "restore", f"h/Dataset/{ground.pool}/a", "--only", "--yes")

    assert missing.exit_code == 3
    assert "it lay in" in missing.err
    assert parent.exit_code == 0
    assert "no manifest names" in parent.err
    assert ground.names() & set(names_of(ground)) == {f"{ground.pool}/a"}


def test_a_group_is_listed_with_its_age_and_what_it_holds(ground: Ground) -> None:
    removed(ground)

    listed = entries(ground)
    shown = trash(ground, "list")

    assert {str(entry["key"]).partition("/")[2].partition("/")[2] for entry in listed} == set(names_of(ground))
    assert len({str(entry["group"]) for entry in listed}) == 1
    assert all(entry["snapshots"] == 1 for entry in listed)
    assert [entry["key"] for entry in listed if entry["expiresAt"] is None] == [f"h/Dataset/{ground.pool}/a/b"]
    assert "never expires" in shown.out
    assert "expires in 13d23h" in shown.out


def test_a_taken_name_blocks_the_way_back(ground: Ground) -> None:
    removed(ground)
    ground.zfs("create", f"{ground.pool}/a")

    refused = trash(ground, "restore", f"h/Dataset/{ground.pool}/a", "--yes")

    assert refused.exit_code == 3
    assert "nameTaken" in refused.err
    assert len(entries(ground)) == len(names_of(ground))


def test_purging_destroys_what_was_asked_for_and_leaves_nothing_of_the_place(ground: Ground) -> None:
    p, before = ground.pool, ground.names()
    removed(ground)
    group = str(entries(ground)[0]["group"])

    one = trash(ground, "purge", f"h/Dataset/{p}/a/b/c", "--yes")
    left = {str(entry["key"]) for entry in entries(ground)}
    rest = trash(ground, "purge", group, "--yes")

    assert one.exit_code == 0, one.err
    assert "DATA LOSS" in one.err
    assert f"h/Dataset/{p}/a/b/c" not in left
    assert len(left) == len(names_of(ground)) - 1
    assert rest.exit_code == 0, rest.err
    assert ground.names() == before


def test_nothing_is_purged_as_expired_before_its_time(ground: Ground) -> None:
    ground.write(dataset(f"{ground.pool}/a", "{trashTtl: 0s}"), dataset(f"{ground.pool}/b"))
    ground.converges()
    ground.write()
    ground.converges()

    ground.capture.readouterr()
    code = run(["trash", "purge", "--expired", str(ground.tree), "--state", str(ground.state), "--yes"])

    assert code == 0
    assert [entry["key"] for entry in entries(ground)] == [f"h/Dataset/{ground.pool}/b"]


def test_all_of_the_trash_is_purged_when_asked_for(ground: Ground) -> None:
    before = ground.names()
    removed(ground)

    ground.capture.readouterr()
    code = run(["trash", "purge", "--all", str(ground.tree), "--state", str(ground.state), "--yes"])

    assert code == 0
    assert entries(ground) == []
    assert ground.names() == before
    assert run(["trash", "purge", "--all", str(ground.tree), "--state", str(ground.state), "--yes"]) == 0
    assert "nothing lies in the trash" in ground.capture.readouterr().err
    assert run(["trash", "purge", "--all", "--expired", str(ground.tree)]) == 64


def test_what_is_held_in_the_trash_is_not_purged(ground: Ground) -> None:
    removed(ground)
    name = next(str(entry["name"]) for entry in entries(ground) if str(entry["key"]).endswith("/a"))
    ground.zfs("hold", "keep", f"{name}@kept")

    refused = trash(ground, "purge", f"h/Dataset/{ground.pool}/a", "--yes")

    assert refused.exit_code == 3
    assert "is held" in refused.err
    assert ground.value(f"{name}@kept", "userrefs")[0] == "1"
    ground.zfs("release", "keep", f"{name}@kept")


@pytest.mark.real
def test_files_come_back_to_the_byte(tmp_path: Path, pool: RealPool, capsys: pytest.CaptureFixture[str]) -> None:
    ground = real(tmp_path, pool.name, capsys)
    name = f"{ground.pool}/files"
    ground.write(dataset(name), dataset(f"{name}/below"))
    ground.converges()
    content = {"one.bin": bytes(range(256)) * 4096, "ü.txt": "grüße\n".encode(), "below/deep.txt": b"deep"}
    place = Path(ground.value(name, "mountpoint")[0])
    for path, data in content.items():
        (place / path).write_bytes(data)
    (place / "one.bin").chmod(0o640)
    ground.zfs("snapshot", f"{name}@before")
    (place / "later").write_bytes(b"after the snapshot")
    ground.write()
    ground.converges()
    assert not (place / "one.bin").exists()

    ground.write(dataset(name), dataset(f"{name}/below"))
    restored = trash(ground, "restore", f"h/Dataset/{name}", "--yes")

    assert restored.exit_code == 0, restored.err
    assert {path: (place / path).read_bytes() for path in content} == content
    assert (place / "later").read_bytes() == b"after the snapshot"
    assert (place / "one.bin").stat().st_mode & 0o777 == 0o640
    assert ground.zfs("list", "-H", "-t", "snapshot", "-o", "name", "-r", name).split() == [f"{name}@before"]
    assert ground.reconciler("plan", "--exit-code").exit_code == 0


def test_a_directory_alone_is_not_taken_for_a_group(ground: Ground) -> None:
    for command in ("restore", "purge"):
        ground.capture.readouterr()
        code = run(["trash", command, str(ground.tree), "--state", str(ground.state), "--yes"])

        assert code == 64
        assert "before the directory" in ground.capture.readouterr().err
