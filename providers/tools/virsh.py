"""Argument lists of `virsh`. Domains are named by their uuid: a name may look like a number, which virsh takes for an id."""

from reconciler.model.command import Command

_VIRSH = ("virsh", "-q", "-c", "qemu:///system")

SHUTDOWN_S = 60
"""How long a guest gets to end itself before it is ended."""

_RELEASE_S = 20
"""How long a guest gets to let go of a device."""

_READ = r"""
v='virsh -q -c qemu:///system'
never_told() {
    [ "$(id -u)" -eq 0 ] || return 1
    for folder in /etc/libvirt/qemu /run/libvirt/qemu; do
        [ ! -d $folder ] || { found=$(find $folder -maxdepth 1 -name '*.xml') && [ -z "$found" ]; } || return 1
    done
}
IDS
ask() { if [ -n "$1" ]; then $v "$1" || exit 1; fi; }
read_all() {
    said= count=0
    for id in $ids; do
        said="$said${said:+; }dominfo $id; dumpxml --inactive --security-info $id; dumpxml $id" count=$((count + 1))
        if [ $((count % 200)) -eq 0 ]; then ask "$said"; said=; fi
    done
    ask "$said"
}
read=$(read_all) || exit 1
read=$(printf '%s\n' "$read" | sed "s/ passwd='[^']*'/ passwd='hidden'/g")
printf '%s\n' "$ids" | sed '/^$/d; s/^/domain /'
[ -z "$read" ] || printf '%s\n' "$read"
printf '%s\n' "$read" | sed -n "s/^ *<source file='\([^']*\)'.*/\1/p" | sort -u | tr '\n' '\0' |
    xargs -0 -r stat -L -c 'file %s %n' -- 2>/dev/null
set --
for file in /run/libvirt/qemu/*.pid; do
    pid=
    # It has no end of line.
    [ ! -r "$file" ] || read -r pid <"$file"
    [ -n "$pid" ] && [ -d "/proc/$pid/fd" ] && set -- "$@" "/proc/$pid/fd"
done
# What a guest has open stays what it was, whatever is mounted there by now; only the file system itself tells that it died.
[ $# -eq 0 ] || find "$@" -lname '/*' ! -lname '/dev/*' ! -lname '/memfd:*' -print0 2>/dev/null |
    xargs -0 -r timeout -s KILL 5 stat -f -c alive -- 2>&1 |
    sed -n 's|^stat: .*/proc/\([0-9]*\)/fd/[0-9]*.: Transport endpoint is not connected$|\1|p' | sort -u |
    while read -r dead; do
        for file in /run/libvirt/qemu/*.pid; do
            [ "$(cat "$file" 2>/dev/null)" != "$dead" ] || { name=${file##*/}; echo "dead ${name%.pid}"; }
        done
    done
echo end
"""
READ_ALL = _READ.replace("IDS", "ids=$($v list --all --uuid) || { never_told && echo end && exit 0; exit 1; }")
"""Prints `domain UUID` for every domain, then of each what `dominfo` says and its definition (as it will start next, as it is
now), then `file BYTES PATH` for the disks that are files, `dead NAME` for what runs with files open of a file system whose
daemon ended, and `end`. One virsh for 200 domains: its start costs most. Passwords, which must stay in a definition that is
written back, are not shown. Where libvirtd does not run and keeps no definition there is no domain: a host that has virsh need
not use it."""


def virsh(*argv: str, stdin: str | None = None) -> Command:
    return Command((*_VIRSH, *argv), stdin=stdin)


def read_all() -> Command:
    return Command(("sh", "-c", READ_ALL, "read-domains"), changes=False, deadline_s=60.0)


_READ_ONE = _READ.replace("IDS", '$v domstate "$1" >/dev/null || exit 1\nids=$1')


def read_one(uuid: str) -> Command:
    """As `read_all`, of one domain."""
    return Command(("sh", "-c", _READ_ONE, "read-domain", uuid), changes=False, deadline_s=60.0)


def define(xml: str) -> Command:
    """Stores the definition; a domain that runs keeps what it started with until it stops."""
    return virsh("define", "/dev/stdin", stdin=xml)


