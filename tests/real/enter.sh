#!/bin/sh
# Runs a command on a throw-away Linux host: its own network, processes, mounts and control groups, its own zfs-fuse with
# the pool "tank", its own place for containers, its own libvirtd. Nothing outside sees any of it; when the command ends,
# however it ends, everything is gone. Needs root on Linux and the packages of examples/linux/install.sh.
#
#   tests/real/enter.sh COMMAND [ARGUMENT ...]
set -eu

if [ "${RECONCILER_GROUND:-}" = "" ]; then
    [ "$(id -u)" -eq 0 ] || { echo "only root can make a host of its own; remedy: sudo $0" >&2; exit 1; }
    [ $# -gt 0 ] || { echo "usage: $0 COMMAND [ARGUMENT ...]" >&2; exit 64; }
    scratch=$(mktemp -d /var/tmp/reconciler-host.XXXXXX)
    group=$(basename "$scratch")
    for controller in /sys/fs/cgroup/*/ /sys/fs/cgroup/; do
        [ -e "$controller/cgroup.procs" ] && mkdir -p "$controller/$group" || continue
        # A new cpuset has no CPUs, and takes no process before it has some.
        for knob in cpuset.mems cpuset.cpus; do
            [ ! -e "$controller/$knob" ] || cat "$controller/$knob" >"$controller/$group/$knob" 2>/dev/null || true
        done
    done
    leave() {
        # Only what nobody uses any more can be removed, and that is soon everything: its processes are gone.
        for try in 1 2 3 4 5 6 7 8 9 10; do
            find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} + 2>/dev/null || true
            [ -n "$(find /sys/fs/cgroup -type d -name "$group" 2>/dev/null)" ] || break
            sleep 0.1
        done
        rm -rf --one-file-system "$scratch"
    }
    trap leave EXIT
    trap 'kill -TERM $inside 2>/dev/null' TERM
    trap 'kill -INT $inside 2>/dev/null' INT
    RECONCILER_GROUND=$scratch sh -c '
        for group in /sys/fs/cgroup/*/"$(basename "$RECONCILER_GROUND")" /sys/fs/cgroup/"$(basename "$RECONCILER_GROUND")"; do
            [ ! -e "$group/cgroup.procs" ] || echo 0 >"$group/cgroup.procs"
        done
        exec setpriv --pdeathsig KILL unshare --mount --net --uts --ipc --pid --cgroup --fork --kill-child "$@"' sh "$0" "$@" <&0 &
    inside=$!
    code=0; wait $inside || code=$?
    # A signal ends the wait, not what is waited for.
    while kill -0 $inside 2>/dev/null; do wait $inside && code=0 || code=$?; done
    exit $code
fi

scratch=$RECONCILER_GROUND
export HOME="$scratch"
hostname "${RECONCILER_GROUND_NAME:-linux01}"
mount --make-rprivate /
mount -t proc proc /proc
cgroups=$(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2, $3, $4 }' /proc/mounts)
mount -t sysfs sysfs /sys
[ "$(echo "$cgroups" | wc -l)" -eq 1 ] || mount -t tmpfs none /sys/fs/cgroup
echo "$cgroups" | while read -r place type options; do
    mkdir -p "$place"
    if [ "$type" = cgroup2 ]; then mount -t cgroup2 none "$place"; else
        controller=$(echo "$options" | tr , '\n' | grep -vE '^(rw|ro|relatime|noexec|nosuid|nodev|clone_children|xattr)$' | paste -sd,)
        mount -t cgroup -o "$controller" none "$place"
    fi
done
ip link set lo up
# Asking for KVM where the processor has none can hang; a device that is none says no at once.
if ! grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo && [ -e /dev/kvm ]; then
    # What root can write libvirtd takes for KVM that came to life, and asks QEMU anew for every machine.
    : >"$scratch/no-kvm"
    mount --bind "$scratch/no-kvm" /dev/kvm
    mount -o remount,bind,ro /dev/kvm
fi
cp -a /etc/libvirt "$scratch/etc-libvirt" 2>/dev/null || mkdir "$scratch/etc-libvirt"
mkdir -p "$scratch/var-tmp"
for folder in /run /var/lib/zfs /var/lib/lxc /var/lib/libvirt /var/lib/reconciler /var/cache/lxc /var/cache/libvirt \
    /var/log/lxc /var/log/libvirt; do
    [ -d "$folder" ] || continue
    mount -t tmpfs none "$folder"
done
[ ! -d /etc/libvirt ] || mount --bind "$scratch/etc-libvirt" /etc/libvirt
mkdir -p /run/lock /run/zfs /run/lock/zfs /run/netns /run/libvirt

zfs-fuse --no-daemon --no-kstat-mount >"$scratch/zfs-fuse.log" 2>&1 &
tries=0
until zpool list >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "zfs-fuse does not answer:" >&2; cat "$scratch/zfs-fuse.log" >&2; exit 1; }
    sleep 0.05
done
truncate -s "${RECONCILER_GROUND_POOL:-4G}" "$scratch/tank.img"
zpool create -o ashift=12 -m "$scratch/tank" tank "$scratch/tank.img"

if command -v libvirtd >/dev/null 2>&1; then
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
    cat >>/etc/libvirt/libvirtd.conf <<'CONF'
auth_unix_rw = "none"
CONF
    libvirtd >"$scratch/libvirtd.log" 2>&1 &
    tries=0
    until virsh -q -c qemu:///system version >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { echo "libvirtd does not answer:" >&2; cat "$scratch/libvirtd.log" >&2; exit 1; }
        sleep 0.05
    done
fi
code=0
"$@" || code=$?
exit $code
