"""Datasets of ours that only hold others (`POOL/images`): made when the first is made, gone with the last.

One that somebody else made is used as it is, and stays.
"""

from providers.tools.zfs_properties import MARK_PREFIX

MADE = f"{MARK_PREFIX}container"
"""Set on what we made."""

_ENSURE = f"""\
there() {{ zfs list -H -o name "$1" >/dev/null 2>&1; }}
there "$1" || zfs create -o {MADE}=yes -o mountpoint="$2" "$1" || there "$1"
"""

_DROP = f"""\
rmdir "$3" 2>/dev/null
ours=$(zfs get -H -o source {MADE} "$1" 2>/dev/null) || exit 0
[ "$ours" = local ] || exit 0
[ "$(zfs list -H -r -t all -o name "$1" 2>/dev/null)" = "$1" ] || exit 0
! mountpoint -q "$2" || [ -z "$(ls -A "$2")" ] || exit 0
zfs destroy "$1"
"""


def ensure(name: str, mountpoint: str) -> tuple[str, ...]:
    """Makes it where it is not."""
    return ("sh", "-c", _ENSURE, "ensure-container", name, mountpoint)


def drop(name: str, mountpoint: str, entry: str) -> tuple[str, ...]:
    """Removes the folder `entry`, where the last to go was mounted, and destroys the container if we made it and there is
    nothing in it: no dataset, no snapshot, no file."""
    return ("sh", "-c", _DROP, "drop-container", name, mountpoint, entry)
