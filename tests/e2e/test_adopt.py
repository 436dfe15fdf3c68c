"""`reconciler adopt`: what it writes down of a host is adopted without one field change, whatever was set there."""

import json
import stat
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.provider.registry import Registry
from tests.e2e.ground import Ground, Said, dataset
from tests.e2e.test_fields import DATASET_VALUES, LABEL, SHARING, fields

MOVING = ("available", "usedby", "used", "referenced", "logical", "written", "compressratio", "refcompressratio", "userrefs")
"""Beginnings of properties that say how full things are."""

ODD_VALUES = (
    "null", "~", "true", "no", "1e3", "0x10", "007", "2001-01-01", "12:30", ".5", "a: b", "a #b", "#", "- x", "-", "?", "*a",
    "&b", "!c", "%d", "@e", "`f", "{g}", "[h]", "a,b", "'q", '"d"', "back\\slash", "two  words", "ü ß é", "\U0001f389", "=",
    "<<", "---", "...", "|", ">", "12GiB", "30%", "x" * 900,
)  # fmt: skip
ODD_NAMES = ("a b", "c:d", "e-f_g.h", "UPPER", "1st", "-x", "a b/c d", "a b/c d/e:f", "true", "null")


def adopt(ground: Ground, *arguments: str, write: Path | None = None) -> Said:
    """Runs it over the test's pool, or over what the arguments name."""
    ground.capture.readouterr()
    target = write or ground.tree / "hosts/h"
    arguments = arguments or ("--name", f"{ground.pool}/*")
    code = run(["adopt", "h", str(ground.tree), "--state", str(ground.state), "--write", str(target), *arguments])
    shown = ground.capture.readouterr()
    return Said(code, shown.out, shown.err)


def written(ground: Ground) -> str:
    """All that was written, but for the comments."""
    files = [
        path for path in sorted((ground.tree / "hosts/h").glob("*.yaml")) if path.name not in ("host.yaml", "objects.yaml")
    ]
    lines = [line for path in files for line in path.read_text().splitlines()]
    return "\n".join(line for line in lines if not line.startswith("#"))


def everything(ground: Ground) -> dict[tuple[str, str], tuple[str, str]]:
    """Value and source of every property but our marks and what says how full things are."""
    found = {}
    listed = ground.zfs("get", "-Hp", "-r", "-o", "name,property,value,source", "all", ground.pool)
    for line in listed.splitlines():
        name, prop, value, source = line.split("\t")
        if not prop.startswith((*MOVING, "dev.reconciler:")):
            found[name, prop] = (value, source)
    return found


def adopts_without_a_change(ground: Ground) -> list[str]:
    """Names adopted: the plan holds adopt and no field, nothing is blocked; after one apply the plan is empty."""
    before = everything(ground)
    planned = ground.reconciler("plan", "--output", "json", "--exit-code")
    assert planned.exit_code == 2, planned.out + planned.err
    host = json.loads(planned.out)["hosts"][0]
    assert host["blocked"] == []
    assert {action["verb"] for action in host["actions"]} == {"adopt"}
    assert all(action["fields"] == [] and action["commands"] for action in host["actions"])
    ground.converges()
    assert everything(ground) == before
    return [action["key"].removeprefix("h/") for action in host["actions"]]


def test_every_property_that_was_set_by_hand_is_adopted_as_it_is(ground: Ground, registry: Registry) -> None:
    made, lacking = [], []
    for kind in ("Dataset", "Volume") if ground.has_volumes else ("Dataset",):
        for prop in fields(registry.kinds[kind]):
            if prop == LABEL or (prop in SHARING and ground.transport.startswith("{type: local")):
                continue
            name = f"{ground.pool}/{kind[0]}-{prop.replace(':', '-')}"
            value = DATASET_VALUES[prop][0].replace("iB", "")
            size = ("-V", "64m") if kind == "Volume" else ()
            try:
                ground.zfs("create", "-o", f"{prop}={value}", *size, name)
            except AssertionError:
                lacking.append(prop)
                continue
            made.append((f"{kind}/{name}", prop))
    assert len(lacking) < len(made), lacking

    said = adopt(ground)

    assert said.exit_code == 0, said.err
    text = written(ground)
    once = {"casesensitivity", "normalization", "utf8only", "version"}
    unstated = {prop for _, prop in made if f"    {prop}: " not in text}
    assert unstated <= once | ({"readonly"} if not ground.has_volumes else set()), "what ZFS itself does not call local"
    assert sorted(adopts_without_a_change(ground)) == sorted(name for name, _ in made)


