"""Values of ZFS properties: what people may write, what `zfs get -p` prints, and one canonical form for both."""

import re
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import assert_never

from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import format_size, scaled_bytes
from reconciler.model.value import Scalar, Value

KIB = 1 << 10
MIB = 1 << 20
UNLIMITED = (1 << 64) - 1
"""How illumos prints a count limit that is none, and the first number too large for any property."""

_UNLIMITED = str(UNLIMITED)

USER_VALUE_BYTES = 1000
"""Longest user property value that every ZFS takes (linux-host.md 1)."""

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGTPE]?)(I?B)?", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SAME: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "compression": {"gzip-6": "gzip", "zstd-3": "zstd", "zstd-fast-1": "zstd-fast"},
        "aclinherit": {"secure": "restricted"},
        "acltype": {"noacl": "off", "posixacl": "posix"},
    }
)
"""Words that ZFS takes and prints as another word, by property."""


class Form(Enum):
    """How a property's value is written."""

    SIZE = auto()
    BLOCK_SIZE = auto()
    """A power of two."""
    SMALL_BLOCKS = auto()
    """A power of two, or 0 for none."""
    SIZE_OR_NONE = auto()
    COUNT_OR_NONE = auto()
    NUMBER = auto()
    WORD = auto()
    """One of a closed set."""
    MOUNTPOINT = auto()
    OPTIONS = auto()
    """`on`, `off`, or text that another tool reads."""


def stated(name: str, form: Form, words: frozenset[str], value: Scalar) -> Value:
    """A manifest's value of a native property in canonical form; InvalidValue when ZFS could not take it."""
    match form:
        case Form.SIZE | Form.BLOCK_SIZE | Form.SMALL_BLOCKS:
            return _checked_block(name, form, size(value))
        case Form.SIZE_OR_NONE:
            if value == "auto":
                raise InvalidValue(
                    f"{name}: auto can't be compared with what is there",
                    remedy=f"leave {name} out: a volume that is not sparse gets it by itself",
                )
            return None if value == "none" else size(value) or None
        case Form.COUNT_OR_NONE:
            return None if value == "none" else _number(name, value)
        case Form.NUMBER:
            return _number(name, value, words)
        case Form.WORD:
            return _word(name, words, value)
        case Form.MOUNTPOINT:
            return _mountpoint(name, value)
        case Form.OPTIONS:
            return _options(name, value)
        case _:
            assert_never(form)


def observed(name: str, form: Form, text: str) -> Value:
    """What `zfs get -p` printed in canonical form; a word nobody has heard of stays as it is. None for `-`."""
    if text == "-":
        return None
    if form is Form.WORD:
        return _same(name, text)
    if form is Form.MOUNTPOINT:
        return _normal_path(text)
    if form is Form.OPTIONS:
        return text
    if text == "none" or (form is Form.SIZE_OR_NONE and text == "0") or (form is Form.COUNT_OR_NONE and text == _UNLIMITED):
        return None
    return int(text) if text.isascii() and text.isdigit() else text


def argument(value: Value) -> str:
    """A canonical value as `zfs set` takes it: sizes in bytes, an explicit none as `none`."""
    if value is None:
        return "none"
    assert isinstance(value, (int, str))
    return str(value)


def user_value(value: Scalar) -> Value:
    """A user property's value; InvalidValue for what does not survive the way to the host and back."""
    if isinstance(value, (bool, float)):
        raise InvalidValue(
            f"{value!r} is not text: how it would be written is anybody's guess", remedy="put the value in quotes"
        )
    text = str(value)
    if not text:
        raise InvalidValue("a user property can't be empty", remedy="give it a value, or write null to remove it")
    if _CONTROL.search(text):
        raise InvalidValue("a user property can't hold a TAB, newline or other control character", remedy="write plain text")
    if len(text.encode()) > USER_VALUE_BYTES:
        raise InvalidValue(
            f"the value has {len(text.encode())} bytes; no more than {USER_VALUE_BYTES} are safe on every ZFS",
            remedy="shorten it",
        )
    return text


def size(value: Scalar) -> int:
    """Bytes of a size as ZFS or as we write it: `30GiB`, `30G`, `30GB`, `1.5g`, bare bytes; InvalidValue otherwise."""
    match = None if isinstance(value, (bool, float)) else _SIZE.fullmatch(str(value))
    if match is None or ((match[3] or "").upper() == "IB" and not match[2]):
        raise InvalidValue(f"{value!r} is not a size", remedy="write a number of bytes, or a unit: 10GiB, 10G, 1.5T")
    found = scaled_bytes(match[1], match[2], str(value))
    if found >= UNLIMITED:
        raise InvalidValue(f"{value} is too large for ZFS", remedy="write less than 16 EiB")
    return found


def block_size(size_bytes: int, *, name: str, most: int = 16 * MIB) -> int:
    """A power of two from 512 bytes to `most`; InvalidValue otherwise."""
    if size_bytes & (size_bytes - 1) or not 512 <= size_bytes <= most:
        raise InvalidValue(
            f"{name} must be a power of two from 512B to {format_size(most)}, not {format_size(size_bytes)}",
            remedy="write for example 8KiB, 16KiB or 128KiB",
        )
    return size_bytes


def _checked_block(name: str, form: Form, size_bytes: int) -> int:
    if form is Form.SIZE or (form is Form.SMALL_BLOCKS and size_bytes == 0):
        return size_bytes
    return block_size(size_bytes, name=name)


def _number(name: str, value: Scalar, allowed: frozenset[str] = frozenset()) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or int(text) >= UNLIMITED:
        raise InvalidValue(f"{name} must be a whole number, not {value!r}", remedy="write digits only")
    if allowed and text not in allowed:
        raise InvalidValue(f"{name} must be one of {', '.join(sorted(allowed))}, not {text}", remedy="write one of these")
    return int(text)


def _word(name: str, words: frozenset[str], value: Scalar) -> str:
    if isinstance(value, bool) and "on" in words:
        return "on" if value else "off"
    text = str(value)
    if text in words:
        return _same(name, text)
    remedy = f"write {text.lower()}" if text.lower() in words else f"write one of {', '.join(sorted(words))}"
    raise InvalidValue(f"{name} can't be {text!r}", remedy=remedy)


def _same(name: str, text: str) -> str:
    same = _SAME.get(name)
    return same.get(text, text) if same is not None else text


def _mountpoint(name: str, value: Scalar) -> str:
    if value in ("none", "legacy"):
        return str(value)
    text = str(value)
    if not text.startswith("/") or _CONTROL.search(text):
        raise InvalidValue(f"{name} can't be {value!r}", remedy="write an absolute path, none or legacy")
    if any(part in (".", "..") for part in text.split("/")):
        raise InvalidValue(f"{name} {text} holds . or ..", remedy="write the path without them")
    return _normal_path(text)


def _normal_path(text: str) -> str:
    """Without doubled and trailing slashes, which ZFS keeps as they were written."""
    if not text.startswith("/"):
        return text
    return "/" + "/".join(part for part in text.split("/") if part)


def _options(name: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    text = str(value)
    if isinstance(value, float) or not text or _CONTROL.search(text):
        raise InvalidValue(f"{name} can't be {value!r}", remedy="write on, off, or options on one line, in quotes")
    return text
