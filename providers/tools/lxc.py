"""Commands for containers: LXC's own tools, and fixed scripts where one command must do what several tools do.

`-P` is always absolute: the name of a container's control socket is made of its text (linux-host.md 3).
"""

from collections.abc import Iterable

from reconciler.model.command import Command, probe

STOP_S = 30
"""How long a container has to end by itself before it is ended."""

_START_DEADLINE_S = 120.0

FACTS = probe(
    "lxc.facts",
    "sh",
    "-c",
    """\
path=$(lxc-config lxc.lxcpath) || exit 127
echo "path $path"
echo "lxc $(lxc-start --version)"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "cgroup 2"
    echo "swap yes"
else
    echo "cgroup 1"
    [ ! -e /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes ] || echo "swap yes"
fi
read -r apparmor </sys/module/apparmor/parameters/enabled 2>/dev/null && echo "apparmor $apparmor"
! zfs version >/dev/null 2>&1 || echo "zfs types"
zpool list -H -o name | sed 's/^/pool /'
exit 0""",
    "lxc-facts",
)
"""Where containers live, how they are limited, and what their roots can lie in. 127 where there is no LXC."""

_WHERE_ZONES_ARE = """\
path=$1
shift
for config in "$path"/*/config; do [ ! -e "$config" ] || exec "$@"; done
datasets=$(zfs list -H -d 1 -t filesystem -o name) || exit 1
case "$datasets
" in
*/zones'
'*) exec "$@" ;;
esac"""


def where_zones_are(path: str, look: tuple[str, ...]) -> tuple[str, ...]:
    """A look that costs something for each dataset, only where there is a container, or a dataset that holds roots."""
    return ("sh", "-c", _WHERE_ZONES_ARE, "look-for-roots", path, *look)


ZONES = probe(
    "lxc.zones",
    "sh",
    "-c",
    """\
path=$(lxc-config lxc.lxcpath) || exit
read -r boot </proc/sys/kernel/random/boot_id || exit
echo "path $path"
echo "boot $boot"
cd "$path" 2>/dev/null || exit 0
states=$(lxc-ls -P "$path" -f -F NAME,STATE,PID 2>&1) || exit
[ -z "$states" ] || echo "$states" | sed 's/^/state /'
grep -ahs '^\\[lxc monitor\\] ' /proc/[0-9]*/cmdline | tr -d '\\000' | sed 's/^/monitor /'
grep -hsm1 '/lxc\\.payload\\.' /proc/[0-9]*/cgroup | sed 's|.*/lxc\\.payload\\.\\([^/]*\\).*|payload \\1|' | sort -u
set --
for file in */config */started; do [ ! -f "$file" ] || set -- "$@" "$file"; done
[ $# -eq 0 ] || grep -aH '' /dev/null "$@" | sed 's/^/line /'
# A root whose daemon died fails whatever reads it, and one whose daemon hangs answers nobody. What is kept of it in memory
# can still be read, so that only the file system itself is asked.
ask_root() { timeout -s KILL 5 stat -f -c alive "$@" 2>&1; }
set --
for pid in $(echo "$states" | awk '$3 ~ /^[0-9]+$/ { print $3 }'); do set -- "$@" "/proc/$pid/root/."; done
if [ $# -gt 0 ]; then
    told=$(ask_root "$@")
    [ $? -lt 124 ] || told=$(
        for root; do
            { ask_root "$root" || [ $? -lt 124 ] || echo "$root hangs"; } &
        done
        wait
    )
    echo "$told" | sed -n 's|^stat: .*/proc/\\([0-9]*\\)/root/.*: Transport endpoint is not connected$|root \\1 dead|p
        s|^/proc/\\([0-9]*\\)/root/. hangs$|root \\1 hangs|p'
fi
echo "$states" | while read -r name state pid _; do
    case $pid in ''|*[!0-9]*) continue ;; esac
    [ -r "/proc/$pid/cgroup" ] || continue
    while IFS=: read -r _ controllers place; do
        case $place in */lxc.payload.*)
            rest=${place#*/lxc.payload.}
            place=${place%%/lxc.payload.*}/lxc.payload.${rest%%/*} ;;
        esac
        case ,$controllers, in
            ,memory,) place=/sys/fs/cgroup/memory$place files="memory.limit_in_bytes memory.memsw.limit_in_bytes" ;;
            *,cpu,*) place=/sys/fs/cgroup/cpu$place files="cpu.cfs_quota_us cpu.cfs_period_us cpu.shares" ;;
            *,pids,*) place=/sys/fs/cgroup/pids$place files=pids.max ;;
            ,,) place=/sys/fs/cgroup$place files="memory.max memory.swap.max cpu.max cpu.weight pids.max" ;;
            *) continue ;;
        esac
        for file in $files; do
            [ -r "$place/$file" ] && read -r value <"$place/$file" && echo "limit $name $file $value"
        done
    done </proc/$pid/cgroup
done
exit 0""",
    "zones",
)
"""All that there is to know of all containers; read by `lxc_listing`."""

