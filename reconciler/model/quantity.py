"""Sizes, durations and shares as people write them, and back."""

import re
from decimal import Decimal

from reconciler.model.errors import InvalidValue

_POWER = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTPE]?)(I?B)?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def parse_size(value: str | int) -> int:
    """Bytes of `512MiB`, `10G` (binary, any case) or 0; InvalidValue for decimal units and bare numbers.

    `kB MB GB` are refused because half of the readers would take them for powers of ten.
    """
    text = str(value).strip()
    match = _SIZE.fullmatch(text)
    if match is None or isinstance(value, bool):
        raise InvalidValue(f"{value!r} is not a size", remedy="write a number and a unit, for example 10GiB")
    number, unit, tail = match[1], match[2].upper(), (match[3] or "").upper()
    if Decimal(number) == 0:
        return 0
    if not unit and not tail:
        raise InvalidValue(f"size {text} has no unit", remedy=f"write {number}MiB, {number}GiB or another unit")
    if tail == "B" and unit:
        raise InvalidValue(f"size {text} has a decimal unit", remedy=f"write {number}{unit}iB: sizes are binary")
    return scaled_bytes(number, unit, text)


def scaled_bytes(number: str, unit: str, text: str) -> int:
    """`number` times 1024 to the power that `unit` (K M G T P E or empty) stands for; InvalidValue if not whole."""
    size = Decimal(number) * 1024 ** _POWER[unit.upper()]
    if size != int(size):
        raise InvalidValue(f"size {text} is not a whole number of bytes", remedy="write it in a smaller unit")
    return int(size)


def format_size(size_bytes: int) -> str:
    """The shortest exact text with a binary unit: `10GiB`, `1536MiB`, `1000B`."""
    if size_bytes == 0:
        return "0"
    power, rest = 0, size_bytes
    while rest % 1024 == 0 and power < 6:
        rest //= 1024
        power += 1
    return f"{rest}{'KMGTPE'[power - 1]}iB" if power else f"{rest}B"


def approximate_size(size_bytes: int) -> str:
    """A size for people, two or three digits: `1.5 GiB`, `120 KiB`."""
    number = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if number < 1000 or unit == "PiB":
            return f"{number:.0f} {unit}" if unit == "B" or number >= 10 else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("the loop returns at the last unit")


def parse_duration(text: str) -> int:
    """Seconds of `30s`, `5m`, `1h30m`, `14d`; InvalidValue otherwise."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise InvalidValue(f"{text!r} is not a duration", remedy="write for example 30s, 5m, 1h30m or 14d")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def format_duration(seconds: int) -> str:
    """The shortest exact text: `14d`, `1h30m`."""
    if seconds == 0:
        return "0s"
    text, rest = "", seconds
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, length)
        text += f"{count}{unit}" if count else ""
    return text


def parse_share(text: str) -> int:
    """Percent of `30%`; InvalidValue otherwise."""
    match = re.fullmatch(r"(\d{1,3})%", text)
    if match is None or int(match[1]) > 100:
        raise InvalidValue(f"{text!r} is not a share", remedy="write a percentage from 0% to 100%")
    return int(match[1])
