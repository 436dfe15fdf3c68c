"""What `zfs` and `zpool` say when they fail, and what to make of it (illumos-cli.md 1.4 and 13, linux-host.md 1)."""

import re

from providers.tools.failures import LOOKS_ANEW, said
from reconciler.model.command import Completed, Ending, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

TABLE = (
    # Said again, `zfs set` is content with the value that is there by now, and mounts nothing.
    said(
        "it was set, and not all that it moved could be mounted again",
        "see what keeps the place busy or full; the next pass mounts what it finds unmounted",
        _LATER,
        "unable to remount filesystem",
    ),
    said(
        "it was made and could not be mounted",
        "clear its mountpoint or set properties.mountpoint; the next pass mounts it",
        _LOOK,
        "successfully created, but not mounted",
    ),
    said(
        "it was made and could not be shared",
        "check properties.sharenfs and sharesmb, and that the host can share",
        _LOOK,
        "successfully created, but not shared",
    ),
    said(
        "ZFS does not answer",
        "start the ZFS daemon on the host, or load its kernel module",
        _LATER,
        "zfs-fuse daemon is running",
        "failed to initialize ZFS library",
        "modules are not loaded",
    ),
    said("the pool has stopped all I/O", "look at zpool status and mend the pool", _LATER, "I/O is currently suspended"),
    said("the pool was imported read-only", "import the pool read-write", _LATER, "pool is read-only"),
    said("a zone uses it", "halt the zone, or take the dataset out of its configuration", _LATER, "by local zone"),
    said(
        "a zone manages it, and its mountpoint is set there",
        "set it inside the zone, or state properties.zoned: off",
        _NEVER,
        "'zoned' property is set",
    ),
    said(
        "something was cloned from it",
        "remove what was cloned, or promote it",
        _LOOK,
        "has dependent clones",
        "snapshot is cloned",
    ),
    said("something lies in it that was not there when we looked", "look at a new plan", _LOOK, "has children"),
    said("it is the root of a pool", "remove the pool by hand if it is to go", _NEVER, "does not apply to pools"),
    said("it is as wanted already", LOOKS_ANEW, _LOOK, "not currently mounted", "filesystem already mounted"),
    said("zfs does not mount it", "mount or unmount it by hand", _NEVER, "legacy mountpoint"),
    said("canmount forbids it", "state properties.canmount: on", _NEVER, "'canmount' property is set to 'off'"),
    said("it has no mountpoint", "state properties.mountpoint", _NEVER, "no mountpoint set"),
    said("its mountpoint holds files", "empty that directory, or mount it elsewhere", _LATER, "directory is not empty"),
    said("a mount outlived its daemon", "umount -l the mountpoint, then run again", _LATER, "endpoint is not connected"),
    said(
        "it is in use",
        "see who uses it: open files, a mount namespace, a hold, a clone, a receive, a zone",
        _NOW,
        "is busy",
        "dataset busy",
        "evice busy",
    ),
    said("it was interrupted", LOOKS_ANEW, _LOOK, "signal received"),
    said("what should contain it is not there", "write a manifest for its parent", _LATER, "parent does not exist"),
    said("its parent is a volume", "choose a name in a file system", _NEVER, "parent is not a filesystem"),
    said("the pool is not there", "import or make the pool, or correct the name", _LATER, "no such pool"),
    said("a pool can't be made this way", "make it by hand with zpool create", _NEVER, "missing dataset name"),
    said("it exists already", LOOKS_ANEW, _LOOK, "already exists"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "does not exist", "could not find any snapshots", "no such tag"),
    said("it can't move to another pool", "make a new one there and copy the data", _NEVER, "be within same pool"),
    said(
        "the limit is below what is used or set aside",
        "raise the limit, or free space in it",
        _LATER,
        "size is less than current used or reserved space",
    ),
    said(
        "there is not enough space",
        "free space, set less aside, or raise the quota above it",
        _LATER,
        "size is greater than available space",
        "out of space",
        "no space left",
        "quota exceeded",
    ),
    said(
        "we may not do that",
        "run as root, or with spec.elevate of the Host",
        _NEVER,
        "Insufficient user authorizations",
        "ermission denied",
        "only a privileged user",
        "must be superuser",
    ),
    said(
        "it can only be set when the object is made",
        "take the line back, or permit lifecycle.disruption: replace",
        _NEVER,
        "is readonly",
    ),
    said("it can't be inherited", "state a value", _NEVER, "property cannot be inherited"),
    said("the pool or file system is too old for it", "upgrade it with zpool or zfs upgrade", _NEVER, "must be upgraded"),
    said(
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
    said(
        "this ZFS has no such property",
        "remove the line",
        _NEVER,
        "invalid property",
        "does not apply to datasets of this type",
        "property is read-only",
    ),
    said(
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
    said(
        "this ZFS can't do that",
        "remove what it lacks from the manifest",
        _NEVER,
        "operation not supported",
        "Function not implemented",
    ),
    said("it can't be written", "state properties.readonly: off", _NEVER, "dataset is read-only"),
    said("its key is not loaded", "load the key on the host", _LATER, "encryption failure"),
    said("the pool's disks fail", "look at zpool status and mend the pool", _LATER, "I/O error"),
    said(
        "the host could not mount or read it",
        "look at zpool status, and at how many file systems are mounted",
        _LATER,
        "Input/output error",
    ),
)
"""In order: the first entry with a text that is found decides."""

_GONE = re.compile(r"^cannot open '.*': (dataset does not exist|no such pool)$", re.MULTILINE)


def says_gone(answer: Completed) -> bool:
    """Whether the answer is certain that the object asked for does not exist."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and _GONE.search(answer.stderr) is not None
