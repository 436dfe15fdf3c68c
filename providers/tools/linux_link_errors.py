"""What `ip`, `tc`, `bridge` and `nft` say when they fail, and what to make of it (iproute2 6.1, nftables 1.0.6)."""

from providers.tools.failures import LOOKS_ANEW, Said, failure, said
from reconciler.model.command import Completed, Ending, Failure, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

NOT_OURS = "is there, and it is not ours"
"""What our script says of a link that has the name of one that it is to make."""

KEEPS_NOT_APART = "does not filter VLANs"
"""What our script says of a bridge that is to keep VLANs apart."""

HAS_PORTS = "has ports"
"""What our script says of a bridge that is to go."""

TABLE = (
    said("it is in use", "see who uses it: ip link show master BRIDGE; end that, then run again", _LATER, HAS_PORTS),
    said("a link that is not ours has the name", "choose another name, or remove that link: ip -d link show", _NEVER, NOT_OURS),
    said("the bridge does not keep VLANs apart", "set it up to: ip link set dev BRIDGE type bridge vlan_filtering 1", _LATER,
         KEEPS_NOT_APART),
    said("it exists already", LOOKS_ANEW, _LOOK, "File exists"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "Cannot find device", "does not exist", "No such device"),
    said("the host's kernel has no such kind of link", "load its module (modprobe), or use a kernel that has it", _LATER,
         "Unknown device type"),
    said("the host's kernel has no limits of that kind", "load the module sch_tbf, or remove maxBandwidth", _LATER,
         "Specified qdisc kind is unknown"),
    said("the host's kernel can't do that", "load the module that it needs, or remove the field", _LATER,
         "Operation not supported", "Protocol not supported", "not supported"),
    said("the link is in use", "see who uses it: ip -d link show; end that, then run again", _LATER,
         "Device or resource busy", "Resource busy"),
    said("the host does not take the name", "use at most 14 characters, letters, digits, _ . and -", _NEVER,
         "not a valid ifname", "Attribute failed policy validation", "Numerical result out of range"),
    said("the packets would be too large for the link, or for the one below", "state a smaller mtu", _NEVER,
         "mtu greater than device maximum", "mtu less than device minimum", "Invalid MTU"),
    said("the link does not take the address", "state another mac", _NEVER, "Cannot assign requested address",
         "Address already in use"),
    said("nft does not take the rules", "see the line that it names; the old rules are still in force", _NEVER,
         "syntax error", "conflicting intervals"),
    said("what the rules name is not there", LOOKS_ANEW, _LOOK, "No such file or directory"),
    said("somebody else changed rules at the same moment", "run again", _NOW, "Resource temporarily unavailable",
         "Interrupted system call"),
    said("we may not do that", "run as root, or with spec.elevate of the Host", _NEVER, "Operation not permitted",
         "Permission denied"),
    said("the host is short of memory", "free some, then run again", _LATER, "Cannot allocate memory",
         "No buffer space available"),
)  # fmt: skip
"""In order: the first entry with a text that is found decides."""


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of a command of `ip`, `tc`, `bridge`, `nft`, or one of our scripts around `ip`."""
    known = _known(failed)
    if known is not None and failed.ending is Ending.EXITED and failed.exit_code == _REFUSED_255:
        return Failure(f"{known.meaning} (exit code {_REFUSED_255}: {failed.stderr.strip()})", known.remedy, known.retry)
    return failure(failed, TABLE, _judged)


_REFUSED, _REFUSED_255 = 2, 255
"""`ip` exits with 2 when the kernel refuses, `bridge` with 255: it is neither a usage that they don't know nor a signal."""


def _judged(answer: Completed) -> Said | None:
    return _known(answer) if answer.ending is Ending.EXITED and answer.exit_code == _REFUSED else None


def _known(answer: Completed) -> Said | None:
    return next((known for known in TABLE if any(text in answer.stderr for text in known.texts)), None)
