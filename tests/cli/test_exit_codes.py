"""The exit code of each end (design of the command line, "exit"), and which one wins where several apply."""

import pytest

from reconciler.cli.main import run
from reconciler.emulation.faults import Fault, FaultKind
from tests.cli.hosts import break_host
from tests.e2e.ground import HOST, Ground, dataset

DELETE = "{onRemoval: delete}"
TWO = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {name: k}\nspec:\n  transport: {type: emulated, system: omnios}\n"


def blocked(ground: Ground) -> str:
    """A manifest for something that is there and not ours."""
    ground.zfs("create", "tank/theirs")
    return dataset("tank/theirs")


def test_an_empty_plan_ends_with_0_whatever_was_asked(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    assert ground.reconciler("plan").exit_code == 0
    assert ground.reconciler("plan", "--exit-code").exit_code == 0
    assert ground.apply().exit_code == 0


def test_pending_changes_end_with_2_only_when_asked(ground: Ground) -> None:
    ground.write(dataset("tank/a"))

    assert ground.reconciler("plan").exit_code == 0
    assert ground.reconciler("plan", "--exit-code").exit_code == 2


def test_report_only_changes_are_pending_for_plan_and_nothing_for_apply(ground: Ground) -> None:
    ground.write(dataset("tank/a", "{mode: report}"))

    planned, applied = ground.reconciler("plan", "--exit-code"), ground.apply()

    assert planned.exit_code == 2
    assert "only reported" in planned.out
    assert applied.exit_code == 0
    assert "tank/a" not in ground.names()


def test_released_fields_alone_are_not_pending(ground: Ground) -> None:
    ground.write(dataset("tank/a", quota="64MiB"))
    ground.converges()
    ground.write(dataset("tank/a"))

    planned = ground.reconciler("plan", "--exit-code")

    assert planned.exit_code == 0
    assert "released" in planned.out


def test_blocked_wins_over_pending_and_ends_apply_with_3_when_all_else_is_done(ground: Ground) -> None:
    ground.write(blocked(ground), dataset("tank/a"))

    planned, applied = ground.reconciler("plan", "--exit-code"), ground.apply()

    assert (planned.exit_code, applied.exit_code) == (3, 3)
    assert "tank/a" in ground.names()
    assert "h: not converged: 1 blocked" in applied.out


def test_a_failed_action_wins_over_blocked(ground: Ground) -> None:
    ground.write(blocked(ground), dataset("tank/a"))
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", "^zfs create", times=None, stderr="cannot create: no\n"))

    applied = ground.apply()

    assert applied.exit_code == 5
    assert "1 failed, 1 blocked, 1 still pending" in applied.out
    assert "cannot create: no" in applied.err
    assert "remedy:" in applied.err


def test_what_waits_for_a_failed_action_is_skipped_and_says_so(ground: Ground) -> None:
    ground.write(dataset("tank/a"), dataset("tank/a/b"), dataset("tank/c"))
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", r"create .*tank/a$", times=None, stderr="cannot create: no\n"))

    applied = ground.apply()

    assert applied.exit_code == 5
    assert "h  skipped  create Dataset/tank/a/b" in applied.err
    assert ground.names() >= {"tank/c"}
    assert not ground.names() & {"tank/a", "tank/a/b"}


def test_unreadable_wins_over_everything_that_a_plan_can_say(ground: Ground) -> None:
    """One host is unreadable, on the other something is blocked and something pends."""
    ground.write(blocked(ground), dataset("tank/a"))
    (ground.tree / "hosts/k").mkdir()
    (ground.tree / "hosts/k/host.yaml").write_text(TWO)
    ground.reconciler("plan")
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None), name="k")

    planned, applied = ground.reconciler("plan", "--exit-code"), ground.apply()

    assert (planned.exit_code, applied.exit_code) == (7, 7)
    assert "could not look everywhere on k" in planned.out
    assert "h: not converged: 1 blocked" in applied.out
    assert "k: not converged: unreadable" in applied.out
    assert "tank/a" in ground.names()


