#!/bin/sh
# Runs a command on a throw-away Linux host: its own network, processes, mounts and control groups, its own zfs-fuse with
# the pool "tank", its own place for containers, its own libvirtd. Nothing outside sees any of it, several stand side by side,
# and when the command ends, however it ends, everything is gone. Needs root and the packages of install.sh beside this file.
#
#   examples/linux/run.sh COMMAND [ARGUMENT ...]
#
# The exit code is the command's; 69 when there can be no such host here. A terminal's Ctrl-C reaches the command; SIGTERM,
# SIGHUP and SIGINT to this script are passed on to it. RECONCILER_GROUND_POOL is the size of the pool [4G],
# RECONCILER_GROUND_NAME the host's name [linux01],
# TMPDIR where its files lie meanwhile [/var/tmp].
set -eu
here=$(cd "$(dirname "$0")" && pwd)
stem=${TMPDIR:-/var/tmp}/reconciler-host
# Where images and volumes are mounted; most machines have no such folders.
mounted="/var/lib/reconciler-images /var/lib/reconciler-volumes"

fail() { echo "no throw-away host: $1; remedy: $2" >&2; exit 69; }

# Only what nobody uses any more can be removed; that is soon everything, once its processes are gone.
sweep() {
    tries=0
    while [ -n "$(find /sys/fs/cgroup -type d -name "$(basename "$1")" 2>/dev/null)" ] && [ $tries -lt 50 ]; do
        find /sys/fs/cgroup -depth -type d -path "*/$(basename "$1")*" -exec rmdir {} + 2>/dev/null || true
        tries=$((tries + 1))
        sleep 0.1
    done
    rm -rf --one-file-system "$1"
    # Unless somebody mounts something there, here or on another host of ours.
    for folder in $mounted; do
        grep -qs " $folder " /proc/[0-9]*/mountinfo || rmdir "$folder" 2>/dev/null || true
    done
}

# A host that nobody holds any more, its sweeper killed as well.
sweep_abandoned() {
    for old in "$stem".*; do
        [ -e "$old/lock" ] || continue
        if flock --nonblock "$old/lock" true; then sweep "$old"; fi
    done
}

check_parts() {
    [ "$(uname -s)" = Linux ] || fail "this is $(uname -s)" "run it on Linux"
    [ "$(id -u)" -eq 0 ] || fail "only root can make one" "sudo $0"
    install="$here/install.sh"
    for program in zfs-fuse zfs ip nft unshare setpriv flock; do
        command -v $program >/dev/null 2>&1 || fail "$program is not installed" "$install"
    done
    [ -e /dev/fuse ] || fail "there is no /dev/fuse" "modprobe fuse"
    grep -q ' cgroup2\? ' /proc/mounts || fail "no control groups are mounted" "mount -t cgroup2 none /sys/fs/cgroup"
    for part in containers:lxc-start machines:libvirtd machines:virsh machines:qemu-system-x86_64 machines:qemu-img; do
        command -v "${part#*:}" >/dev/null 2>&1 || missing "${part%%:*}" "${part#*:} is not installed" "$install"
    done
    [ -e /dev/net/tun ] || missing machines "there is no /dev/net/tun" "modprobe tun"
}

# Where the real parts are required, leaving one out is a failure.
missing() {
    [ "${RECONCILER_REQUIRE_REAL:-}" != 1 ] || fail "$1: $2" "$3"
    echo "left out: $1 ($2; remedy: $3)" >&2
}

