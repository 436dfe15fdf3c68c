#!/bin/sh
# Installs what a Linux host needs to carry datasets, zones and virtual machines: as root on Debian, by apt-get. No daemon is
# started. Says what is left out and why; leaving something out is a failure where RECONCILER_REQUIRE_REAL is 1.
#
#   examples/linux/install.sh [--tests]      --tests: also what only tests and benchmarks use
set -u
# Part, package, and the programs by which we know that it is there.
parts='
datasets          zfs-fuse               zfs zfs-fuse
links             iproute2               ip tc bridge
links             nftables               nft
zones             lxc                    lxc-start
virtual-machines  libvirt-daemon-system  libvirtd
virtual-machines  libvirt-clients        virsh
virtual-machines  qemu-system-x86        qemu-system-x86_64
images            qemu-utils             qemu-img
images            xz-utils               xz
cloud-init-seeds  genisoimage            genisoimage
example-images    busybox-static         busybox
example-images    e2fsprogs              mkfs.ext4
example-images    binutils               as ld
'
[ "${1:-}" != --tests ] || parts="$parts
bandwidth-tests   iperf3                 iperf3
"
# What Debian keeps for root only is there as well.
PATH=$PATH:/usr/sbin:/sbin

missing() {
    echo "$parts" | while read -r part package programs; do
        for program in $programs; do
            command -v "$program" >/dev/null 2>&1 || { echo "$part $package"; break; }
        done
    done
}

# One line for each part that is missing, with the reason.
left_out() {
    missing | while read -r part package; do
        echo "left out: $(echo "$part" | tr - ' ') ($package is not installed, $1)" >&2
    done
    [ "${RECONCILER_REQUIRE_REAL:-}" != 1 ] || exit 1
    exit 0
}

# Example images are made of a package that is only unpacked; a machine whose lists were cleared does not know it.
knows_kernel() { ! command -v apt-cache >/dev/null 2>&1 || [ -n "$(apt-cache search --names-only '^linux-image-cloud-amd64$' 2>/dev/null)" ]; }
update() { said=$(apt-get -qq -o DPkg::Lock::Timeout=120 update 2>&1) || echo "$said" >&2; }

packages=$(missing | cut -d' ' -f2 | sort -u | paste -sd' ')
if [ -z "$packages" ]; then
    knows_kernel || [ "$(id -u)" -ne 0 ] || update
    exit 0
fi
[ "$(uname -s)" = Linux ] || left_out "and this is $(uname -s)"
command -v apt-get >/dev/null 2>&1 || left_out "and this is no Debian"
[ "$(id -u)" -eq 0 ] || left_out "and only root can: apt-get install $packages"

# What the packages would start serves nobody yet, and hosts on trial start their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    trap 'rm -f $policy' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
fi
echo "installing $packages" >&2
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
update
# shellcheck disable=SC2086
said=$(apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $packages 2>&1) || echo "$said" >&2
[ -z "$(missing)" ] || left_out "for apt-get install failed, see above"
