"""Commands that make, set, rename and remove links of Linux. All may be repeated, and none touches a link that is not ours.

Lines for `ip -batch` are one transaction for people, not for the kernel: it stops at the first that fails.
"""

from collections.abc import Mapping

from providers.tools.linux_link_errors import HAS_PORTS, NOT_OURS
from providers.tools.linux_marks import PREFIX, LinkMark
from reconciler.model.command import Command


def batch(*lines: str) -> Command:
    return Command(("ip", "-batch", "-"), stdin=_lines(lines))


def alias(mark: LinkMark) -> str:
    """The words of a line that mark a link."""
    return f'alias "{mark}"'


def make_link(name: str, mark: LinkMark, address: str, creation: str, *settings: str) -> Command:
    """Makes a link unless it is there, and applies the settings (lines for `ip -batch`) in any case.

    `creation` are the words after `ip`. A link of that name is ours if it bears the head of the mark, or has the address that
    it is made with: then its making was cut short before it was marked. Any other is left alone, and that is an error.
    """
    return Command(("sh", "-c", _MAKE, "make-link", name, mark.head, address, *creation.split(" ")), stdin=_lines(settings))


_MAKE = f"""\
name=$1 mark=$2 address=$3
shift 3
if [ ! -e "/sys/class/net/$name" ]; then
    settings=$(cat)
    exec ip -batch - <<END
$*
$settings
END
fi
shown=$(ip -o link show dev "$name") || exit
case "$shown " in
*" alias $mark "* | *"link/ether $address "*) exec ip -batch - ;;
*) echo "link $name {NOT_OURS}" >&2; exit 1 ;;
esac"""


def keep_host_out(name: str, *settings: str) -> Command:
    """Takes the host itself off a bridge that is ours, then applies the settings (lines for `ip -batch`).

    Linux answers on every link for every address that it has, and hands on what comes in by one and is meant for another.
    With a strict check of the way back nothing of IPv4 comes in by a link on which the host has no address; where it gets one,
    it is reached there. IPv6 has no such check and is off.
    """
    return Command(("sh", "-c", _KEEP_HOST_OUT, "keep-host-out", name), stdin=_lines(settings))


_KEEP_HOST_OUT = """\
echo 1 >"/proc/sys/net/ipv4/conf/$1/rp_filter" || exit
[ ! -e "/proc/sys/net/ipv6/conf/$1/disable_ipv6" ] || echo 1 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6" || exit
exec ip -batch -"""


def set_if_there(name: str, *settings: str) -> Command:
    """Sets a link that may be in a guest's own namespace, where we don't reach it."""
    return Command(("sh", "-c", _SET_IF_THERE, "set-link", name, *settings))


_SET_IF_THERE = """! ip link show dev "$1" >/dev/null 2>&1 || exec ip link set dev "$@\""""


def remove_links(*names: str) -> Command:
    """Removes those of the links that are there."""
    return Command(("sh", "-c", _REMOVE, "remove-links", *names))


_REMOVE = """\
for link; do
    ! ip link show dev "$link" >/dev/null 2>&1 || ip link delete dev "$link" || exit
done"""


def remove_own_links(owner: str, *names: str) -> Command:
    """Removes those of the links that are there and bear a mark of the owner; others of that name are somebody else's."""
    return Command(("sh", "-c", _REMOVE_OWN, "remove-own-links", f"{PREFIX}{owner}:", *names))


_REMOVE_OWN = """\
mark=$1
shift
for link; do
    shown=$(ip -o link show dev "$link" 2>/dev/null) || continue
    case $shown in *" alias $mark"*) ip link delete dev "$link" || exit ;; esac
done"""


def remove_bridge(name: str) -> Command:
    """Removes a bridge that has no ports: `ip` would take it away under them."""
    return Command(("sh", "-c", _REMOVE_BRIDGE, "remove-bridge", name))


_REMOVE_BRIDGE = f"""\
ports=$(ip -o link show master "$1") || exit
[ -z "$ports" ] || {{ echo "bridge $1 {HAS_PORTS}: $ports" >&2; exit 1; }}
exec ip link delete dev "$1\""""


def rename_links(names: Mapping[str, str]) -> Command:
    """Renames those of the links that are there, from the old name to the new one, in that order and while they are up."""
    pairs = (name for pair in names.items() for name in pair)
    return Command(("sh", "-c", _RENAME, "rename-links", *pairs))


_RENAME = """\
while [ $# -gt 1 ]; do
    ! ip link show dev "$1" >/dev/null 2>&1 || ip link set dev "$1" name "$2" || exit
    shift 2
done"""


def unmark(name: str) -> Command:
    """Takes our mark off a link."""
    return Command(("ip", "link", "set", "dev", name, "alias", ""))


def _lines(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\n" for line in lines)
