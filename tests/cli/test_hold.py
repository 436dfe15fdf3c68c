"""`reconciler hold`, on a host that two state directories reach."""

import json
import re
from pathlib import Path

import pytest

from reconciler.emulation.host import EmulatedHost
from tests.cli.children import Shell
from tests.e2e.ground import Ground, dataset


@pytest.fixture
def held(ground: Ground) -> Ground:
    """A dataset of ours that drifted, and a second one."""
    ground.write(dataset("tank/a", quota="2GiB"), dataset("tank/b"))
    ground.converges()
    ground.zfs("set", "quota=1G", "tank/a")
    return ground


def hold(ground: Ground, *arguments: str) -> tuple[int, str, str]:
    from reconciler.cli.main import run

    ground.capture.readouterr()
    code = run(["hold", *arguments, "--state", str(ground.state)])
    shown = ground.capture.readouterr()
    return code, shown.out, shown.err


def test_the_drift_of_a_held_key_is_not_corrected_until_the_hold_is_released(held: Ground) -> None:
    code, out, _ = hold(held, "h/Dataset/tank/a", str(held.tree), "--why", "restoring by hand", "--for", "4h")
    assert code == 0
    assert re.fullmatch(r"h/Dataset/tank/a held by \S+@\S+ until \d{4}-\d\d-\d\d \S+ UTC: restoring by hand\n", out)

    refused = held.apply()
    assert refused.exit_code == 3
    assert "x BLOCKED update  Dataset/tank/a: held" in refused.err
    assert "# held  Dataset/tank/a by " in refused.err
    assert held.value("tank/a", "quota")[0] == str(1 << 30)

    # The remedy that the plan gives, with the source that it was given.
    remedy = re.search(r"`reconciler hold (\S+) --release`", refused.err)
    assert remedy is not None
    assert hold(held, remedy[1], str(held.tree), "--release")[0] == 0
    held.converges()
    assert held.value("tank/a", "quota")[0] == str(2 << 30)


def test_a_hold_binds_another_state_directory_too(held: Ground, tmp_path: Path) -> None:
    hold(held, "h", str(held.tree), "--why", "disk swap", "--for", "1h")
    (tmp_path / "other/hosts").mkdir(parents=True)
    (tmp_path / "other/hosts/h.sqlite").symlink_to(held.state / "hosts/h.sqlite")

    done = Shell(held.root, tmp_path / "other").run("apply", "tree", "--yes")

    assert done.exit_code == 3
    assert "# held  the whole host by" in done.err


def test_holds_are_listed_for_all_hosts_one_host_or_one_object(held: Ground) -> None:
    assert hold(held, str(held.tree))[::2] == (0, "nothing is held on h\n")
    hold(held, "h/Dataset/tank/a", str(held.tree), "--why", "one", "--for", "4h")
    hold(held, "h/Dataset/tank/b", str(held.tree), "--why", "two", "--for", "4h")

    assert [line.split()[0] for line in hold(held, str(held.tree))[1].splitlines()] == ["h/Dataset/tank/a", "h/Dataset/tank/b"]
    assert hold(held, "h", str(held.tree))[1].count(" held by ") == 2
    assert hold(held, "h/Dataset/tank/b", str(held.tree))[1].count(" held by ") == 1
    document = json.loads(hold(held, str(held.tree), "--output", "json")[1])
    assert document["format"] == "reconciler.holds/v1"
    assert [entry["why"] for entry in document["holds"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["h", "--why", "x"], "--why and --for belong together"),
        (["h", "--for", "1h"], "--why and --for belong together"),
        (["h", "--why", " ", "--for", "1h"], "--why is empty"),
        (["h", "--why", "x", "--for", "1h", "--release"], "--release ends a hold"),
        (["h", "--why", "x", "--for", "4 hours"], "'4 hours' is not a duration"),
        (["h", "--why", "x", "--for", "0s"], "a hold lasts from 1s to 365d"),
        (["h", "--why", "x", "--for", "99999999999d"], "a hold lasts from 1s to 365d"),
        (["g", "--why", "x", "--for", "1h"], "there is no host g"),
        (["h/dataset/tank/a", "--why", "x", "--for", "1h"], "'dataset/tank/a' is not Kind/name"),
        (["h/Dataset", "--why", "x", "--for", "1h"], "is not a key: write host/Kind/name"),
        (["h/Datasets/tank/a", "--why", "x", "--for", "1h"], "there is no kind Datasets"),
    ],
)
def test_wrong_usage_is_told_and_holds_nothing(held: Ground, arguments: list[str], said: str) -> None:
    target, *options = arguments
    code, _, err = hold(held, target, str(held.tree), *options)

    assert (code, said in err) == (64, True), err
    assert "nothing is held" in hold(held, str(held.tree))[2]


def test_a_release_of_what_is_not_held_is_an_error_with_a_remedy(held: Ground) -> None:
    code, _, err = hold(held, "h/Dataset/tank/a", str(held.tree), "--release")

    assert code == 1
    assert "error: h/Dataset/tank/a is not held\n  remedy: see what is with `reconciler hold h`" in err


def test_a_directory_alone_is_a_source_and_no_host(held: Ground) -> None:
    code, _, err = hold(held, "--release", str(held.tree))

    assert code == 64
    assert "say what to hold or to release" in err


def test_holds_that_can_not_be_read_keep_everything_as_it_is(held: Ground) -> None:
    hold(held, "h", str(held.tree), "--why", "x", "--for", "1h")
    with EmulatedHost.open(held.state / "hosts/h.sqlite") as host:
        ((name,),) = host._state.rows("SELECT name FROM fact WHERE name LIKE 'note:holds.%'")
        host.change_note(name.removeprefix("note:"), lambda _: "damaged")

    done = held.apply()

    assert done.exit_code == 7
    assert "the holds on the host can't be read" in done.err
    assert held.value("tank/a", "quota")[0] == str(1 << 30)


def test_a_hold_placed_while_somebody_reviews_the_plan_is_heeded(held: Ground) -> None:
    with Shell(held.root, held.state).at_terminal("apply", "tree") as asked:
        asked.read_until("Run this plan?")
        hold(held, "h/Dataset/tank/a", str(held.tree), "--why", "wait", "--for", "1h")
        asked.type("y\n")

        assert asked.ended() == 4
    assert held.value("tank/a", "quota")[0] == str(1 << 30)


def test_a_hold_on_what_no_manifest_names_is_placed_with_a_warning(held: Ground) -> None:
    code, out, err = hold(held, "h/Dataset/tank/aa", str(held.tree), "--why", "x", "--for", "1h")

    assert code == 0
    assert out.startswith("h/Dataset/tank/aa held by ")
    assert err == "warning: no manifest names h/Dataset/tank/aa; did you mean h/Dataset/tank/a?\n"
    assert hold(held, "h/Dataset/tank/a", str(held.tree), "--why", "x", "--for", "1h")[2] == ""
    assert hold(held, "h", str(held.tree), "--why", "x", "--for", "1h")[2] == ""
