"""What `zfs` and `zpool` say when they fail, and what to make of it (illumos-cli.md 1.4 and 13, linux-host.md 1)."""

import re
from dataclasses import dataclass

from reconciler.model.command import Completed, Ending, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
_USAGE = 2
_NOT_FOUND = 127
_SHOWN_LINES = 4


@dataclass(frozen=True, slots=True)
class Said:
    """Texts that the tools print for one trouble, what they mean, and what helps."""

    meaning: str
    remedy: str
    retry: RetryClass
    texts: tuple[str, ...]


def _said(meaning: str, remedy: str, retry: RetryClass, *texts: str) -> Said:
    return Said(meaning, remedy, retry, texts)


_LOOKS_ANEW = "run again: the next pass looks at it anew"

TABLE = (
    _said(
        "it was made and could not be mounted",
        "clear its mountpoint or set properties.mountpoint; the next pass mounts it",
        _LOOK,
        "successfully created, but not mounted",
    ),
    _said(
        "it was made and could not be shared",
        "check properties.sharenfs and sharesmb, and that the host can share",
        _LOOK,
        "successfully created, but not shared",
    ),
    _said(
        "ZFS does not answer",
        "start the ZFS daemon on the host, or load its kernel module",
        _LATER,
        "zfs-fuse daemon is running",
        "failed to initialize ZFS library",
        "modules are not loaded",
    ),
    _said("the pool has stopped all I/O", "look at zpool status and mend the pool", _LATER, "I/O is currently suspended"),
    _said("the pool was imported read-only", "import the pool read-write", _LATER, "pool is read-only"),
    _said("a zone uses it", "halt the zone, or take the dataset out of its configuration", _LATER, "by local zone"),
    _said(
        "a zone manages it, and its mountpoint is set there",
        "set it inside the zone, or state properties.zoned: off",
        _NEVER,
        "'zoned' property is set",
    ),
    _said(
        "something was cloned from it",
        "remove what was cloned, or promote it",
        _LOOK,
        "has dependent clones",
        "snapshot is cloned",
    ),
    _said("something lies in it that was not there when we looked", "look at a new plan", _LOOK, "has children"),
    _said("it is the root of a pool", "remove the pool by hand if it is to go", _NEVER, "does not apply to pools"),
    _said("it is as wanted already", _LOOKS_ANEW, _LOOK, "not currently mounted", "filesystem already mounted"),
    _said("zfs does not mount it", "mount or unmount it by hand", _NEVER, "legacy mountpoint"),
    _said("canmount forbids it", "state properties.canmount: on", _NEVER, "'canmount' property is set to 'off'"),
    _said("it has no mountpoint", "state properties.mountpoint", _NEVER, "no mountpoint set"),
    _said("its mountpoint holds files", "empty that directory, or mount it elsewhere", _LATER, "directory is not empty"),
    _said("a mount outlived its daemon", "umount -l the mountpoint, then run again", _LATER, "endpoint is not connected"),
    _said(
        "it is in use",
        "see who uses it: open files, a mount namespace, a hold, a clone, a receive, a zone",
        _NOW,
        "is busy",
        "dataset busy",
        "evice busy",
    ),
    _said("it was interrupted", _LOOKS_ANEW, _LOOK, "signal received"),
    _said("what should contain it is not there", "write a manifest for its parent", _LATER, "parent does not exist"),
    _said("its parent is a volume", "choose a name in a file system", _NEVER, "parent is not a filesystem"),
    _said("the pool is not there", "import or make the pool, or correct the name", _LATER, "no such pool"),
    _said("a pool can't be made this way", "make it by hand with zpool create", _NEVER, "missing dataset name"),
    _said("it exists already", _LOOKS_ANEW, _LOOK, "already exists"),
    _said("it is not there any more", _LOOKS_ANEW, _LOOK, "does not exist", "could not find any snapshots", "no such tag"),
    _said("it can't move to another pool", "make a new one there and copy the data", _NEVER, "be within same pool"),
    _said(
        "the limit is below what is used or set aside",
        "raise the limit, or free space in it",
        _LATER,
        "size is less than current used or reserved space",
    ),
    _said(
        "there is not enough space",
        "free space, set less aside, or raise the quota above it",
        _LATER,
        "size is greater than available space",
        "out of space",
        "no space left",
        "quota exceeded",
    ),
    _said(
        "we may not do that",
        "run as root, or with spec.elevate of the Host",
        _NEVER,
        "Insufficient user authorizations",
        "ermission denied",
        "only a privileged user",
        "must be superuser",
    ),
    _said(
        "it can only be set when the object is made",
        "take the line back, or permit lifecycle.disruption: replace",
        _NEVER,
        "is readonly",
    ),
    _said("it can't be inherited", "state a value", _NEVER, "property cannot be inherited"),
    _said("the pool or file system is too old for it", "upgrade it with zpool or zfs upgrade", _NEVER, "must be upgraded"),
    _said(
        "this ZFS does not take the value",
        "choose one that it names",
        _NEVER,
        "must be one of",
        "must be power of 2",
        "must be a multiple of volume block size",
        "must be an absolute path",
        "value too long",
        "bad numeric value",
        "invalid numeric suffix",
        "numeric value is too large",
    ),
    _said(
        "this ZFS has no such property",
        "remove the line",
        _NEVER,
        "invalid property",
        "does not apply to datasets of this type",
        "property is read-only",
    ),
    _said(
        "this ZFS does not take the name",
        "correct metadata.name",
        _NEVER,
        "invalid character",
        "name is too long",
        "component in name",
        "slash in name",
        "delimiter '@'",
        "invalid dataset name",
    ),
    _said(
        "this ZFS can't do that",
        "remove what it lacks from the manifest",
        _NEVER,
        "operation not supported",
        "Function not implemented",
    ),
    _said("it can't be written", "state properties.readonly: off", _NEVER, "dataset is read-only"),
    _said("its key is not loaded", "load the key on the host", _LATER, "encryption failure"),
    _said("the pool's disks fail", "look at zpool status and mend the pool", _LATER, "I/O error"),
    _said(
        "the host could not mount or read it",
        "look at zpool status, and at how many file systems are mounted",
        _LATER,
        "Input/output error",
    ),
)
"""In order: the first entry with a text that is found decides."""