# The first process of the new host; the folder of its scratch files is its only argument before the command.
inside() {
    scratch=$1
    shift
    # As /proc still is the outer one, this is our number out there.
    read -r outer _ </proc/self/stat
    echo "$outer" >"$scratch/pid"
    command=
    trap '[ -z "$command" ] || kill -TERM "$command" 2>/dev/null || true' TERM
    trap '[ -z "$command" ] || kill -HUP "$command" 2>/dev/null || true' HUP
    trap '[ -z "$command" ] || [ -t 0 ] || kill -INT "$command" 2>/dev/null || true' INT
    export RECONCILER_GROUND="$scratch" HOME="$scratch"
    hostname "${RECONCILER_GROUND_NAME:-linux01}"
    mount --make-rprivate /
    mount -t proc proc /proc
    mount_cgroups
    ip link set lo up
    # Asking for KVM where the processor has none can hang; a device that is none says no at once.
    if ! grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo && [ -e /dev/kvm ]; then
        # What root can write libvirtd takes for KVM that came to life, and asks QEMU anew for every machine.
        : >"$scratch/no-kvm"
        mount --bind "$scratch/no-kvm" /dev/kvm
        mount -o remount,bind,ro /dev/kvm
    fi
    cp -a /etc/libvirt "$scratch/etc-libvirt" 2>/dev/null || mkdir "$scratch/etc-libvirt"
    for folder in /run /var/lib/zfs /var/lib/lxc /var/lib/libvirt /var/lib/reconciler /var/cache/lxc /var/cache/libvirt \
        /var/log/lxc /var/log/libvirt; do
        [ ! -d "$folder" ] || mount -t tmpfs none "$folder"
    done
    for folder in $mounted; do
        mkdir -p "$folder" && mount -t tmpfs none "$folder" || fail "no place for $folder" "see what was said above"
    done
    [ ! -d /etc/libvirt ] || mount --bind "$scratch/etc-libvirt" /etc/libvirt
    mkdir -p /run/lock/zfs /run/zfs /run/netns /run/libvirt /run/lxc
    ! command -v libvirtd >/dev/null 2>&1 || start_libvirtd
    start_zfs
    ! command -v libvirtd >/dev/null 2>&1 || await 200 libvirtd virsh -q -c qemu:///system version
    # Commands in the background read nothing and ignore Ctrl-C, and what they start does so too.
    env --default-signal=INT,QUIT "$@" <&3 3<&- 9>&- &
    command=$!
    : >"$scratch/running"
    code=0
    wait "$command" || code=$?
    # A signal ends the wait, not what is waited for.
    while kill -0 "$command" 2>/dev/null; do
        code=0
        wait "$command" || code=$?
    done
    echo "$code" >"$scratch/code"
    exit "$code"
}

mount_cgroups() {
    # On such a host itself, what lies under the newer mounts is listed as well.
    cgroups=$(awk '($3 == "cgroup" || $3 == "cgroup2") && !seen[$2]++ { print $2, $3, $4 }' /proc/mounts)
    mount -t sysfs sysfs /sys
    case "$cgroups" in "/sys/fs/cgroup "*) ;; *) mount -t tmpfs none /sys/fs/cgroup ;; esac
    echo "$cgroups" | while read -r place type options; do
        mkdir -p "$place"
        if [ "$type" = cgroup2 ]; then
            mount -t cgroup2 none "$place"
        else
            controller=$(echo "$options" | tr , '\n' | grep -vE '^(rw|ro|relatime|noexec|nosuid|nodev|clone_children|xattr)$' | paste -sd,)
            mount -t cgroup -o "$controller" none "$place"
        fi
    done
    # In the second version a group has either processes or limits for those below it.
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir /sys/fs/cgroup/host
        while read -r pid; do echo "$pid" >/sys/fs/cgroup/host/cgroup.procs 2>/dev/null || true; done </sys/fs/cgroup/cgroup.procs
        sed 's/[^ ]*/+&/g' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
    fi
}

start_zfs() {
    zfs-fuse --no-daemon --no-kstat-mount >"$scratch/zfs-fuse.log" 2>&1 3<&- 9>&- &
    # What is mounted from another pool of that name would seem to be ours; unmounted here, it stays where it is out there.
    awk '$3 == "fuse.zfs" && $1 ~ "^tank(/|$)" { print $2 }' /proc/mounts | tac | while read -r place; do umount -l "$place"; done
    await 100 zfs-fuse zpool list
    truncate -s "${RECONCILER_GROUND_POOL:-4G}" "$scratch/tank.img"
    zpool create -o ashift=12 -m "$scratch/tank" tank "$scratch/tank.img"
}