_WRITE = """\
umask 077
[ -d "$1" ] || mkdir -p -m 0755 "$1" || exit
[ "$2" != keep ] || [ -e "$1/started" ] || [ ! -e "$1/config" ] || cp "$1/config" "$1/started" || exit
cat >"$1/config.new" && sync "$1/config.new" && mv -f "$1/config.new" "$1/config\""""

_START = """\
folder=$1/$2 log=$1/$2/log
umask 077
[ "$3" != write ] || cat >"$folder/config.new" || exit
umask 022
begin() {
    logged=0
    [ ! -s "$log" ] || logged=$(wc -c <"$log")
    said=$(lxc-start -P "$path" -n "$name" 2>&1)
}
# What a start that failed, or a monitor that was killed, left empty: LXC does not take over a control group that is there.
sweep() {
    group=$(sed -n 's/^lxc.cgroup.dir.container = lxc.payload.//p' "$folder/config")
    swept=1
    for place in /sys/fs/cgroup/lxc.[mp]*."$group" /sys/fs/cgroup/*/lxc.[mp]*."$group"; do
        [ -z "$group" ] || [ ! -d "$place" ] || ! find "$place" -depth -type d -exec rmdir {} + 2>/dev/null || swept=0
    done
    return $swept
}
path=$1 name=$2
if begin || { sweep && begin; }; then
    [ "$3" != write ] || exec mv -f "$folder/config.new" "$folder/config"
    exit 0
fi
why=$(tail -c "+$((logged + 1))" "$log" 2>/dev/null | grep -a ' ERROR ' | sed 's/.* - //' | head -n 3)
echo "the container failed to start" >&2
echo "${why:-$said}" >&2
sleep 0.2
sweep
exit 1"""

_STOP = """\
[ "$(lxc-info -P "$1" -n "$2" -sH 2>/dev/null)" != FROZEN ] || lxc-unfreeze -P "$1" -n "$2"
lxc-stop -P "$1" -n "$2" -t "$3"
code=$?
[ $code -eq 0 ] || [ $code -eq 2 ] || exit $code
# What watched it ends a moment later; only then it lets go of its root.
tries=0
while grep -zqsxF "[lxc monitor] $1 $2" /proc/[0-9]*/cmdline; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || { echo "$2 is stopped, and its monitor does not end" >&2; exit 1; }
    sleep 0.02
done"""

_LIMIT = """\
path=$1 name=$2
shift 2
set_all() {
    failed=0
    while [ $# -gt 1 ]; do
        if [ "$1" = memory.max ] && [ "$2" != max ] &&
            [ "$(lxc-cgroup -P "$path" -n "$name" memory.current 2>/dev/null || echo 0)" -gt "$2" ]; then
            echo "Failed to assign '$2' value to '$1': more is in use" >&2
            failed=1
        else
            lxc-cgroup -P "$path" -n "$name" -- "$1" "$2" || failed=1
        fi
        shift 2
    done
    return $failed
}
# Which of memory and swap must come first depends on what is there: the second round finds the other done.
set_all "$@" >/dev/null 2>&1 || set_all "$@\""""

