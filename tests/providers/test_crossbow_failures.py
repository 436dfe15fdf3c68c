"""What the tools of links and rules say when they fail, and what we make of it."""

import pytest

from providers.crossbow.smartos import SmartosBackend
from providers.tools import dladm_errors, fwadm, nictagadm
from reconciler.model.command import Command, Completed, Ending, RetryClass
from tests.providers.test_crossbow_reading import facts

NOW, LATER, LOOK, NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
BACKEND = SmartosBackend(facts("joyent_1"))


def exited(tool: str, stderr: str, code: int = 1) -> Completed:
    return Completed(Command((tool, "x")), Ending.EXITED, code, stderr=f"{stderr}\n")


@pytest.mark.parametrize(
    ("tool", "stderr", "retry", "said"),
    [
        ("dladm", "dladm: vnic deletion failed: link busy", LATER, "in use"),
        ("dladm", "dladm: warning: cannot set link property 'mtu' on 'v0': link busy", LATER, "in use"),
        ("dladm", "dladm: vnic creation over net0 failed: object already exists", LOOK, "exists already"),
        ("dladm", "dladm: etherstub creation failed: object already exists", LOOK, "exists already"),
        ("dladm", "dladm: invalid link name 'nope0'", LATER, "not there"),
        ("dladm", "dladm: link v0 is not valid: object not found", LOOK, "not there any more"),
        ("dladm", "dladm: vnic creation over net0 failed: MAC address is already in use", NEVER, "MAC address"),
        ("dladm", "dladm: vnic creation over net0 failed: MAC address reserved for use by underlying data-link", NEVER, "MAC"),
        ("dladm", "dladm: vnic creation over net0 failed: invalid value", NEVER, "the value"),
        ("dladm", "dladm: warning: link property 'priority' must be one of: low,medium,high", NEVER, "the value"),
        ("dladm", "dladm: invalid VLAN identifier '5000'", NEVER, "VLAN"),
        ("dladm", "dladm: 'stub0' is not a vnic", NEVER, "another kind of link"),
        ("dladm", "dladm: property list too long 'x'", NEVER, "too long"),
        ("dladm", "dladm: operation failed: permission denied", NEVER, "may not"),
        ("dladm", "dladm: operation failed: operation timed out", LOOK, "too long"),
        ("dladm", "dladm: operation failed: try again later", NOW, "busy"),
        ("ipadm", "ipadm: Could not communicate with ipmgmtd", NOW, "does not answer"),
        ("nictagadm", "Error: nic tag 'stub0' already exists", LOOK, "exists already"),
        ("nictagadm", "Error: nic tag 'stub0' does not exist", LOOK, "not there any more"),
        ("nictagadm", "Error: nic tag 'stub0' is in use", LATER, "guests use it"),
        ("nictagadm", "Error: No physical nic found with MAC address 'x'", NEVER, "no such network card"),
        ("fwadm", "rule does not affect VMs", NEVER, "must name a guest"),
        ("fwadm", "Unknown rule: a", LOOK, "not there any more"),
        ("fwadm", 'rule: Syntax error on input "x", expected: ALLOW or BLOCK', NEVER, "does not take the rule"),
        ("fwadm", 'rule: UUID "web1" is invalid', NEVER, "does not take the rule"),
        ("vmadm", "something new", LATER, "something new"),
    ],
)
def test_a_failure_has_cause_remedy_and_retry_class(tool: str, stderr: str, retry: RetryClass, said: str) -> None:
    found = BACKEND.explain(exited(tool, stderr))

    assert found.retry is retry
    assert said in found.cause
    assert stderr in found.cause, "with the tool's own words"
    assert found.remedy


def test_a_usage_error_is_never_tried_again() -> None:
    assert BACKEND.explain(exited("nictagadm", "Usage:", 2)).retry is NEVER


@pytest.mark.parametrize("table", [dladm_errors.TABLE, nictagadm.TABLE, fwadm.TABLE])
def test_no_entry_hides_behind_an_earlier_one(table: tuple[object, ...]) -> None:
    texts: list[str] = []
    for entry in table:
        for text in entry.texts:  # type: ignore[attr-defined]
            assert not any(earlier in text for earlier in texts), text
        texts += entry.texts  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("stderr", "code", "gone"),
    [
        ("dladm: link x0 is not valid: object not found", 1, True),
        ("dladm: invalid vnic name 'x0': object not found", 1, True),
        ("dladm: link busy", 1, False),
        ("object not found", 255, False),
    ],
)
def test_only_a_sure_answer_says_that_a_link_is_gone(stderr: str, code: int, gone: bool) -> None:
    assert dladm_errors.says_gone(exited("dladm", stderr, code)) is gone
