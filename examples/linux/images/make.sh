#!/bin/sh
# Makes small images for zones and virtual machines out of Debian packages, without being root:
#
#   zone.tar      a busybox root that serves HTTP, for a zone
#   vm.raw        a disk of 64 MiB that boots to an HTTP server in seconds, even without KVM; for a virtual machine
#
#   examples/linux/images/make.sh [FOLDER]      [default: build/images]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../../../build/images}
mkdir -p "$out"
out=$(cd "$out" && pwd)
for tool in apt-get apt-cache dpkg-deb busybox tar mkfs.ext4 as ld; do
    command -v $tool >/dev/null 2>&1 || {
        echo "$tool is needed to make images; remedy: on Debian, sudo apt-get install busybox-static e2fsprogs binutils" >&2
        exit 1
    }
done
umask 022

# What is built depends on the packages and on what lies here; an image that is newer than both stays as it is.
kernel=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: *\(linux-image-[^ ]*\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "apt knows no linux-image-cloud-amd64; remedy: sudo apt-get update" >&2; exit 1; }
made_of=$(cat "$here"/* | sha256sum | cut -d' ' -f1)-$kernel
if [ "$(cat "$out/made-of" 2>/dev/null)" = "$made_of" ] && [ -s "$out/zone.tar" ] && [ -s "$out/vm.raw" ]; then
    echo "$out: as they should be"
    exit 0
fi
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
mkdir "$work/packages" "$work/kernel" "$work/busybox"
(cd "$work/packages" && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$kernel" busybox-static)
dpkg-deb -x "$work"/packages/linux-image-*.deb "$work/kernel"
dpkg-deb -x "$work"/packages/busybox-static*.deb "$work/busybox"
cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
busybox=$work/busybox/bin/busybox

root() { # a root with busybox in the folder $1
    mkdir -p "$1/bin" "$1/sbin" "$1/etc" "$1/proc" "$1/sys" "$1/dev" "$1/tmp" "$1/run" "$1/srv" "$1/var" "$1/root" "$1/mnt"
    cp "$busybox" "$1/bin/busybox"
    for applet in $("$busybox" --list); do [ "$applet" = busybox ] || ln -s busybox "$1/bin/$applet"; done
    echo 'root:x:0:0:root:/root:/bin/sh' >"$1/etc/passwd"
    echo 'root:x:0:' >"$1/etc/group"
}

# The zone.
root "$work/zone"
mkdir "$work/zone/etc/rc.d" "$work/zone/dev/pts" "$work/zone/dev/shm"
install -m 755 "$here/zone-init" "$work/zone/sbin/init"
tar -C "$work/zone" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/zone.tar" .

# The machine's initial RAM disk. It is not compressed: that saves nothing but disk, and costs time at each boot.
root "$work/initrd"
install -m 755 "$here/vm-init" "$work/initrd/init"
mkdir -p "$work/initrd/lib/modules"
cp "$here/network-config.awk" "$work/initrd/lib/"
install -m 755 "$here/dhcp" "$work/initrd/lib/dhcp"
for module in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net virtio_blk \
    virtio_balloon button evdev isofs cdrom sr_mod scsi_mod scsi_common libata ata_piix crc16 mbcache jbd2 crc32c_generic ext4; do
    find "$work/kernel/lib/modules" -name "$module.ko" -exec cp {} "$work/initrd/lib/modules/" \;
done
find "$work/initrd" -exec touch -h -d @0 {} +
(cd "$work/initrd" && find . | LC_ALL=C sort | busybox cpio -o -H newc -R 0:0 2>/dev/null) >"$work/initrd.cpio"

# The disk: what is booted lies at fixed places from sector 2048 on, what the machine keeps on the second partition.
disk=$work/vm.raw disk_mib=64 first=2048 data=$((28 * 2048))
sectors() { echo $((($(stat -c %s "$1") + 511) / 512)); }
setup=$(($(od -An -tu1 -j 497 -N 1 "$work/vmlinuz") + 1))
initrd=$((first + $(sectors "$work/vmlinuz")))
[ $((initrd + $(sectors "$work/initrd.cpio"))) -le $data ] || { echo "this kernel is too large for the disk" >&2; exit 1; }
as --32 -o "$work/boot.o" "$here/boot.S" --defsym SETUP_LBA=$first --defsym SETUP_SECTORS=$setup \
    --defsym KERNEL_LBA=$((first + setup)) --defsym KERNEL_SECTORS=$((initrd - first - setup)) --defsym INITRD_LBA=$initrd \
    --defsym INITRD_SECTORS="$(sectors "$work/initrd.cpio")" --defsym INITRD_BYTES="$(stat -c %s "$work/initrd.cpio")" \
    --defsym DATA_LBA=$data --defsym DATA_SECTORS=$((disk_mib * 2048 - data))
ld -m elf_i386 -Ttext 0x7c00 --oformat binary -e start -o "$work/boot" "$work/boot.o"
printf '%s\0' 'console=ttyS0 quiet panic=1 mitigations=off tsc=reliable no_timer_check nokaslr' >"$work/line"
truncate -s ${disk_mib}M "$disk"
put() { dd if="$1" of="$disk" bs=512 seek="$2" conv=notrunc status=none; }
put "$work/boot" 0
put "$work/line" 1
put "$work/vmlinuz" $first
put "$work/initrd.cpio" $initrd
mkfs.ext4 -q -F -U 7265636f-6e63-696c-6572-000000000001 -O ^has_journal -E offset=$((data * 512)) "$disk" \
    $(((disk_mib * 2048 - data) / 2))k

for image in zone.tar vm.raw; do mv "$work/$image" "$out/$image"; done
(cd "$out" && sha256sum zone.tar vm.raw >SHA256SUMS)
echo "$made_of" >"$out/made-of"
echo "$out: zone.tar and vm.raw made"