def test_unreadable_wins_over_a_failed_action(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    (ground.tree / "hosts/k").mkdir()
    (ground.tree / "hosts/k/host.yaml").write_text(TWO)
    ground.reconciler("plan")
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", "^zfs create", times=None))
    break_host(ground.state, Fault(FaultKind.FAIL, "zfs", times=None), name="k")

    assert ground.apply().exit_code == 7


def test_an_invalid_tree_ends_with_1_before_any_host_is_asked(ground: Ground) -> None:
    ground.write(dataset("tank/a", nonsense="1"))

    for command in ("validate", "render", "plan", "apply"):
        assert ground.reconciler(command).exit_code == 1
    assert not (ground.state / "hosts").exists()


@pytest.mark.parametrize(
    ("host_spec", "reason"),
    [
        ("{hostname: other}", "the first probe tells"),
        ("{machineId: '00'}", "a name that this system does not have"),
    ],
)
@pytest.mark.parametrize("objects", [0, 1])
def test_a_wrong_host_is_blocked_even_where_no_object_is_wanted(
    ground: Ground, host_spec: str, reason: str, objects: int
) -> None:
    text = HOST.format(transport=ground.transport) + f"  identity: {host_spec}\n"
    (ground.tree / "hosts/h/host.yaml").write_text(text)
    ground.write(*[dataset("tank/a")][:objects])

    planned, applied = ground.reconciler("plan"), ground.apply()

    assert (planned.exit_code, applied.exit_code) == (3, 3), reason
    assert "WRONG HOST" in planned.out
    assert "wrong host" in applied.out
    assert "tank/a" not in ground.names()


USAGE = [
    (["nonsense"], "a command that is not there"),
    (["plan", "--nonsense"], "an option that is not there"),
    (["plan", "{tree}", "--output", "xml"], "an output that is not there"),
    (["plan", "{tree}", "more"], "one source too many"),
    (["plan", "{tree}", "--repo", "/x"], "two sources"),
    (["plan", "--ref", "main"], "a ref of nothing"),
    (["plan", "--repo", "ftp://host/x"], "a scheme that is refused"),
    (["plan", "{tree}", "--host", "other"], "a host without a manifest"),
    (["apply", "{tree}", "--yes", "--host", "other"], "a host without a manifest"),
    (["run", "{tree}", "--once", "--host", "other"], "a host without a manifest"),
    (["observe", "{tree}", "--host", "other"], "a host without a manifest"),
    (["observe", "{tree}"], "observe needs a host"),
    (["run", "{tree}", "--poll", "0.1"], "a poll that would be a busy loop"),
    (["providers", "Nonsense"], "a kind without provider"),
    (["emulate", "/nowhere/bin", "--system", "plan9", "--state", "/nowhere/state"], "a system that is not emulated"),
]


@pytest.mark.parametrize(("arguments", "reason"), USAGE)
def test_wrong_usage_ends_with_64_and_changes_nothing(ground: Ground, arguments: list[str], reason: str) -> None:
    code = run([argument.format(tree=ground.tree) for argument in arguments])

    told = ground.capture.readouterr()
    assert code == 64, reason
    assert told.out == ""
    assert told.err.count("rror: ") == 1
    assert not ground.state.exists()


def test_no_source_at_all_is_wrong_usage(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ground.root)

    assert run(["plan"]) == 64
    assert "name a directory, or a repository with --repo" in ground.capture.readouterr().err


def test_the_directory_desired_state_is_read_when_none_is_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.tree.rename(ground.root / "desired-state")
    monkeypatch.chdir(ground.root)

    assert run(["validate"]) == 0
    assert ground.capture.readouterr().out == "valid: 1 host, 0 resources\n"


def test_apply_without_yes_and_without_a_terminal_shows_the_plan_and_ends_with_64(ground: Ground) -> None:
    ground.write(dataset("tank/a"))

    refused = ground.reconciler("apply")

    assert refused.exit_code == 64
    assert "create  Dataset/tank/a" in refused.err
    assert "--yes" in refused.err
    assert refused.out == ""
    assert "tank/a" not in ground.names()


def test_apply_with_nothing_to_do_needs_no_answer(ground: Ground) -> None:
    ground.write(dataset("tank/a"))
    ground.converges()

    assert ground.reconciler("apply").exit_code == 0
