#!/bin/sh
# Applies desired-state/ to a throw-away ZFS pool on a file, served by a private zfs-fuse daemon in a mount namespace of
# its own: nothing outside sees the pool, and nothing is left behind. Needs root, zfs-fuse and /dev/fuse.
#
#   examples/linux-zfs/run.sh [COMMAND ...]      default: plan, apply, plan again
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

if [ "${RECONCILER_EXAMPLE_INSIDE:-}" != 1 ]; then
    [ "$(id -u)" -eq 0 ] || { echo "this example needs root; remedy: sudo $0" >&2; exit 1; }
    command -v zfs-fuse >/dev/null 2>&1 || { echo "zfs-fuse is missing; remedy: apt-get install zfs-fuse" >&2; exit 1; }
    [ -e /dev/fuse ] || { echo "/dev/fuse is missing; remedy: modprobe fuse" >&2; exit 1; }
    RECONCILER_EXAMPLE_INSIDE=1 exec unshare --mount "$0" "$@"
fi

mount --make-rprivate /
for folder in /var/run/zfs /var/lock/zfs /var/lib/zfs; do
    mkdir -p "$folder"
    mount -t tmpfs none "$folder"
done
scratch=$(mktemp -d)
zfs-fuse --no-daemon --no-kstat-mount >"$scratch/daemon.log" 2>&1 &
daemon=$!
cleanup() {
    zpool destroy tank >/dev/null 2>&1 || true
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
tries=0
until zpool list >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || { echo "the daemon does not answer:" >&2; cat "$scratch/daemon.log" >&2; exit 1; }
    sleep 0.1
done
truncate -s 512M "$scratch/tank.img"
zpool create -o ashift=12 -m "$scratch/tank" tank "$scratch/tank.img"

PATH=$root/.venv/bin:$PATH
export RECONCILER_STATE="$scratch/state"
if [ $# -gt 0 ]; then
    "$@"
else
    cd "$here"
    reconciler plan
    reconciler apply --yes
    reconciler plan --exit-code
    zfs list -r -o name,used,quota,mountpoint tank
fi
