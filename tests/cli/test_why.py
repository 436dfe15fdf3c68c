"""`reconciler why` and `reconciler history`: the state file explains each object, and no host is contacted."""

import json
import re

import pytest

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from tests.e2e.ground import Ground, dataset


def said(ground: Ground, *arguments: str) -> tuple[int, str, str]:
    """A command that reads the state alone: the host is away meanwhile."""
    place, away = ground.state / "hosts", ground.state / "away"
    if place.exists():
        place.rename(away)
    ground.capture.readouterr()
    code = run([*arguments, "--state", str(ground.state)])
    shown = ground.capture.readouterr()
    if away.exists():
        away.rename(place)
    return code, shown.out, shown.err


def why(ground: Ground, name: str) -> str:
    code, out, err = said(ground, "why", f"h/Dataset/{name}")
    assert code == 0, err
    return out


def explained(ground: Ground, name: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(said(ground, "why", f"h/Dataset/{name}", "--output", "json")[1])
    return document


def break_command(ground: Ground, argv: str, stderr: str) -> None:
    with EmulatedHost.open(ground.state / "hosts/h.sqlite") as host:
        host.inject(Fault(FaultKind.FAIL, "zfs", argv, times=None, stderr=stderr))


def test_an_object_that_is_as_wanted(ground: Ground) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))
    ground.converges()

    text = why(ground, "tank/b")

    assert re.search(r"manifest   hosts/h/objects.yaml:9:1 at sha256:", text)
    assert "decision   as wanted when last looked at" in text
    assert re.search(r"create h/Dataset/tank/b: succeeded after [\d.]+ s\n", text)
    assert "next       with the next `reconciler apply`" in text
    document = explained(ground, "tank/b")
    assert (document["format"], document["key"]) == ("reconciler.why/v1", "h/Dataset/tank/b")
    assert document["decision"] == {"decision": "settled"}
    manifest = document["manifest"]
    assert isinstance(manifest, dict)
    assert (manifest["path"], manifest["line"], manifest["column"]) == ("hosts/h/objects.yaml", 9, 1)


def test_no_row_is_written_for_what_is_as_wanted(ground: Ground) -> None:
    from reconciler.store.database import Database
    from reconciler.store.decisions import decisions_of

    ground.write(*(dataset(f"tank/d{number}") for number in range(5)))
    ground.converges()

    database = Database.open(ground.state)
    assert decisions_of(database, "h") == {}
    database.close()


