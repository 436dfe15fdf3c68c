"""Commands as a plan shows them to people."""

from reconciler.model.command import Command
from reconciler.planning.commands_text import CommandText

SCRIPT = 'cat >"$1.new"\nmv "$1.new" "$1"'
BASE = "\n".join(f"add chain number {number}" for number in range(10))


def command(script: str, name: str = "write-file", *arguments: str) -> Command:
    return Command(("sh", "-c", script, name, *arguments))


def test_a_script_is_named_where_it_runs_and_shown_once() -> None:
    shown = CommandText()

    assert shown.line(command(SCRIPT, "write-file", "/etc/a b")) == "sh -c <write-file> '/etc/a b'"
    assert shown.line(command(SCRIPT, "write-file", "/etc/c")) == "sh -c <write-file> /etc/c"
    assert list(shown.script_lines()) == ["<write-file> is", '    cat >"$1.new"', '    mv "$1.new" "$1"']


def test_two_scripts_with_one_name_are_told_apart() -> None:
    shown = CommandText()
    shown.line(command(SCRIPT))

    assert shown.line(command(SCRIPT + "\nsync", "write-file", "x")) == "sh -c <write-file 2> x"
    assert [line for line in shown.script_lines() if line.startswith("<")] == ["<write-file> is", "<write-file 2> is"]


def test_a_command_that_is_no_script_of_ours_is_shown_as_it_is() -> None:
    shown = CommandText()
    for plain in (Command(("zfs", "create", "a b")), command("one line", "name"), command(SCRIPT, "No Name")):
        assert shown.line(plain) == str(plain)
    assert list(shown.script_lines()) == []


def test_an_input_that_begins_like_an_earlier_one_shows_what_is_its_own() -> None:
    shown = CommandText()

    assert list(shown.input_lines(f"{BASE}\nadd rule a", "FirewallRule/a")) == [*BASE.splitlines(), "add rule a"]
    assert list(shown.input_lines(f"{BASE}\nadd rule b", "FirewallRule/b")) == [
        "(the first 10 lines as for FirewallRule/a)",
        "add rule b",
    ]
    assert list(shown.input_lines("add chain number 0\nother", "FirewallRule/c")) == ["add chain number 0", "other"]


def test_an_input_with_one_line_changed_shows_that_line() -> None:
    shown = CommandText()
    list(shown.input_lines(f"{BASE}\nnote: making\n{BASE}", "Zone/web1"))

    assert list(shown.input_lines(f"{BASE}\nnote: made\n{BASE}", "Zone/web1")) == [
        "(the first 10 lines as for Zone/web1)",
        "note: made",
        "(the last 10 lines as for Zone/web1)",
    ]