def undefine(uuid: str, *, nvram: bool = False) -> Command:
    """Never with its storage, which has its own way to go."""
    return virsh("undefine", uuid, *(("--nvram",) if nvram else ()))


def start(uuid: str) -> Command:
    """A domain that runs already is as wanted."""
    return Command(("sh", "-c", _START, "start-domain", uuid))


_START = """\
v='virsh -q -c qemu:///system'
state=$($v domstate "$1") || exit 1
case $state in running) ;; paused) $v resume "$1" ;; *) $v start "$1" ;; esac"""

_STOP = """\
v='virsh -q -c qemu:///system'
state=$($v domstate "$1") || exit 1
[ "$state" != 'shut off' ] || exit 0
$v shutdown "$1" >/dev/null 2>&1
tries=$(($2 * 5))
while [ $tries -gt 0 ]; do
    state=$($v domstate "$1") || exit 1
    [ "$state" != 'shut off' ] || exit 0
    sleep 0.2
    tries=$((tries - 1))
done
$v destroy "$1" --graceful || { [ "$($v domstate "$1")" = 'shut off' ] || $v destroy "$1"; }"""


def stop(uuid: str, seconds: int = SHUTDOWN_S) -> Command:
    """Presses the power button, and ends the guest after that many seconds. One that is stopped is as wanted."""
    return Command(("sh", "-c", _STOP, "stop-domain", uuid, str(seconds)), deadline_s=seconds + 60.0)


def autostart(uuid: str, *, wanted: bool) -> Command:
    return virsh("autostart", uuid, *(() if wanted else ("--disable",)))


def rename(uuid: str, name: str) -> Command:
    return virsh("domrename", uuid, name)


def set_memory(uuid: str, size_kib: int) -> Command:
    """The guest gives memory back by itself; it gets a moment to do so."""
    return Command(("sh", "-c", _SET_MEMORY, "set-memory", uuid, str(size_kib)))


_SET_MEMORY = """\
v='virsh -q -c qemu:///system'
$v setmem "$1" "$2" --live || exit 1
tries=15
until [ $tries -eq 0 ] || $v domstats --balloon "$1" | grep -q "balloon.current=$2\\$"; do
    sleep 0.2
    tries=$((tries - 1))
done"""


def set_cpus(uuid: str, count: int) -> Command:
    return virsh("setvcpus", uuid, str(count), "--live")


def resize_disk(uuid: str, target: str, size: int) -> Command:
    return virsh("blockresize", uuid, target, f"{size}B")


def change_medium(uuid: str, target: str, path: str) -> Command:
    return virsh("change-media", uuid, target, path, "--update", "--live")


def attach(uuid: str, device: str) -> Command:
    """Plugs a device into the domain that runs."""
    return virsh("attach-device", uuid, "/dev/stdin", "--live", stdin=device)


_DETACH = """\
v='virsh -q -c qemu:///system'
there() { $v "$2" "$1" | awk -v item="$3" '{ for (i = 1; i <= NF; i++) if ($i == item) found = 1 } END { exit !found }'; }
there "$1" "$2" "$3" || exit 0
xml=$(cat)
tries=$(($4 * 5))
while there "$1" "$2" "$3"; do
    if [ $((tries % 25)) -eq 0 ]; then printf '%s\\n' "$xml" | $v detach-device "$1" /dev/stdin --live >/dev/null; fi
    [ $tries -gt 0 ] || { echo "the guest does not let go of $3" >&2; exit 1; }
    sleep 0.2
    tries=$((tries - 1))
done"""


def detach_disk(uuid: str, target: str, device: str) -> Command:
    """Asks the guest to let go of a disk, again and again for some seconds; fails where it does not."""
    return Command(("sh", "-c", _DETACH, "unplug", uuid, "domblklist", target, str(_RELEASE_S)), stdin=device)


def detach_nic(uuid: str, mac: str, device: str) -> Command:
    return Command(("sh", "-c", _DETACH, "unplug", uuid, "domiflist", mac, str(_RELEASE_S)), stdin=device)
