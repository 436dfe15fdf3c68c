"""What `virsh` says when it fails, and what to make of it."""

import re

from providers.tools import failures, linux_ports, zfs_errors
from providers.tools.failures import LOOKS_ANEW, said
from reconciler.model.command import Completed, Ending, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

TABLE = (
    said(
        "libvirt does not answer",
        "start libvirtd on the host (`systemctl start libvirtd`; without systemd as docs/libvirt.md says)",
        _LATER,
        "failed to connect to the hypervisor",
        "Failed to connect socket",
        "Disconnected from qemu:///system",
        "End of file while reading data",
        "client socket is closed",
    ),
    said(
        "a domain of that name is there and has another uuid",
        LOOKS_ANEW,
        _LOOK,
        "already exists with uuid",
        "is already defined with uuid",
    ),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "failed to get domain", "Domain not found", "no domain with matching"),
    said(
        "it is as wanted already",
        LOOKS_ANEW,
        _LOOK,
        "Domain is already active",
        "domain is not running",
        "already exists in domain",
    ),
    said(
        "a disk of it is used by another machine or process",
        "see who holds it (`fuser -v FILE`), and stop that first",
        _LATER,
        'Failed to get "write" lock',
        "Is another process using the image",
    ),
    said(
        "a file or device of it is not there",
        "mount or bring back what holds it; the next pass looks anew",
        _LATER,
        "Cannot access storage file",
        "No such file or directory",
        "Could not open",
    ),
    said(
        "a port of it is not there",
        "run again: ports are made anew",
        _LOOK,
        "Unable to query tap interface",
        "Cannot get interface MTU",
        "could not configure /dev/net/tun",
        "tun/tap",
        "error creating macvtap",
        "No such device",
    ),
    said(
        "QEMU can't use KVM there",
        "write engine: qemu, or load the kernel's module kvm_intel or kvm_amd",
        _NEVER,
        "does not support virt type 'kvm'",
        "accel 'kvm' is not supported",
        "Could not access KVM kernel module",
        "failed to initialize kvm",
    ),
    said("it has no UEFI firmware", "install it (Debian: ovmf)", _NEVER, "Unable to find any firmware", "no matching firmware"),
    said(
        "there is not enough memory on the host",
        "free memory, or give it less",
        _LATER,
        "Cannot allocate memory",
        "cannot set up guest memory",
    ),
    said(
        "the guest does not let go of the device",
        "shut it down from inside, or permit lifecycle.disruption: restart",
        _LATER,
        "does not let go of",
    ),
    said(
        "that port of the host is taken",
        "state another console.vnc.port, or 0 for any",
        _NEVER,
        "Address already in use",
        "Failed to start VNC server",
        "Failed to bind socket",
    ),
    said(
        "another command holds the domain",
        "run again; see `virsh domjobinfo` if it stays so",
        _NOW,
        "cannot acquire state change lock",
        "Timed out during operation",
    ),
    said("the file would be cut off", "state the size that it has, or more", _NEVER, "it would be cut off"),
    said(
        "the disk that goes has snapshots, and nothing says that they may go with it",
        "set lifecycle.deleteSnapshots: true, or destroy them by hand",
        _NEVER,
        "which would go with it",
    ),
    said("the image holds no disk", "see what the Image is made of: it is of type vm", _NEVER, "the image holds no disk"),
    said(
        "libvirt refuses the definition",
        "correct the fields that stand for what it names",
        _NEVER,
        "unsupported configuration",
        "XML error",
        "XML document failed to validate",
        "invalid argument",
        "No more available PCI slots",
    ),
    said(
        "we may not do that",
        "run as root, or as a member of group libvirt",
        _NEVER,
        "authentication unavailable",
        "access denied",
    ),
)
"""In order: the first entry with a text that is found decides."""

_GONE = re.compile(r"failed to get domain|Domain not found|no domain with matching")


def says_gone(answer: Completed) -> bool:
    """Whether the answer is certain that the domain asked for does not exist."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and _GONE.search(answer.stderr) is not None


_LINK_TOOLS = frozenset({"ip", "tc", "nft", "bridge"})
_LINK_SCRIPTS = frozenset({"make-link", "remove-links", "remove-own-links"})
_ZFS_SCRIPTS = frozenset(
    {"make-dataset", "move-disk", "destroy-disk", "mount-dataset", "read-datasets", "grow-file", "drop-container"}
)


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of a command that did not exit 0, by the tool or script that said it."""
    argv = failed.command.argv
    script = argv[3] if argv[:2] == ("sh", "-c") and len(argv) > 3 else ""
    if argv[0] in _LINK_TOOLS or script in _LINK_SCRIPTS:
        return linux_ports.explain(failed)
    if argv[0] == "zfs" or script in _ZFS_SCRIPTS:
        own = tuple(
            entry
            for entry in TABLE
            if any("cut off" in text or "holds no disk" in text or "go with it" in text for text in entry.texts)
        )
        return failures.failure(failed, (*own, *zfs_errors.TABLE))
    return failures.failure(failed, TABLE)