def test_odd_values_and_names_are_written_as_yaml_that_means_the_same(ground: Ground) -> None:
    for number, value in enumerate(ODD_VALUES):
        ground.zfs("create", "-o", "mountpoint=none", "-o", f"org.example:odd={value}", f"{ground.pool}/v{number}")
    for name in ODD_NAMES:
        ground.zfs("create", "-o", "mountpoint=none", f"{ground.pool}/{name}")
    names = [
        *(f"{ground.pool}/v{number}" for number in range(len(ODD_VALUES))),
        *(f"{ground.pool}/{name}" for name in ODD_NAMES),
    ]

    assert adopt(ground).exit_code == 0

    assert sorted(adopts_without_a_change(ground)) == sorted(f"Dataset/{name}" for name in names)


def test_what_no_manifest_can_hold_is_left_out_and_told(ground: Ground) -> None:
    values = ("", "turned \u202e round")
    for number, value in enumerate(values):
        ground.zfs("create", "-o", "mountpoint=none", "-o", f"org.example:odd={value}", f"{ground.pool}/v{number}")

    assert adopt(ground).exit_code == 0

    texts = [(ground.tree / f"hosts/h/{ground.pool}-v{number}.yaml").read_text() for number in range(len(values))]
    assert "Not stated: properties.org.example:odd, for a user property can't be empty." in texts[0]
    assert "Not stated: properties.org.example:odd, for its value holds characters that must not" in texts[1]
    assert len(adopts_without_a_change(ground)) == len(values)


def test_clones_and_volumes_are_adopted_with_what_made_them(ground: Ground) -> None:
    pool = ground.pool
    ground.zfs("create", "-o", "quota=64m", f"{pool}/base")
    ground.zfs("snapshot", f"{pool}/base@one")
    ground.zfs("clone", f"{pool}/base@one", f"{pool}/clone")
    wanted = {f"Dataset/{pool}/base", f"Dataset/{pool}/clone"}
    if ground.has_volumes:
        ground.zfs("create", "-V", "64m", "-b", "16k", f"{pool}/thick")
        ground.zfs("create", "-s", "-V", "128m", "-o", "reservation=1m", f"{pool}/thin")
        ground.zfs("create", "-s", "-V", "128m", "-o", "refreservation=1m", f"{pool}/between")
        ground.zfs("snapshot", f"{pool}/thick@one")
        ground.zfs("clone", f"{pool}/thick@one", f"{pool}/copy")
        wanted |= {f"Volume/{pool}/{name}" for name in ("thick", "thin", "between", "copy")}

    assert adopt(ground).exit_code == 0

    text = written(ground)
    assert f"origin: {pool}/base@one" in text
    assert "1 snapshot." in (ground.tree / f"hosts/h/{pool}-base.yaml").read_text()
    if ground.has_volumes:
        assert "blockSize: 16KiB" in text
        assert "sparse: true" in text
    assert set(adopts_without_a_change(ground)) == wanted


def test_what_is_somebodys_or_reserved_is_left_out(ground: Ground) -> None:
    pool = ground.pool
    ground.write(dataset(f"{pool}/ours"))
    ground.converges()
    ground.write(dataset(f"{pool}/ours"), dataset(f"{pool}/named"))
    for name in ("named", "free", "ROOT", "ROOT/be1"):
        ground.zfs("create", "-o", "mountpoint=none", f"{pool}/{name}")
    ground.zfs("create", "-o", "dev.reconciler:owner=others", "-o", f"dev.reconciler:key=Dataset/{pool}/other", f"{pool}/other")

    said = adopt(ground, "--name", f"{pool}*")

    assert said.exit_code == 0
    assert said.out == f"{ground.tree}/hosts/h/{pool}-free.yaml: 1 object\n"
    assert "left out: 1 at the top of a pool\n" in said.err
    assert "left out: 2 named by manifests\n" in said.err, "ours, and the one that is blocked"
    assert "left out: 1 with a mark" in said.err
    assert written(ground).count("kind:") == 1