_GONE = re.compile(r"^cannot open '.*': (dataset does not exist|no such pool)$", re.MULTILINE)


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
            return _unknown("it printed more than any listing can be", answer)


def says_gone(answer: Completed) -> bool:
    """Whether the answer is certain that the object asked for does not exist."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and _GONE.search(answer.stderr) is not None


def _exited(answer: Completed) -> Failure:
    if answer.exit_code == _NOT_FOUND:
        return _missing(answer)
    if answer.exit_code is not None and answer.exit_code > _NOT_FOUND:
        return _unknown("it was ended by a signal", answer)
    for known in TABLE:
        if any(text in answer.stderr for text in known.texts):
            retry = _NEVER if answer.exit_code == _USAGE else known.retry
            return Failure(_with_words(known.meaning, answer), known.remedy, retry)
    if answer.exit_code == _USAGE:
        return Failure(
            _with_words("this tool does not know the command as we write it", answer),
            f"compare with the usage of {answer.command.argv[0]} on the host; its version may not be supported",
            _NEVER,
        )
    cause = _with_words(f"it failed with exit code {answer.exit_code}", answer)
    return Failure(cause, "run the command by hand on the host and look", _LATER)


def _missing(answer: Completed) -> Failure:
    tool = answer.command.argv[0]
    return Failure(f"the host has no {tool}", f"install {tool}, or correct the PATH of the host's transport", _NEVER)


def _unknown(what: str, answer: Completed) -> Failure:
    return Failure(_with_words(f"{what}; what it has done is not known", answer), _LOOKS_ANEW, _LOOK)


def _with_words(cause: str, answer: Completed) -> str:
    """The cause with the tool's own words; of a usage text only what stands before it."""
    said = answer.stderr.partition("\nusage:")[0].strip() or answer.stdout.strip()
    lines = [line.strip() for line in said.splitlines() if line.strip()][:_SHOWN_LINES]
    return f"{cause} ({' / '.join(lines)})" if lines else cause
