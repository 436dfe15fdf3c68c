"""What LXC's tools say when they fail."""

from providers.tools.failures import LOOKS_ANEW, failure, said
from providers.tools.zfs_errors import TABLE as ZFS
from reconciler.model.command import Completed, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

TABLE = (
    said(
        "the container uses more than that now, or the kernel does not take the value",
        "end what uses it inside, or raise the limit; it is tried again in each pass, and holds from its next start anyway",
        _LATER,
        "Failed to assign",
    ),
    said("its network link is not there", LOOKS_ANEW, _LOOK, "Failed to retrieve ifindex", "Failed to create the network"),
    said(
        "LXC can't load its config",
        "see the line that it names in the config file; what was written there by hand must be taken out by hand",
        _NEVER,
        "Unsupported config key",
        "Failed to parse config",
        "Failed to load config",
    ),
    said(
        "a dataset that it is to have is mounted nowhere",
        "give the dataset a mountpoint, and mount it",
        _LATER,
        "is mounted nowhere",
    ),
    said(
        "a directory that it is to see is not there",
        "make the directory on the host, or correct mounts",
        _LATER,
        "Failed to mount",
        "Failed to setup mount entries",
    ),
    said(
        "its root holds no program to start it by",
        "see that the image has /sbin/init, or state native.lxc init.cmd",
        _NEVER,
        'Failed to exec "',
    ),
    said(
        "its root is not there, or not mounted",
        "see `zfs list` and `zfs mount` on the host",
        _LATER,
        "Failed to mount rootfs",
        "Failed to setup rootfs",
    ),
    said("it does not end", "see what runs in it; end it by hand with `lxc-stop -k`", _LATER, "monitor does not end"),
    said("it runs no more", LOOKS_ANEW, _LOOK, "is not running"),
    said(
        "its folder holds files of somebody else",
        "look at them, and take them away by hand; then run again",
        _NEVER,
        "files that are not ours",
    ),
    said(
        "something is still mounted in its folder, or uses it",
        "see `findmnt` and `fuser -m` on the host",
        _NOW,
        "Device or resource busy",
        "target is busy",
    ),
    said("we may not do that", "run as root, or with spec.elevate of the Host", _NEVER, "ermission denied", "not permitted"),
    said("the host has no room left", "free space on the host", _LATER, "No space left on device"),
    said("the container did not start", "see its log and console.log in its folder", _LATER, "failed to start"),
)
"""In order: the first entry with a text that is found decides."""


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of a command about containers that did not exit 0."""
    return failure(failed, (*TABLE, *ZFS))
