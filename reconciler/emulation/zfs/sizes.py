"""Sizes as zfs reads and prints them."""

from __future__ import annotations

import re

_UNITS = "BKMGTPEZ"
_LIMIT = (1 << 64) - 1
_LEADING = re.compile(r"(?:\d+\.?\d*|\.\d+)")


class BadSize(Exception):
    """The text is no size; the argument is what zfs says about it."""


def size_from(text: str) -> int:
    """The bytes that a size stands for: decimal or fraction with a binary unit; raises BadSize."""
    if not text or not (text[0].isdigit() or text[0] == "."):
        raise BadSize(f"bad numeric value '{text}'")
    found = _LEADING.match(text)
    if found is None:
        raise BadSize(f"bad numeric value '{text}'")
    number, suffix = found.group(), text[found.end() :]
    shift = _shift(suffix)
    if "." in number:
        whole, _, fraction = number.partition(".")
        value = (int(whole or "0") << shift) + (int(fraction or "0") << shift) // int("1" + "0" * len(fraction))
    else:
        value = int(number) << shift
    if value > _LIMIT or int(number.partition(".")[0] or "0") > _LIMIT >> 1:
        raise BadSize("numeric value is too large")
    return value


def _shift(suffix: str) -> int:
    unit = suffix[:1].upper()
    if suffix and unit in _UNITS and (len(suffix) == 1 or (suffix[1:].upper() == "B" and unit != "B")):
        return 10 * _UNITS.index(unit)
    if suffix:
        raise BadSize(f"invalid numeric suffix '{suffix}'")
    return 0


def human(size: int) -> str:
    """A size in at most five characters: `0`, `112K`, `1.50M`, `10G`."""
    power = 0
    while power < len(_UNITS) - 2 and size >> (10 * (power + 1)):
        power += 1
    if power == 0:
        return str(size)
    unit = _UNITS[power]
    scale = 1 << (10 * power)
    if size % scale == 0:
        return f"{size // scale}{unit}"
    for digits in (2, 1, 0):
        shown = f"{size / scale:.{digits}f}{unit}"
        if len(shown) <= 5:
            return shown
    return f"{size / scale:.0f}{unit}"


def volume_reservation(size: int, block_size: int) -> int:
    """The refreservation that keeps a volume of that size writable: its data and an estimate of its metadata.

    Blocks of indirection hold 1,024 pointers of 128 bytes in 128 KiB; two copies of them are kept.
    """
    blocks = -(-size // block_size)
    metadata_blocks = 7
    level = blocks
    while level > 1:
        level = -(-level // 1024)
        metadata_blocks += level
    return size + metadata_blocks * 128 * 1024 * 2
