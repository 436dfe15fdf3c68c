"""The controller's log: JSON lines, or a console at a terminal; and a stream that nobody reads."""

import io
import json
import os

from reconciler.controller.log import controller_log, tell_finding, tell_result
from reconciler.controller.passes import HostResult
from reconciler.model.desired import Finding, Severity
from reconciler.model.observed import Unreadable
from reconciler.model.plan import HostPlan
from tests.controller.inside import NOW


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken(io.StringIO):
    def write(self, _: str) -> int:
        raise BrokenPipeError


def test_a_line_of_json_begins_with_when_how_grave_and_what() -> None:
    stream = io.StringIO()

    controller_log(stream).warning("forgotten", host="h", cause='it said "no"\nand went')

    assert stream.getvalue().count("\n") == 1
    said = json.loads(stream.getvalue())
    assert list(said) == ["timestamp", "level", "event", "host", "cause"]
    assert said["timestamp"].endswith("Z")
    assert (said["level"], said["event"], said["cause"]) == ("warning", "forgotten", 'it said "no"\nand went')


def test_bytes_that_are_no_text_can_be_logged() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")

    controller_log(stream).error("unreadable", cause=os.fsdecode(b"od\xff d"))

    stream.seek(0)
    assert json.loads(stream.read())["cause"] == os.fsdecode(b"od\xff d")


def test_a_terminal_gets_lines_for_people() -> None:
    screen = Screen()

    controller_log(screen).info("converged", host="h")

    assert "converged" in screen.getvalue()
    assert not screen.getvalue().startswith("{")
    assert "\x1b[" in screen.getvalue()


def test_what_is_below_information_is_left_out() -> None:
    stream = io.StringIO()

    controller_log(stream).debug("action started")

    assert stream.getvalue() == ""


def test_a_stream_without_a_reader_is_no_trouble() -> None:
    controller_log(Broken()).info("converged")


def test_a_finding_is_told_with_its_place_subject_and_gravity() -> None:
    stream = io.StringIO()
    log = controller_log(stream)

    tell_finding(log, Finding("hosts/h/a.yaml", 3, 5, Severity.ERROR, "no", "yes", "Dataset tank/a"))
    tell_finding(log, Finding("repository.yaml", 1, 1, Severity.WARNING, "no", "yes"))

    first, second = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["event"], first["level"], first["place"]) == ("invalid", "error", "hosts/h/a.yaml:3:5")
    assert first["subject"] == "Dataset tank/a"
    assert (second["event"], second["level"]) == ("doubtful", "warning")
    assert "subject" not in second


def test_a_result_tells_what_stands_in_the_way_and_then_the_whole() -> None:
    stream = io.StringIO()
    blind = Unreadable("zfs", ("Dataset",), "it failed", "look")

    tell_result(
        controller_log(stream), HostResult("h", (), HostPlan("h", NOW, unreadable=(blind,), wrong_host="it is x")), "one"
    )

    said = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in said] == ["unreadable", "wrong host", "not converged"]
    assert all(event["host"] == "h" for event in said)