def test_a_moved_line_is_known_after_the_next_pass(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/new"), dataset("tank/a"))
    ground.converges()

    assert "hosts/h/objects.yaml:9:1" in why(ground, "tank/a")


def test_a_blocked_object_with_its_way_out(ground: Ground) -> None:
    ground.zfs("create", "tank/theirs")
    ground.write(dataset("tank/theirs"))
    assert ground.apply().exit_code == 3

    text = why(ground, "tank/theirs")

    assert "decision   update is BLOCKED: notOurs since " in text
    assert "Dataset/tank/theirs exists on the host and was not made by this repository" in text
    assert "             remedy: " in text
    assert "condition  Blocked True (notOurs)" in text
    since = explained(ground, "tank/theirs")["decision"]
    ground.apply()
    assert explained(ground, "tank/theirs")["decision"] == since, "it stands since it was first made"


def test_a_failed_action_with_its_command_and_remedy(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a", quota="1GiB"))
    break_command(ground, "^zfs set quota", "cannot set property for 'tank/a': permission denied\n")
    assert ground.apply().exit_code == 5

    text = why(ground, "tank/a")

    assert "decision   update is pending since " in text
    assert "the last attempt failed: " in text
    assert "permission denied" in text
    assert "command: zfs set quota=1073741824 tank/a" in text
    assert re.search(r"create h/Dataset/tank/a: succeeded.*update h/Dataset/tank/a: failed", text, re.DOTALL)


def test_report_only_ignored_held_and_released(ground: Ground) -> None:
    ground.write(dataset("tank/r", quota="1GiB"), dataset("tank/i"), dataset("tank/h"), dataset("tank/f", quota="1GiB"))
    ground.converges()
    ground.write(
        dataset("tank/r", "{mode: report}", quota="2GiB"),
        dataset("tank/i", "{mode: ignore}"),
        dataset("tank/h", quota="1GiB"),
        dataset("tank/f"),
    )
    run(["hold", "h/Dataset/tank/h", str(ground.tree), "--state", str(ground.state), "--why", "by hand", "--for", "1h"])
    ground.apply()

    for _ in range(2):
        assert "update is only reported (lifecycle.mode: report)" in why(ground, "tank/r")
        assert "properties.quota: 1073741824 -> 2147483648" in why(ground, "tank/r")
        assert "ignored since" in why(ground, "tank/i")
        assert "update is BLOCKED: held" in why(ground, "tank/h")
        assert "properties.quota was released since" in why(ground, "tank/f")
        assert "it stays 1073741824 on the host" in why(ground, "tank/f")
        # What was released is seen by one pass only, and is still told after the next.
        ground.apply()


def test_an_object_that_was_removed_is_known_by_its_history(ground: Ground) -> None:
    ground.write(dataset("tank/a", "{onRemoval: delete}"), dataset("tank/b"))
    ground.converges()
    ground.write(dataset("tank/b"))
    ground.converges()

    text = why(ground, "tank/a")

    assert "manifest   none" in text
    assert "no manifest names it, and we manage nothing of that name" in text
    assert "delete h/Dataset/tank/a: succeeded" in text


def test_an_object_in_the_trash_is_told_with_the_way_back(ground: Ground) -> None:
    ground.write(dataset("tank/a"), dataset("tank/b"))
    ground.converges()
    ground.write(dataset("tank/b"))
    ground.converges()

    assert "it went to the trash; `reconciler trash restore h/Dataset/tank/a` brings it back" in why(ground, "tank/a")
    assert "went to the trash" not in why(ground, "tank/b")
    assert run(["trash", "restore", "h/Dataset/tank/a", str(ground.tree), "--yes", "--state", str(ground.state)]) == 0
    assert "went to the trash" not in why(ground, "tank/a")


def test_an_unknown_key_names_close_ones_and_the_last_look(ground: Ground) -> None:
    ground.write(dataset("tank/web"))
    ground.converges()

    code, _, err = said(ground, "why", "h/Dataset/tank/wed")

    assert code == 1
    assert re.search(r"nothing is known of h/Dataset/tank/wed: no manifest named it when h was last looked at \(\d{4}-", err)
    assert "remedy: did you mean h/Dataset/tank/web? Else, if it is on the host it is unmanaged" in err


@pytest.mark.parametrize(
    ("key", "code", "told"),
    [
        ("g/Dataset/tank/a", 1, "no pass over host g has been recorded\n  remedy: hosts that we know are: h"),
        ("tank", 64, "'tank' is not a key"),
        ("Dataset/tank/a", 64, "'tank/a' is not Kind/name"),
    ],
)
def test_a_key_that_is_none_is_told(ground: Ground, key: str, code: int, told: str) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    ended = said(ground, "why", key)

    assert (ended[0], told in ended[2]) == (code, True), ended[2]


def test_without_any_state_why_says_so(ground: Ground) -> None:
    assert "there is no state in" in said(ground, "why", "h/Dataset/tank/a")[2]


def test_history_shows_what_ran_the_newest_last(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a", quota="1GiB"))
    ground.converges()

    code, out, _ = said(ground, "history", "--commands")

    assert code == 0
    first, command, second, *_ = out.splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  sha256:[0-9a-f]{12}  create h/Dataset/tank/a: succeeded after \d+\.\d\d s", first
    )
    assert command.startswith("    $ zfs create ")
    assert "update h/Dataset/tank/a: succeeded" in second
    assert said(ground, "history", "h", "--limit", "1")[1].startswith(second)
    assert said(ground, "history", "h/Dataset/tank/a")[1].count("\n") == 2
    assert said(ground, "history", "h/Dataset/tank/b") == (
        0,
        "",
        f"nothing of h/Dataset/tank/b is in the journal of {ground.state}\n",
    )


def test_history_without_entries_says_since_when(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    err = said(ground, "history", "h", "--since", "2999-01-01")[2]

    assert err == f"nothing of h since 2999-01-01 00:00:00 UTC is in the journal of {ground.state}\n"


def test_history_since_and_json(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    document = json.loads(said(ground, "history", "--since", "1h", "--output", "json")[1])

    assert document["format"] == "reconciler.history/v1"
    (entry,) = document["entries"]
    assert (entry["key"], entry["verb"], entry["state"]) == ("h/Dataset/tank/a", "create", "succeeded")
    assert entry["commands"][0][:2] == ["zfs", "create"]
    assert json.loads(said(ground, "history", "--since", "2999-01-01", "--output", "json")[1])["entries"] == []
    assert said(ground, "history", "--since", "yesterday")[0] == 64
    assert said(ground, "history", "--limit", "0")[0] == 64


def test_history_tells_of_a_failure_and_of_an_end_that_nobody_saw(ground: Ground) -> None:
    from reconciler.store.database import Database

    ground.write(dataset("tank/a"))
    ground.converges()
    ground.write(dataset("tank/a", quota="1GiB"))
    break_command(ground, "^zfs set quota", "cannot set property for 'tank/a': permission denied\n")
    ground.apply()
    database = Database.open(ground.state)
    with database.transaction() as connection:
        connection.execute("UPDATE journal SET ended = NULL, state = NULL WHERE verb = 'create'")
    database.close()

    out = said(ground, "history")[1]

    assert "create h/Dataset/tank/a: no end is known: it is next, still runs, or was interrupted" in out
    assert "update h/Dataset/tank/a: failed after" in out
    assert "    command: zfs set quota=1073741824 tank/a\n    remedy: " in out


def test_a_time_or_a_number_beyond_all_bounds_shows_what_there_is(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    assert "create" in said(ground, "history", "--since", "9" * 400 + "d")[1]
    assert said(ground, "history", "--limit", "9" * 30)[0] == 64


def test_no_ones_words_forge_a_line_of_the_status(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    hold = ["hold", "h", str(ground.tree), "--state", str(ground.state), "--for", "1h"]
    assert run([*hold, "--why", "\x1b[2Jx\nh: ready"]) == 0
    ground.apply()

    shown = said(ground, "status")[1]

    assert "\\x1b[2Jx\\nh: ready" in shown
    assert "\nh: ready" not in shown