start_libvirtd() {
    for folder in qemu images boot dnsmasq; do mkdir -p /var/lib/libvirt/$folder; done
    rm -f /etc/libvirt/qemu/networks/autostart/* /etc/libvirt/qemu/networks/*.xml
    cat >>/etc/libvirt/qemu.conf <<'CONF'
user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
remember_owner = 0
stdio_handler = "file"
namespaces = []
CONF
    echo 'auth_unix_rw = "none"' >>/etc/libvirt/libvirtd.conf
    libvirtd >"$scratch/libvirtd.log" 2>&1 3<&- 9>&- &
}

# Waits for a daemon (the second argument) to answer a command (the rest), so many times a twentieth of a second.
await() {
    tries=$1 daemon=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { cat "$scratch/$daemon.log" >&2; fail "$daemon does not answer" "see what it said above"; }
        sleep 0.05
    done
}

case "${1:-}" in
--inside) shift; inside "$@" ;;
--sweep) flock "$2/lock" true; sweep "$2"; exit ;;
"") echo "usage: $0 COMMAND [ARGUMENT ...]" >&2; exit 64 ;;
esac

check_parts
sweep_abandoned
scratch=$(mktemp -d "$stem.XXXXXX")
# Held by us and by the first process of the host, so by anything as long as the host stands. Who sweeps up waits for it,
# and is in nobody's way: what ends us by force does not end him.
# What runs in the background reads nothing of what we are given, but for what is kept under another number.
exec 3<&0 9>"$scratch/lock"
flock 9
setsid "$0" --sweep "$scratch" </dev/null >/dev/null 2>&1 3<&- 9>&- &
sweeper=$!
for controller in /sys/fs/cgroup/*/ /sys/fs/cgroup/; do
    [ -e "$controller/cgroup.procs" ] && mkdir "$controller/$(basename "$scratch")" || continue
    group=$controller/$(basename "$scratch")
    # A new cpuset has no CPUs, and takes no process before it has some.
    for knob in cpuset.mems cpuset.cpus; do
        [ ! -e "$controller/$knob" ] || cat "$controller/$knob" >"$group/$knob" 2>/dev/null || true
    done
done
# By way of a shell of its own, for this one is to stay outside of the groups.
sh -c 'scratch=$1; shift
    for group in /sys/fs/cgroup/*/"$(basename "$scratch")" /sys/fs/cgroup/"$(basename "$scratch")"; do
        [ ! -e "$group/cgroup.procs" ] || echo 0 >"$group/cgroup.procs"
    done
    exec env --default-signal=INT,QUIT setpriv --pdeathsig KILL unshare --mount --net --uts --ipc --pid --cgroup --fork --kill-child "$0" --inside "$scratch" "$@"' \
    "$0" "$scratch" "$@" &
inside=$!
pass() {
    # Before the host stands there is nobody to pass it on to, and nothing to save.
    if [ -s "$scratch/pid" ]; then kill "-$1" "$(cat "$scratch/pid")" 2>/dev/null || true; else kill -KILL "$inside" 2>/dev/null || true; fi
}
trap 'pass TERM' TERM
trap 'pass HUP' HUP
trap '[ -t 0 ] || pass INT' INT
code=0
wait "$inside" || code=$?
while kill -0 "$inside" 2>/dev/null; do
    code=0
    wait "$inside" || code=$?
done
# What the first process could not tell was never reached, or it was killed.
if [ -s "$scratch/code" ]; then
    code=$(cat "$scratch/code")
elif [ -e "$scratch/running" ]; then
    code=137
elif [ "$code" -lt 128 ]; then
    code=69
fi
exec 9>&-
wait "$sweeper" || echo "left behind: $scratch and its control groups; remedy: the next run of $0 removes them" >&2
exit "$code"
