"""`reconciler run` and its source: commits good and bad, a remote that is away, rewritten history."""

import json
import signal

import pytest

from reconciler.cli.main import run
from tests.cli.children import eventually
from tests.cli.hosts import commands_run, everything_on, host_in
from tests.controller.running import LONG, Site, dataset, host, objects
from tests.source.ssh_stub import URL, honest


def test_it_converges_on_start_and_says_so_in_its_status(site: Site) -> None:
    commit = site.remote.commit(objects(dataset("tank/a", "64MiB")))

    with site.running() as controller:
        controller.wait_for("started")
        controller.wait_for("revision", revision=commit[:19])
        controller.wait_for("action ended", key="h/Dataset/tank/a", verb="create", state="succeeded")
        controller.wait_for("converged", host="h")
        controller.send(signal.SIGTERM)
        code = controller.ended()

    assert code == 143
    assert "tank/a\tquota\t67108864\tlocal" in everything_on(site.state)
    assert site.status()["h"]["revision"] == {"fetched": commit, "applied": commit}
    assert site.has("Ready", "True")
    shown = site.shell.run("status")
    assert shown.exit_code == 0
    assert shown.out.startswith("h: ready since ")


def test_without_a_terminal_each_line_is_json_with_an_event(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a")))

    with site.running() as controller:
        controller.wait_for("converged")
        controller.send(signal.SIGTERM)
        controller.ended()

    said = [json.loads(line) for line in controller.lines]
    assert [list(event)[:3] for event in said] == [["timestamp", "level", "event"]] * len(said)
    assert [event["event"] for event in said] == [
        "started", "revision", "action ended", "converged", "stopping", "stopped",
    ]  # fmt: skip


def test_a_commit_is_seen_at_once_without_waiting_for_the_poll(site: Site) -> None:
    with site.running(poll=LONG) as controller:
        controller.wait_for("converged")
        for number in range(20):
            # A watch gives no sign that it has begun, so commits are made until one is noticed.
            commit = site.remote.commit(objects(dataset("tank/a", f"{64 + number}MiB")))
            if controller.comes("revision", within_s=1.5, revision=commit[:19]):
                break
        controller.wait_for("action ended", key="h/Dataset/tank/a", state="succeeded")
        controller.wait_for("converged")

    assert "tank/a\tdev.reconciler:owner\ttests\tlocal" in everything_on(site.state)


def test_a_commit_to_a_remote_that_can_not_be_watched_is_found_by_polling(site: Site) -> None:
    class Remote(Site):
        @property
        def source(self) -> tuple[str, ...]:
            return ("--repo", f"{URL}{self.remote.path}")

    (site.root / "bin").mkdir()
    honest(site.root / "bin/ssh")
    far = Remote(site.root / "far", path=str(site.root / "bin"))
    with far.running() as controller:
        controller.wait_for("converged")
        commit = far.remote.commit(objects(dataset("tank/a")))
        controller.wait_for("revision", revision=commit[:19])
        controller.wait_for("converged", host="h", actions=1)


def test_an_invalid_commit_is_refused_whole_with_each_place_and_the_next_good_one_is_taken(site: Site) -> None:
    good = site.remote.commit(objects(dataset("tank/a")))
    with site.running() as controller:
        controller.wait_for("converged")
        bad = site.remote.commit(objects(dataset("tank/a"), dataset("tank/b"), dataset("tank/c", "loads"), dataset("tank//d")))
        first = controller.wait_for("invalid")
        second = controller.wait_for("invalid")
        controller.wait_for("source", cause=f"revision {bad[:19]} is invalid")
        eventually(lambda: site.has("SourceStale", "True"), "the status says that the source is stale")
        stale = site.status()["h"]
        shown = site.shell.run("status").out
        assert f"is invalid: {first['place']}  Dataset tank/c: {first['cause']} (and 1 more error)\n" in shown
        before = everything_on(site.state)
        # Polled several times more, the same commit is neither read nor told again.
        assert not controller.comes("invalid", within_s=1.5)
        mended = site.remote.commit(objects(dataset("tank/a"), dataset("tank/b")))
        controller.wait_for("revision", revision=mended[:19])
        controller.wait_for("action ended", key="h/Dataset/tank/b", state="succeeded")
        eventually(lambda: site.has("SourceStale", "False"), "the status says that the source is fine")

    assert {first["place"], second["place"]} == {"hosts/h/objects.yaml:23:23", "hosts/h/objects.yaml:28:9"}
    assert first["cause"]
    assert first["remedy"]
    assert stale["revision"] == {"fetched": bad, "applied": good}
    assert "tank/b" not in before
    assert {c["type"]: c["status"] for c in stale["conditions"]}["Ready"] == "True"


def test_drift_is_corrected_on_sighup_while_the_newest_commit_is_invalid(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a", "64MiB")))
    with site.running() as controller:
        controller.wait_for("converged")
        site.remote.commit(objects(dataset("tank/a", "loads")))
        controller.wait_for("source")
        with host_in(site.state) as emulated:
            emulated.drift(("zfs", "set", "quota=32M", "tank/a"))
        controller.send(signal.SIGHUP)
        drift = controller.wait_for("drift", key="h/Dataset/tank/a")
        controller.wait_for("converged", actions=1)

    assert not drift["report_only"]
    assert "tank/a\tquota\t67108864\tlocal" in everything_on(site.state)


def test_drift_is_corrected_after_sighup_though_no_timer_is_due(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a", "64MiB")))
    with site.running(poll=LONG, interval=LONG) as controller:
        controller.wait_for("converged")
        with host_in(site.state) as emulated:
            emulated.drift(("zfs", "destroy", "tank/a"))
        controller.send(signal.SIGHUP)
        controller.wait_for("action ended", verb="create", state="succeeded")
        controller.wait_for("converged")


def test_drift_is_corrected_by_the_timer(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a", "64MiB")))
    with site.running(interval="0.5") as controller:
        controller.wait_for("converged")
        with host_in(site.state) as emulated:
            emulated.drift(("zfs", "set", "quota=32M", "tank/a"))
        controller.wait_for("drift", key="h/Dataset/tank/a")
        controller.wait_for("converged", actions=1)


def test_rewritten_history_is_refused_until_it_is_accepted(site: Site) -> None:
    old = site.remote.commit(objects(dataset("tank/a")))
    with site.running() as controller:
        controller.wait_for("converged")
        new = site.remote.rewrite({**objects(dataset("tank/b"))})
        refused = controller.wait_for("source")
        eventually(lambda: site.has("SourceStale", "True"), "the status says that the source is stale")
        controller.send(signal.SIGTERM)
        controller.ended()
    before = everything_on(site.state)

    with site.running() as again:
        again.wait_for("source", cause=refused["cause"])
        again.wait_for("revision", revision=old[:19])
        again.wait_for("converged")
        again.send(signal.SIGTERM)
        again.ended()
    kept = everything_on(site.state)
    with site.running("--accept-rewrite", new[:12]) as accepting:
        accepting.wait_for("revision", revision=new[:19])
        accepting.wait_for("converged", actions=2)

    assert "history was rewritten" in refused["cause"]
    assert f"--accept-rewrite {new[:12]}" in refused["remedy"]
    assert kept == before
    assert "tank/b" in everything_on(site.state)
    assert "tank/a" not in everything_on(site.state)


def test_with_the_remote_away_at_the_start_the_last_good_revision_is_kept(site: Site) -> None:
    commit = site.remote.commit(objects(dataset("tank/a", "64MiB")))
    with site.running() as controller:
        controller.wait_for("converged")
        controller.send(signal.SIGTERM)
        controller.ended()
    aside = site.root / "aside"
    site.remote.path.rename(aside)
    with host_in(site.state) as emulated:
        emulated.drift(("zfs", "set", "quota=32M", "tank/a"))

    with site.running() as away:
        away.wait_for("source")
        away.wait_for("revision", revision=commit[:19])
        away.wait_for("drift")
        away.wait_for("converged", actions=1)
        eventually(lambda: site.has("SourceStale", "True"), "the status says that the source is stale")
        assert site.status()["h"]["revision"] == {"fetched": commit, "applied": commit}
        aside.rename(site.remote.path)
        newer = site.remote.commit(objects(dataset("tank/b")))
        away.wait_for("revision", revision=newer[:19])
        eventually(lambda: site.has("SourceStale", "False"), "the status says that the source is fine")


def test_with_the_remote_away_and_nothing_known_it_waits_and_then_begins(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a")))
    aside = site.root / "aside"
    site.remote.path.rename(aside)

    with site.running() as controller:
        controller.wait_for("source")
        assert site.status() == {}
        aside.rename(site.remote.path)
        controller.wait_for("revision")
        controller.wait_for("converged", actions=1)


def test_a_first_commit_that_is_invalid_starts_nothing_until_a_good_one_comes(site: Site) -> None:
    site.remote.commit(objects(dataset("tank/a", "loads")))

    with site.running() as controller:
        controller.wait_for("invalid")
        controller.wait_for("source")
        assert not (site.state / "hosts").exists()
        site.remote.commit(objects(dataset("tank/a")))
        controller.wait_for("converged", actions=1)


def test_a_folder_is_followed_too(site: Site) -> None:
    class Folder(Site):
        @property
        def source(self) -> tuple[str, ...]:
            return (str(self.remote.path),)

    folder = Folder(site.root / "other")
    with folder.running() as controller:
        controller.wait_for("converged")
        (folder.remote.path / "hosts/h/objects.yaml").write_text(dataset("tank/a"))
        controller.wait_for("converged", actions=1)


ONCE = [
    ({}, (), 0, "nothing to do"),
    (objects(dataset("tank/a")), (), 0, "all was done"),
    (objects(dataset("rpool/export")), (), 3, "something is blocked"),
    (objects(dataset("tank/a", "loads")), (), 1, "the tree is invalid"),
    (objects(dataset("tank/a")), ("--host", "other"), 64, "a host that is not there"),
]


@pytest.mark.parametrize(("files", "arguments", "code", "reason"), ONCE, ids=[reason for *_, reason in ONCE])
def test_once_makes_one_pass_and_ends_as_apply_does(
    site: Site,
    capsys: pytest.CaptureFixture[str],
    files: dict[str, str | bytes | None],
    arguments: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    site.remote.commit(files)

    ended = run(["run", *site.source, "--once", "--state", str(site.state), *arguments])

    told = capsys.readouterr()
    assert ended == code, reason
    assert told.out == ""
    if code in {0, 3}:
        events = [json.loads(line) for line in told.err.splitlines()]
        assert [event["event"] for event in events][-1] == ("converged" if code == 0 else "not converged")
        assert site.has("Ready", "True" if code == 0 else "False")


def test_once_with_the_remote_away_takes_the_last_good_revision_and_logs_it(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.remote.commit(objects(dataset("tank/a")))
    once = ["run", *site.source, "--once", "--state", str(site.state)]
    run(once)
    site.remote.path.rename(site.root / "aside")
    capsys.readouterr()

    code = run(once)

    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert code == 0
    assert [event["event"] for event in events] == ["source", "converged"]
    assert "using the last good revision" in events[0]["cause"]


def test_a_host_is_looked_at_again_only_when_a_commit_concerns_it(site: Site) -> None:
    site.remote.commit({**host("k"), **objects(dataset("tank/a"))})
    with site.running() as controller:
        controller.wait_for("converged", host="h")
        eventually(lambda: site.has("Ready", "True", "k"), "the other host converges")
        before = len(commands_run(site.state, "k"))
        site.remote.commit(objects(dataset("tank/b")))
        controller.wait_for("converged", host="h", actions=2)

        assert len(commands_run(site.state, "k")) == before


@pytest.mark.parametrize("loss", ["the folder is gone", "its hosts are gone"])
def test_a_source_that_lost_everything_takes_nothing_away_and_the_last_good_state_is_kept(site: Site, loss: str) -> None:
    class Folder(Site):
        @property
        def source(self) -> tuple[str, ...]:
            return (str(self.remote.path),)

    folder = Folder(site.root / "other")
    tree, aside = folder.remote.path, folder.root / "aside"
    (tree / "hosts/h/objects.yaml").write_text(dataset("tank/a", "64MiB"))
    with folder.running() as controller:
        controller.wait_for("converged")
        (tree if loss == "the folder is gone" else tree / "hosts").rename(aside)
        controller.wait_for("source", level="error")
        controller.send(signal.SIGHUP)
        assert not controller.comes("action ended", within_s=1.0)
        eventually(lambda: folder.has("SourceStale", "True"), "the status says that the source is stale")
        seen = everything_on(folder.state)

    assert "tank/a\tquota\t67108864\tlocal" in seen
