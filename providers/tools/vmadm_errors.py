"""What `vmadm` says when it fails, and what to make of it (smartos-vmadm.md 1, 2 and 13)."""

import json
import re

from providers.tools import failures
from providers.tools.failures import LOOKS_ANEW, Said, said
from reconciler.model.command import Completed, Ending, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
TABLE = (
    said(
        "we are not root in the global zone", "run as root there, or with spec.elevate of the Host", _NEVER, "FATAL: cannot run"
    ),
    said(
        "the change was made, or not: vmadm waited in vain for the word of vminfod",
        LOOKS_ANEW,
        _LOOK,
        "watchForChanges",
        "timeout exceeded",
    ),
    said("vminfod does not answer", "see `svcs -x vminfod` on the host", _NOW, "VminfodEventStream ready timeout"),
    said(
        "a service of the host does not answer",
        "see `svcs -x vminfod vmadmd` on the host",
        _NOW,
        "ECONNREFUSED",
        "connection refused",
        "Unable to tell vmadmd",
    ),
    said("it did not come up again in time", "look at its console on the host", _LOOK, "timed out waiting for zone to reboot"),
    said(
        "it was made, and did not say in time that it is set up",
        "look into its /var/svc/log and /var/log/vm/logs on the host",
        _LOOK,
        "timed out waiting for /var/svc/provisioning",
    ),
    said("its datasets could not be destroyed yet", "see who uses them on the host", _NOW, "delete failed after"),
    said(
        "it is on its way to another state",
        "wait until it is there; look at /var/log/vm/logs when it stays so",
        _LATER,
        "Cannot start vm from state",
    ),
    said(
        "disks can't change while it runs",
        "stop it, or permit that with lifecycle.disruption: restart",
        _LOOK,
        "only allowed when state is",
    ),
    said("a disk can't shrink", "state the size that it has, or more", _NEVER, "cannot resize disk"),
    said(
        "a nic names a tag that the host has not",
        "make an Etherstub or nic tag of that name, or correct nics[].over",
        _LATER,
        "Invalid nic tag",
    ),
    said(
        "another guest of the host has the same MAC, address, VRID or VNC port",
        "see nics and console.vnc.port of the other guests; an address counts once on each nic tag and VLAN",
        _NEVER,
        "Conflict detected",
    ),
    said(
        "a dataset is there that the guest needs the name of: a creation that did not get to its end leaves one",
        "look at it with `zfs list -r`, and destroy it by hand with `zfs destroy -r` if no guest has that uuid",
        _LATER,
        "dataset already exists",
    ),
    said("an object of that id is there already", LOOKS_ANEW, _LOOK, "already exists"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "No such zone configured", "not found", "No such zone"),
    said(
        "it is marked as indestructible on the host",
        "clear indestructible_zoneroot and indestructible_delegated by hand, if it may go",
        _LATER,
        "indestructible_",
    ),
    said("other guests share its volumes", "remove those first", _LATER, "shared by", "shares volumes"),
    said(
        "images or guests were cloned from it",
        "remove what was cloned",
        _LATER,
        "ImageHasDependentClones",
        "has dependent clones",
    ),
    said(
        "there is not enough space",
        "free space in the pool, or ask for less",
        _LATER,
        "out of space",
        "no space left",
        "ENOSPC",
    ),
    said("a dataset of it is in use", "see who uses it: a hold, a clone, a receive", _NOW, "dataset is busy"),
    said("another command holds it", LOOKS_ANEW, _NOW, "lock file", "for lock", "lockfile"),
    said(
        "this host has no bhyve",
        "write engine: kvm, or move it to a host that has it",
        _NEVER,
        "Bhyve Capable",
        "Bhyve not supported",
    ),
    said("vmadm does not know this brand", "correct brand or engine", _NEVER, "Unsupported brand", "bad_brand"),
    said(
        "vmadm does not take the payload",
        "correct the fields that it names",
        _NEVER,
        "Invalid value(s) for",
        "Missing required properties",
        "Invalid JSON payload",
        "is not a valid disk model",
        "is not a valid NIC model",
        "is not a valid disk media",
        "missing .model option",
        "Invalid IP for NIC",
        "Missing .netmask",
        "Cannot add multiple",
        "Static gateways must be IPv4",
        "more than 1 primary",
        "more than 1 boot disk",
        "Route gateway",
        "Invalid route",
        "VNC password is too long",
        "must be an array",
        "no existing NIC with that mac",
        "needs a .mac property",
        "does not yet support reprovision",
        "Cannot currently snapshot",
        "currently unsupported",
        "invalid compression",
        "invalid block_size",
    ),
)
"""In order: the first entry with a text that is found decides."""

_BAD = {
    "bad_values": "vmadm does not take the value of {}",
    "bad_properties": "a guest of this brand can't have {}",
    "missing_properties": "{} must be stated",
}
_GONE = re.compile(r"No such zone configured|VM \S+ not found")


def failure(answer: Completed) -> Failure:
    """Cause, remedy and retry class of a command that did not exit 0; the cause ends with what vmadm said."""
    return failures.failure(answer, TABLE, _judgement)


def says_gone(answer: Completed) -> bool:
    """Whether it is certain that the guest asked for does not exist: `get` words that in another way than the others."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and _GONE.search(answer.stderr) is not None


def _judgement(answer: Completed) -> Said | None:
    """The answer of `vmadm validate`, one JSON object, in words."""
    try:
        found = json.loads(answer.stderr)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if "bad_brand" in found:
        return said(f"vmadm does not know the brand {found['bad_brand']}", "correct brand or engine", _NEVER)
    lists = {name: [str(item) for item in found[name]] for name in _BAD if isinstance(found.get(name), list)}
    words = [_BAD[name].format(", ".join(lists[name])) for name in _BAD if lists.get(name)]
    if not words:
        return None
    if all("image_uuid" in item for items in lists.values() for item in items):
        cause = "an image is not installed in that pool, is of another type than the brand needs, or could not be looked at"
        return said(cause, "write a manifest for the Image, of the right type", _LATER)
    return said("; ".join(words), "correct the fields that stand for these properties", _NEVER)
