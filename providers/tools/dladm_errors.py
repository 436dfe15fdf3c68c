"""What `dladm` and `ipadm` say when they fail, and what to make of it (illumos-cli.md 3.3, 3.4, 5 and 13)."""

from providers.tools.failures import LOOKS_ANEW, said
from reconciler.model.command import Completed, Ending, RetryClass

_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER

TABLE = (
    said(
        "the link is in use",
        "see who uses it: an address (ipadm show-addr), a running zone, a VNIC or bridge on it; end that, then run again",
        _LATER,
        "link busy",
        "Interface already in use",
    ),
    said("flows lie on the link", "remove them with flowadm remove-flow", _LATER, "link still has flows"),
    said("the link management daemon is busy", "wait; if it stays so, look at dlmgmtd", _NOW, "try again later"),
    said("it took too long on the host", LOOKS_ANEW, _LOOK, "operation timed out"),
    said("a daemon of the host does not answer", "see svcs network/datalink-management and ip-interface-management", _NOW,
         "Could not communicate with", "Communication with dhcpagent timed out"),
    said("another link uses the MAC address", "state another mac, or see which link has it: dladm show-vnic", _NEVER,
         "MAC address is already in use", "MAC address reserved for use by underlying data-link"),
    said("it exists already", LOOKS_ANEW, _LOOK, "object already exists", "Interface already exists"),
    said("the host has no such property", "remove the field for this host", _NEVER, "invalid link property",
         "invalid vnic property"),
    said("dladm does not take the name, or the link below is not there", "see dladm show-link, and correct the name or over",
         _LATER, "invalid link name", "link name too long"),
    said("it is not there any more", LOOKS_ANEW, _LOOK, "object not found", "Interface does not exist", "is not valid"),
    said("another kind of link has the name", "choose another name", _NEVER, "is not a vnic", "is not an etherstub"),
    said("the limit is too low", "state maxBandwidth: 1200Kbps or more", _NEVER, "minimum value for maxbw"),
    said("dladm does not take the VLAN id", "state a vlan from 1 to 4094, or 0 for none", _NEVER, "invalid VLAN identifier"),
    said("the packets would be too large for the link below", "state a smaller mtu", _NEVER, "MTU check failed",
         "may require lowered MTU"),
    said("the list is too long", "state fewer addresses", _NEVER, "too many elements", "invalid number of values",
         "property list too long"),
    said("dladm does not take the value", "choose one that it names", _NEVER, "must be one of", "invalid value",
         "invalid argument", "invalid MAC address", "read-only property", "no value specified", "invalid property"),
    said("we may not do that", "run as root, or with spec.elevate of the Host", _NEVER, "permission denied",
         "Permission denied", "Insufficient user authorizations"),
    said("the host can't do that with this link", "remove the field, or choose another link", _NEVER,
         "operation not supported", "cannot be persistent", "must be persistent"),
    said("the host is short of memory", "free some, then run again", _LATER, "insufficient memory"),
    said("the host's disks or network cards fail", "look at fmadm faulty", _LATER, "I/O error"),
)  # fmt: skip
"""In order: the first entry with a text that is found decides."""

_GONE = ("object not found",)


def says_gone(answer: Completed) -> bool:
    """Whether the answer to a look at one link is certain that it does not exist."""
    return answer.ending is Ending.EXITED and answer.exit_code == 1 and any(text in answer.stderr for text in _GONE)
