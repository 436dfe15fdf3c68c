"""What `vmadm` says when it fails, and what to make of it (smartos-vmadm.md 1, 2 and 13)."""

import json
import re
from dataclasses import dataclass

from reconciler.model.command import Completed, Ending, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
_USAGE = 2
_NOT_FOUND = 127
_SHOWN_LINES = 4

_LOOKS_ANEW = "run again: the next pass looks at it anew"


@dataclass(frozen=True, slots=True)
class Said:
    """Texts that vmadm prints for one trouble, what they mean, and what helps."""

    meaning: str
    remedy: str
    retry: RetryClass
    texts: tuple[str, ...]


def _said(meaning: str, remedy: str, retry: RetryClass, *texts: str) -> Said:
    return Said(meaning, remedy, retry, texts)


TABLE = (
    _said(
        "we are not root in the global zone", "run as root there, or with spec.elevate of the Host", _NEVER, "FATAL: cannot run"
    ),
    _said(
        "the change was made, or not: vmadm waited in vain for the word of vminfod",
        _LOOKS_ANEW,
        _LOOK,
        "watchForChanges",
        "timeout exceeded",
    ),
    _said("vminfod does not answer", "see `svcs -x vminfod` on the host", _NOW, "VminfodEventStream ready timeout"),
    _said(
        "a service of the host does not answer",
        "see `svcs -x vminfod vmadmd` on the host",
        _NOW,
        "ECONNREFUSED",
        "connection refused",
        "Unable to tell vmadmd",
    ),
    _said("it did not come up again in time", "look at its console on the host", _LOOK, "timed out waiting for zone to reboot"),
    _said(
        "it was made, and did not say in time that it is set up",
        "look into its /var/svc/log and /var/log/vm/logs on the host",
        _LOOK,
        "timed out waiting for /var/svc/provisioning",
    ),
    _said("its datasets could not be destroyed yet", "see who uses them on the host", _NOW, "delete failed after"),
    _said(
        "it is on its way to another state",
        "wait until it is there; look at /var/log/vm/logs when it stays so",
        _LATER,
        "Cannot start vm from state",
    ),
    _said(
        "disks can't change while it runs",
        "stop it, or permit that with lifecycle.disruption: restart",
        _LOOK,
        "only allowed when state is",
    ),
    _said("a disk can't shrink", "state the size that it has, or more", _NEVER, "cannot resize disk"),
    _said(
        "a nic names a tag that the host has not",
        "make an Etherstub or nic tag of that name, or correct nics[].over",
        _LATER,
        "Invalid nic tag",
    ),
    _said(
        "another guest of the host has the same MAC, address, VRID or VNC port",
        "see nics and console.vnc.port of the other guests; an address counts once on each nic tag and VLAN",
        _NEVER,
        "Conflict detected",
    ),
    _said(
        "a dataset is there that the guest needs the name of: a creation that did not get to its end leaves one",
        "look at it with `zfs list -r`, and destroy it by hand if no guest has it",
        _LATER,
        "dataset already exists",
    ),
    _said("an object of that id is there already", _LOOKS_ANEW, _LOOK, "already exists"),
    _said("it is not there any more", _LOOKS_ANEW, _LOOK, "No such zone configured", "not found", "No such zone"),
    _said(
        "it is marked as indestructible on the host",
        "clear indestructible_zoneroot and indestructible_delegated by hand, if it may go",
        _LATER,
        "indestructible_",
    ),
    _said("other guests share its volumes", "remove those first", _LATER, "shared by", "shares volumes"),
    _said(
        "images or guests were cloned from it",
        "remove what was cloned",
        _LATER,
        "ImageHasDependentClones",
        "has dependent clones",
    ),
    _said(
        "there is not enough space",
        "free space in the pool, or ask for less",
        _LATER,
        "out of space",
        "no space left",
        "ENOSPC",
    ),
    _said("a dataset of it is in use", "see who uses it: a hold, a clone, a receive", _NOW, "dataset is busy"),
    _said("another command holds it", _LOOKS_ANEW, _NOW, "lock file", "for lock", "lockfile"),
    _said(
        "this host has no bhyve",
        "write engine: kvm, or move it to a host that has it",
        _NEVER,
        "Bhyve Capable",
        "Bhyve not supported",
    ),
    _said("vmadm does not know this brand", "correct brand or engine", _NEVER, "Unsupported brand", "bad_brand"),
    _said(
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
    """Cause, remedy and retry class of a command that did not exit 0; the cause ends with what the tool said."""
    match answer.ending:
        case Ending.EXITED:
            return _exited(answer)
        case Ending.NOT_FOUND:
            return _missing(answer)
        case Ending.SIGNALLED:
            return _unknown("it was ended by a signal", answer)
        case Ending.DEADLINE:
            return _unknown(f"it did not end within {answer.command.deadline_s:.0f} s", answer)
        case Ending.LOST:
            return _unknown("its answer was lost", answer)
        case Ending.TOO_MUCH:
            return _unknown("it printed more than any answer can be", answer)


def says_gone(answer: Completed) -> bool:
    """Whether it is certain that the guest asked for does not exist: `get` words that in another way than the others."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and _GONE.search(answer.stderr) is not None


def _exited(answer: Completed) -> Failure:
    code = answer.exit_code
    if code == _NOT_FOUND:
        return _missing(answer)
    if code is not None and code > _NOT_FOUND:
        return _unknown("it was ended by a signal", answer)
    if (judged := _judgement(answer)) is not None:
        return judged
    for known in TABLE:
        if any(text in answer.stderr for text in known.texts):
            return Failure(_with_words(known.meaning, answer), known.remedy, _NEVER if code == _USAGE else known.retry)
    if code == _USAGE:
        cause = _with_words("this vmadm does not know the command as we write it", answer)
        return Failure(cause, "compare with `vmadm help` on the host; its version may not be supported", _NEVER)
    cause = _with_words(f"it failed with exit code {code}", answer)
    return Failure(cause, "look at /var/log/vm/logs on the host, and run the command by hand", _LATER)


def _judgement(answer: Completed) -> Failure | None:
    """The answer of `vmadm validate`, one JSON object, in words."""
    try:
        found = json.loads(answer.stderr)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if "bad_brand" in found:
        cause = f"vmadm does not know the brand {found['bad_brand']}"
        return Failure(_with_words(cause, answer), "correct brand or engine", _NEVER)
    lists = {name: [str(item) for item in found[name]] for name in _BAD if isinstance(found.get(name), list)}
    said = [_BAD[name].format(", ".join(lists[name])) for name in _BAD if lists.get(name)]
    if not said:
        return None
    if all("image_uuid" in item for items in lists.values() for item in items):
        cause = "an image is not installed in that pool, is of another type than the brand needs, or could not be looked at"
        return Failure(_with_words(cause, answer), "write a manifest for the Image, of the right type", _LATER)
    return Failure(_with_words("; ".join(said), answer), "correct the fields that stand for these properties", _NEVER)


def _missing(answer: Completed) -> Failure:
    tool = answer.command.argv[0]
    return Failure(f"the host has no {tool}", "give the transport a PATH that has it; on SmartOS /usr/vm/sbin", _NEVER)


def _unknown(what: str, answer: Completed) -> Failure:
    return Failure(_with_words(f"{what}; what it has done is not known", answer), _LOOKS_ANEW, _LOOK)


def _with_words(cause: str, answer: Completed) -> str:
    """The cause with the tool's own words, the last lines of them: there vmadm says why."""
    said = answer.stderr.strip() or answer.stdout.strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()][-_SHOWN_LINES:]
    return f"{cause} ({' / '.join(lines)})" if lines else cause
