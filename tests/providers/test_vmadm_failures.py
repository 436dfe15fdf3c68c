"""What vmadm says when it fails, in words, with what helps, and whether trying again may."""

import json

import pytest

from providers.tools.vmadm import update, validate_create
from providers.tools.vmadm_errors import failure, says_gone
from providers.tools.vmadm_guests import explain
from reconciler.model.command import Command, Completed, Ending, RetryClass

UUID = "4f2c9ad1-32a5-4a83-8e5c-0d3b2c7f1a01"
UPDATE, VALIDATE = update(UUID, {"quota": 10}), validate_create({"brand": "lx"})


def failed(stderr: str, *, command: Command = UPDATE, code: int = 1) -> Completed:
    return Completed(command, Ending.EXITED, code, stderr=f"{stderr}\n")


def test_what_validate_found_is_shown_whole() -> None:
    """It is printed over many lines, of which the last say nothing."""
    judged = {"bad_values": ["fs_allowed"], "bad_properties": [], "missing_properties": []}

    found = failure(failed(json.dumps(judged, indent=2), command=VALIDATE))

    assert found.cause == f"vmadm does not take the value of fs_allowed (exit code 1: {json.dumps(judged)})"


@pytest.mark.parametrize(
    ("stderr", "retry", "cause"),
    [
        ('vminfod watchForChanges "quota" timeout exceeded', RetryClass.LOOK_AGAIN, "made, or not"),
        ("VminfodEventStream ready timeout", RetryClass.NOW, "vminfod does not answer"),
        ("connect ECONNREFUSED 127.0.0.1:9090", RetryClass.NOW, "does not answer"),
        ("timed out waiting for zone to reboot", RetryClass.LOOK_AGAIN, "did not come up"),
        (f"timed out waiting for /var/svc/provisioning to move for {UUID}", RetryClass.LOOK_AGAIN, "set up"),
        ("delete failed after 5 attempts. (check the log for details)", RetryClass.NOW, "destroyed yet"),
        (
            'Cannot start vm from state "stopping", must be "stopped".',
            RetryClass.LATER,
            "on its way",
        ),
        (
            'updates to disks are only allowed when state is "stopped", currently: running (running)',
            RetryClass.LOOK_AGAIN,
            "runs",
        ),
        ("cannot resize disk: new size must be greater than current size. (20480 > 10240)", RetryClass.NEVER, "shrink"),
        ('Invalid nic tag "front9"', RetryClass.LATER, "tag"),
        ("Conflict detected with another vm, please check the MAC, IP, and VRID", RetryClass.NEVER, "another guest"),
        (f"VM with UUID {UUID} already exists", RetryClass.LOOK_AGAIN, "there already"),
        (f"zoneadm: {UUID}: No such zone configured", RetryClass.LOOK_AGAIN, "not there any more"),
        (f"VM {UUID} not found", RetryClass.LOOK_AGAIN, "not there any more"),
        (f"Failed to delete VM {UUID}: indestructible_zoneroot is set, cannot delete", RetryClass.LATER, "indestructible"),
        ("Invalid value(s) for: quota", RetryClass.NEVER, "payload"),
        ('"floppy" is not a valid disk model', RetryClass.NEVER, "payload"),
        ('sysinfo does not have "Bhyve Capable"', RetryClass.NEVER, "no bhyve"),
        ("something that nobody has heard of", RetryClass.LATER, "exit code 1"),
    ],
)
def test_a_failure_is_told_in_words_with_those_of_vmadm(stderr: str, retry: RetryClass, cause: str) -> None:
    found = failure(failed(stderr))

    assert found.retry is retry
    assert cause in found.cause
    assert stderr in found.cause
    assert found.remedy


@pytest.mark.parametrize(
    ("answer", "retry", "cause"),
    [
        ({"bad_brand": "undefined"}, RetryClass.NEVER, "does not know the brand undefined"),
        (
            {"bad_values": ["quota"], "bad_properties": ["disks.*.size", "vga"], "missing_properties": ["kernel_version"]},
            RetryClass.NEVER,
            "the value of quota; a guest of this brand can't have disks.*.size, vga; kernel_version must be stated",
        ),
        (
            {"bad_values": ["image_uuid"], "bad_properties": [], "missing_properties": []},
            RetryClass.LATER,
            "an image is not installed",
        ),
        (
            {"bad_values": ["disks.0.image_uuid", "quota"], "bad_properties": [], "missing_properties": []},
            RetryClass.NEVER,
            "does not take the value of disks.0.image_uuid, quota",
        ),
    ],
)
def test_the_judgement_of_validate_becomes_words(answer: dict[str, object], retry: RetryClass, cause: str) -> None:
    found = failure(failed(json.dumps(answer), command=VALIDATE))

    assert found.retry is retry
    assert cause in found.cause


def test_a_usage_error_helps_by_no_retry() -> None:
    assert failure(failed("Usage: vmadm update <uuid>", code=2)).retry is RetryClass.NEVER
    assert failure(failed("FATAL: cannot run because: not root", code=2)).retry is RetryClass.NEVER


@pytest.mark.parametrize("stderr", [f"zoneadm: {UUID}: No such zone configured", f"VM {UUID} not found"])
def test_both_ways_to_say_that_a_guest_is_gone_are_understood(stderr: str) -> None:
    assert says_gone(failed(stderr))


def test_what_could_not_be_looked_at_is_not_gone() -> None:
    assert not says_gone(failed("connection refused"))
    assert not says_gone(Completed(UPDATE, Ending.LOST, None))
    assert not says_gone(failed(f"VM {UUID} not found", code=2))


def test_what_zfs_says_is_explained_by_its_own_table() -> None:
    zfs = Command(("zfs", "rename", "zones/a", "zones/b"))

    assert explain(failed("cannot open 'zones/a': dataset does not exist", command=zfs)).retry is RetryClass.LOOK_AGAIN
