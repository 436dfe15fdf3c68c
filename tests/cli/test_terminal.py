"""At a terminal: the question before an apply, progress, colour."""

import signal

import pytest

from tests.cli.children import Shell
from tests.cli.test_documents import status
from tests.e2e.ground import Ground, dataset

GREEN, RED, HIDE_CURSOR = "\x1b[32m", "\x1b[31m", "\x1b[?25l"
QUESTION = "Run this plan? [y/N]: "


@pytest.fixture
def asked(ground: Ground) -> Ground:
    """One dataset is to be made."""
    ground.write(dataset("tank/a"), dataset("tank/a/b"))
    return ground


def test_yes_runs_the_plan_with_live_progress(asked: Ground, shell: Shell) -> None:
    with shell.at_terminal("apply", "tree") as terminal:
        terminal.read_until(QUESTION)
        plan = terminal.shown
        assert not asked.names() & {"tank/a", "tank/a/b"}
        terminal.type("y\n")
        code = terminal.ended()

    progress = terminal.shown.removeprefix(plan)
    assert code == 0
    assert "create  Dataset/tank/a" in plan
    assert "2 to create" in plan
    assert HIDE_CURSOR in progress
    assert "h  succeeded  create Dataset/tank/a" in progress
    assert "h: converged (2 actions)" in progress
    assert asked.names() >= {"tank/a", "tank/a/b"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("n\n", "no"), ("\n", "nothing is no"), ("\x04", "the end of the input is no"), ("what\nn\n", "no, later")],
)
def test_anything_but_yes_declines(asked: Ground, shell: Shell, answer: str, reason: str) -> None:
    with shell.at_terminal("apply", "tree") as terminal:
        terminal.read_until(QUESTION)
        terminal.type(answer)
        code = terminal.ended()

    assert code == 1, reason
    assert "declined; nothing was done" in terminal.shown
    assert "tank/a" not in asked.names()
    assert status(asked, code=1)["hosts"] == []


def test_an_interrupt_at_the_question_ends_at_once(asked: Ground, shell: Shell) -> None:
    with shell.at_terminal("apply", "tree") as terminal:
        terminal.read_until(QUESTION)
        terminal.type("\x03")
        code = terminal.ended()

    assert code == 130
    assert "SIGINT: nothing was done" in terminal.shown
    assert "tank/a" not in asked.names()


def test_sigterm_at_the_question_ends_at_once(asked: Ground, shell: Shell) -> None:
    with shell.at_terminal("apply", "tree") as terminal:
        terminal.read_until(QUESTION)
        terminal.process.send_signal(signal.SIGTERM)
        code = terminal.ended()

    assert code == 143
    assert "tank/a" not in asked.names()


def test_yes_beforehand_asks_nothing(asked: Ground, shell: Shell) -> None:
    with shell.at_terminal("apply", "tree", "--yes") as terminal:
        code = terminal.ended()

    assert code == 0
    assert QUESTION not in terminal.shown


def test_a_plan_is_coloured_on_a_terminal_and_json_is_not(asked: Ground, shell: Shell) -> None:
    asked.write(dataset("tank/a", "{onRemoval: delete}"))
    asked.converges()
    asked.write(dataset("tank/b"))

    with shell.at_terminal("plan", "tree") as painted:
        assert painted.ended() == 0
    with shell.at_terminal("plan", "tree", "--output", "json") as document:
        assert document.ended() == 0

    assert GREEN in painted.shown
    assert RED in painted.shown
    assert "\x1b" not in document.shown


def test_there_is_no_colour_and_no_live_progress_without_a_terminal(asked: Ground, shell: Shell) -> None:
    planned, applied = shell.run("plan", "tree"), shell.run("apply", "tree", "--yes")

    assert planned.exit_code == applied.exit_code == 0
    assert "\x1b" not in planned.out + planned.err + applied.out + applied.err
    assert "\r" not in applied.err
    assert "h  succeeded  create Dataset/tank/a/b" in applied.err.splitlines()


def test_apply_without_a_terminal_asks_nobody(asked: Ground, shell: Shell) -> None:
    refused = shell.run("apply", "tree", stdin="y\n")

    assert refused.exit_code == 64
    assert "Run this plan?" not in refused.err
    assert "tank/a" not in asked.names()