def test_nothing_is_written_on_the_host_and_nothing_is_overwritten_here(ground: Ground) -> None:
    ground.zfs("create", f"{ground.pool}/a")
    before = ground.zfs("get", "-Hp", "-r", "-o", "name,property,value,source", "all", ground.pool)
    taken = ground.tree / f"hosts/h/{ground.pool}-a.yaml"
    taken.write_text("# mine\n")

    said = adopt(ground)

    assert said.exit_code == 0
    assert said.out == f"{ground.tree}/hosts/h/{ground.pool}-a-2.yaml: 1 object\n"
    assert taken.read_text() == "# mine\n"
    assert ground.zfs("get", "-Hp", "-r", "-o", "name,property,value,source", "all", ground.pool) == before
    assert {path.name for path in (ground.tree / "hosts/h").iterdir()} == {"host.yaml", taken.name, f"{ground.pool}-a-2.yaml"}


def test_once_manifests_name_everything_there_is_nothing_to_write(ground: Ground) -> None:
    ground.zfs("create", f"{ground.pool}/a")
    adopt(ground)

    again = adopt(ground)

    assert (again.exit_code, again.out) == (0, "")
    assert again.err.startswith("nothing to write\n")


@pytest.mark.parametrize("ground", ["omnios"], indirect=True)
def test_kind_and_name_narrow_what_is_written(ground: Ground) -> None:
    for name in ("a", "ab", "b"):
        ground.zfs("create", f"tank/{name}")
    ground.zfs("create", "-V", "64m", "tank/avol")

    assert adopt(ground, "--kind", "Dataset", "--name", "tank/a*").exit_code == 0

    assert [line for line in written(ground).splitlines() if "name: " in line] == ["  name: tank/a", "  name: tank/ab"]


@pytest.mark.parametrize("ground", ["omnios"], indirect=True)
def test_a_large_tree_is_split_into_files_that_are_read(ground: Ground) -> None:
    ground.zfs("create", "-o", "mountpoint=none", "tank/a")
    for number in range(70):
        notes = [f"-oorg.example:n{index}={'x' * 1000}" for index in range(10)]
        ground.zfs("create", *notes, f"tank/a/{number}")

    assert adopt(ground).exit_code == 0

    sizes = {path.name: path.stat().st_size for path in (ground.tree / "hosts/h").glob("tank-*")}
    assert sizes.keys() == {"tank-a.yaml", "tank-a-2.yaml"}
    assert max(sizes.values()) < 1 << 20
    assert len(adopts_without_a_change(ground)) == 71


@pytest.mark.parametrize("ground", ["omnios"], indirect=True)
def test_a_directory_that_can_not_be_written_is_told_and_leaves_nothing(ground: Ground, tmp_path: Path) -> None:
    ground.zfs("create", "tank/a")
    file = tmp_path / "file"
    file.write_text("")

    said = adopt(ground, write=file)

    assert said.exit_code == 1
    assert f"error: {file}: file exists" in said.err
    assert "remedy: give --write a directory" in said.err


@pytest.mark.parametrize("ground", ["omnios"], indirect=True)
def test_files_have_the_rights_of_any_new_file(ground: Ground, tmp_path: Path) -> None:
    ground.zfs("create", "tank/a")
    (tmp_path / "usual").write_text("")

    adopt(ground)

    mode = stat.S_IMODE((ground.tree / "hosts/h/tank-a.yaml").stat().st_mode)
    assert mode == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


@pytest.mark.parametrize("ground", ["omnios", "smartos"], indirect=True)
def test_observe_shows_only_what_nobody_manages_when_asked(ground: Ground) -> None:
    pool = ground.pool
    ground.write(dataset(f"{pool}/ours"))
    ground.converges()
    for name in ("free", "ROOT"):
        ground.zfs("create", f"{pool}/{name}")
    ground.zfs("create", "-o", "dev.reconciler:owner=others", "-o", f"dev.reconciler:key=Dataset/{pool}/other", f"{pool}/other")

    text = ground.reconciler("observe", "--host", "h", "--unmanaged")
    document = json.loads(ground.reconciler("observe", "--host", "h", "--unmanaged", "--output", "json").out)
    plan = json.loads(ground.reconciler("plan", "--output", "json").out)

    shown = {item["key"] for item in document["observed"]}
    assert {f"h/Dataset/{pool}", f"h/Dataset/{pool}/free"} <= shown
    assert not shown & {f"h/Dataset/{pool}/{name}" for name in ("ours", "other", "ROOT")}
    assert not any(key.startswith("h/Pool/") for key in shown)
    assert len(shown) == plan["hosts"][0]["unmanaged"] == len(text.out.splitlines()) - 1