_REMOVE = """\
[ -e "$1" ] || exit 0
if [ -d "$1/rootfs" ]; then rmdir "$1/rootfs" || exit; fi
rm -f "$1/log" "$1/console.log" "$1/fstab" "$1/started" "$1/started.new" "$1/config.new" || exit
[ -z "$(ls -A "$1" | grep -vx config)" ] || { echo "$1 holds files that are not ours: $(ls -A "$1")" >&2; exit 1; }
rm -f "$1/config" && rmdir "$1\""""

_MOVE_ROOT = """\
zfs list -H -o name "$1" >/dev/null 2>&1 || exec zfs list -H -o name "$2"
! zfs list -H -o name "$2" >/dev/null 2>&1 || { echo "cannot rename to '$2': dataset already exists" >&2; exit 1; }
zfs unmount "$1" 2>/dev/null
exec zfs rename "$1" "$2\""""

_MOVE = '[ ! -e "$1/config" ] && [ -e "$2/config" ] || exec mv -T "$1" "$2"'

_MOUNT_AT = """\
# A mount that outlived its daemon is counted as mounted, and serves nobody.
case $(timeout -s KILL 5 stat -f "$2" 2>&1) in *"Transport endpoint is not connected") umount -l "$2" || exit ;; esac
[ "$(zfs get -H -o value mountpoint "$1")" = "$2" ] || zfs set "mountpoint=$2" "$1" || exit
[ "$(zfs get -H -o value mounted "$1")" = yes ] || exec zfs mount "$1\""""


_WRITING, _STARTING, _STOPPING, _LIMITING = "write-config", "start-zone", "stop-zone", "limit-zone"
_REMOVING, _MOVING_ROOT, _MOVING, _MOUNTING = "remove-zone", "move-root", "move-zone", "mount-root"
SCRIPTS = frozenset({_WRITING, _STARTING, _STOPPING, _LIMITING, _REMOVING, _MOVING_ROOT, _MOVING, _MOUNTING})
"""What the scripts are called, as their `$0`."""


def write_config(folder: str, text: str, *, keep_started: bool = False) -> Command:
    """Writes a container's config whole, or not at all. With `keep_started` what it was started with is kept beside it."""
    return Command(("sh", "-c", _WRITE, _WRITING, folder, "keep" if keep_started else "-"), stdin=text)


def start(path: str, name: str, text: str | None = None) -> Command:
    """Starts a container; nothing where it runs. A failure tells what its log says. Once it runs, `text` becomes its config."""
    argv = ("sh", "-c", _START, _STARTING, path, name, "-" if text is None else "write")
    return Command(argv, stdin=text, deadline_s=_START_DEADLINE_S)


def thaw(path: str, name: str) -> Command:
    """Has a frozen container run on."""
    return Command(("lxc-unfreeze", "-P", path, "-n", name))


def stop(path: str, name: str) -> Command:
    """Stops a container: told to end, and ended when it does not in time. Nothing where it is stopped."""
    return Command(("sh", "-c", _STOP, _STOPPING, path, name, str(STOP_S)), deadline_s=STOP_S + _START_DEADLINE_S)


def limit(path: str, name: str, files: Iterable[tuple[str, str]]) -> Command:
    """Sets the limits of a container that runs."""
    return Command(("sh", "-c", _LIMIT, _LIMITING, path, name, *(part for pair in files for part in pair)))


def remove(folder: str) -> Command:
    """Removes what we keep of a container whose root is gone; its config goes last. Never a folder with other files in it."""
    return Command(("sh", "-c", _REMOVE, _REMOVING, folder))


def move_root(old: str, new: str) -> Command:
    """Renames a dataset, unmounted: a mounted one is busy in zfs-fuse. Nothing where that is done."""
    return Command(("sh", "-c", _MOVE_ROOT, _MOVING_ROOT, old, new))


def move(old: str, new: str) -> Command:
    """Gives a container's folder another name; nothing where that is done."""
    return Command(("sh", "-c", _MOVE, _MOVING, old, new))


def mount_at(dataset: str, place: str) -> Command:
    """Has a dataset mounted there."""
    return Command(("sh", "-c", _MOUNT_AT, _MOUNTING, dataset, place))
