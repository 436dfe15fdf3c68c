"""Unpacks the ELF kernel that a Debian vmlinuz holds: QEMU boots that without unpacking it in the guest each time.

python3 vmlinux.py VMLINUZ VMLINUX
"""

import struct
import sys
from pathlib import Path

_LZ4_LEGACY = b"\x02\x21\x4c\x18"


def block(data: bytes) -> bytes:
    """One LZ4 block, unpacked (https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)."""
    found, at, end = bytearray(), 0, len(data)
    while at < end:
        token, at = data[at], at + 1
        literals, at = _length(data, at, token >> 4)
        found += data[at : at + literals]
        at += literals
        if at >= end:
            break
        offset, at = data[at] | data[at + 1] << 8, at + 2
        length, at = _length(data, at, token & 15)
        length += 4
        start = len(found) - offset
        if offset >= length:
            found += found[start : start + length]
        else:
            found += (found[start:] * (length // offset + 1))[:length]
    return bytes(found)


def _length(data: bytes, at: int, length: int) -> tuple[int, int]:
    if length == 15:
        while True:
            more, at = data[at], at + 1
            length += more
            if more != 255:
                break
    return length, at


def unpacked(vmlinuz: bytes) -> bytes:
    at = vmlinuz.find(_LZ4_LEGACY)
    if at < 0:
        sys.exit("no LZ4 in this vmlinuz; remedy: use a Debian cloud kernel")
    at, found = at + 4, b""
    while at + 4 <= len(vmlinuz):
        (size,) = struct.unpack_from("<I", vmlinuz, at)
        if not 0 < size <= len(vmlinuz) - at - 4:
            break
        part = block(vmlinuz[at + 4 : at + 4 + size])
        found, at = found + part, at + 4 + size
        if len(part) < 8 << 20:
            break
    if not found.startswith(b"\x7fELF"):
        sys.exit("what this vmlinuz holds is no ELF kernel; remedy: use a Debian cloud kernel")
    return found


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(unpacked(Path(sys.argv[1]).read_bytes()))
