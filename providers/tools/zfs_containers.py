"""Datasets of ours that only hold others (`POOL/images`, `POOL/zones`, `POOL/vms`): made with the first, gone with the last.

One that somebody else made is used as it is, and stays.
"""

from providers.tools.zfs_properties import MARK_PREFIX

MADE = f"{MARK_PREFIX}container"
"""Set on what we made."""

MAKE_IN = f"""\
make_in() {{
    container=$1
    shift
    said=$("$@" 2>&1) && code=0 || code=$?
    case $container:$said in
    :*) ;;
    *"parent does not exist"*)
        why=$(zfs create -o {MADE}=yes -o mountpoint=none "$container" 2>&1) || zfs list "$container" >/dev/null 2>&1 ||
            {{ printf '%s\\n' "$why" >&2; return 1; }}
        "$@"
        return ;;
    esac
    [ -z "$said" ] || printf '%s\\n' "$said" >&2
    return $code
}}
"""
"""For scripts: `make_in CONTAINER COMMAND…` runs a command that makes something in the container, and makes the container,
which is mounted nowhere, only where the command says that it is not there. An empty one is never made."""

_MAKE_IN = f'{MAKE_IN}make_in "$@"'

_ENSURE = f"""\
there() {{ zfs list -H -o name "$1" >/dev/null 2>&1; }}
there "$1" || zfs create -o {MADE}=yes -o mountpoint="$2" "$1" || there "$1"
"""

_DROP = f"""\
[ -z "$3" ] || rmdir "$3" 2>/dev/null
ours=$(zfs get -H -o source {MADE} "$1" 2>/dev/null) || exit 0
[ "$ours" = local ] || exit 0
[ "$(zfs list -H -d 1 -t all -o name "$1" 2>/dev/null)" = "$1" ] || exit 0
[ -z "$2" ] || ! mountpoint -q "$2" || [ -z "$(ls -A "$2")" ] || exit 0
zfs destroy "$1"
"""


def ensure(name: str, mountpoint: str) -> tuple[str, ...]:
    """Makes it where it is not."""
    return ("sh", "-c", _ENSURE, "ensure-container", name, mountpoint)


def make_in(container: str, command: tuple[str, ...]) -> tuple[str, ...]:
    """Runs a command that makes something in the container; where that is not there it is made first, mounted nowhere.

    What the command says and how it ends is as if it had been run by itself.
    """
    return ("sh", "-c", _MAKE_IN, "make-dataset", container, *command)


def drop(name: str, mountpoint: str = "", entry: str = "") -> tuple[str, ...]:
    """Destroys the container if we made it and there is nothing in it: no dataset, no snapshot, and where it is mounted
    no file. There the folder `entry`, where the last to go was mounted, is removed first."""
    return ("sh", "-c", _DROP, "drop-container", name, mountpoint, entry)
