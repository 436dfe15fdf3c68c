#!/bin/sh
# Makes real ZFS available where that is possible: as root on Debian, by the package zfs-fuse. Says what is left out.
set -u
if command -v zfs >/dev/null 2>&1 && command -v zfs-fuse >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "left out: the tests on real ZFS (zfs-fuse is not installed, and only root can: apt-get install zfs-fuse)" >&2
elif ! command -v apt-get >/dev/null 2>&1; then
    echo "left out: the tests on real ZFS (zfs-fuse is not installed, and this is no Debian)" >&2
else
    echo "installing zfs-fuse for the tests on real ZFS" >&2
    export DEBIAN_FRONTEND=noninteractive
    # The package would start a daemon of its own; the tests start one each, in a mount namespace.
    if apt-get -qq update && RUNLEVEL=1 apt-get -qq install -y --no-install-recommends zfs-fuse >/dev/null; then
        exit 0
    fi
    echo "left out: the tests on real ZFS (apt-get install zfs-fuse failed, see above)" >&2
fi
# Where the real parts are required, leaving them out is a failure.
[ "${RECONCILER_REQUIRE_REAL:-}" != 1 ]
