"""Whether a value may be given to a property, and the form in which it is then kept (illumos-cli.md 1.3)."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulation.zfs.dialect import Dialect
from reconciler.emulation.zfs.properties import SNAPSHOT, VOLUME, Edit, Form, Native, is_user_property, native_named
from reconciler.emulation.zfs.sizes import BadSize, human, size_from, volume_reservation

_LONGEST_USER_NAME = 255
_LONGEST_TEXT = 1023
_SMALLEST_BLOCK = 512


class Rejected(Exception):
    """The value can't be given; the argument is what zfs says about it."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a value is to be given to."""

    kind: str
    creating: bool = False
    zoned: bool = False
    version: int = 0
    """Version of an existing filesystem."""
    volume_size: int = 0
    block_size: int = 0


@dataclass(frozen=True, slots=True)
class Setting:
    """A checked value, under the property's full name."""

    name: str
    value: str
    native: Native | None


def checked(dialect: Dialect, target: Target, name: str, text: str) -> Setting:
    """The setting to keep for `name=text`; raises Rejected."""
    native = native_named(dialect, name)
    if native is None and is_user_property(name):
        return _checked_user_property(dialect, name, text)
    if target.kind == SNAPSHOT:
        raise Rejected("this property can not be modified for snapshots")
    if native is None:
        raise Rejected(f"invalid property '{name}'")
    if target.kind not in native.kinds:
        raise Rejected(f"'{native.name}' does not apply to datasets of this type")
    if native.edit is Edit.NEVER or (native.edit is Edit.AT_CREATION and not target.creating):
        raise Rejected(f"'{native.name}' is readonly")
    if native.form in {Form.SIZE, Form.LIMIT, Form.COUNT, Form.NUMBER}:
        value = _number(dialect, target, native, text)
    elif native.form is Form.CHOICE:
        value = _choice(target, native, text)
    else:
        value = _text(target, native, text)
    return Setting(native.name, value, native)


def _checked_user_property(dialect: Dialect, name: str, text: str) -> Setting:
    if len(name) > _LONGEST_USER_NAME:
        raise Rejected(f"property name '{name}' is too long")
    if len(text.encode("utf-8", "surrogateescape")) > dialect.value_bytes:
        raise Rejected("property value too long")
    return Setting(name, text, None)


def _number(dialect: Dialect, target: Target, native: Native, text: str) -> str:
    none = text == "none"
    if text == "auto" and native.name == "refreservation" and target.kind == VOLUME and dialect.automatic_reservation:
        return str(volume_reservation(target.volume_size, target.block_size))
    if native.form is Form.COUNT and none:
        return native.default
    try:
        number = 0 if none else size_from(text)
    except BadSize as error:
        raise Rejected(str(error)) from error
    if native.name in {"quota", "refquota"} and number == 0 and not none:
        raise Rejected("use 'none' to disable quota/refquota")
    if native.name == "recordsize":
        words = f"'recordsize' must be power of 2 from {dialect.record_size_range}"
        _check_block(number, dialect.record_size_limit, words)
    if native.name == "volblocksize":
        _check_block(number, 128 << 10, "'volblocksize' must be power of 2 from 512B to 128KB")
    if native.name == "special_small_blocks" and number:
        words = f"invalid 'special_small_blocks={number}' property: must be zero or a power of 2 from 512B to 128K"
        _check_block(number, 128 << 10, words)
    if target.kind == VOLUME and not target.creating:
        _check_volume(target, native, number)
    return str(number)


def _check_block(number: int, limit: int, complaint: str) -> None:
    if number < _SMALLEST_BLOCK or number > limit or number & (number - 1):
        raise Rejected(complaint)


def _check_volume(target: Target, native: Native, number: int) -> None:
    if native.name in {"reservation", "refreservation"} and number > target.volume_size:
        raise Rejected(f"'{native.name}' is greater than current volume size")
    if native.name == "volsize" and number % target.block_size:
        raise Rejected(f"'volsize' must be a multiple of volume block size ({human(target.block_size)})")
    if native.name == "volsize" and number == 0:
        raise Rejected("'volsize' cannot be zero")


def _choice(target: Target, native: Native, text: str) -> str:
    if text not in native.choices:
        raise Rejected(f"'{native.name}' must be one of '{native.words}'")
    if native.name == "version":
        newest = native.choices[-2]
        wanted = newest if text == "current" else text
        if int(wanted) < target.version:
            raise Rejected(f"Can not downgrade; already at version {target.version}")
        return wanted
    # Level 6 is what plain gzip means; the host can't tell them apart afterwards.
    if native.name == "compression" and text == "gzip-6":
        return "gzip"
    return text


def _text(target: Target, native: Native, text: str) -> str:
    if len(text.encode("utf-8", "surrogateescape")) > _LONGEST_TEXT:
        raise Rejected(f"'{native.name}' is too long")
    if native.name == "mlslabel" and text != "none":
        raise Rejected(f"invalid mlslabel '{text}'")
    if native.name == "mountpoint":
        if text in {"none", "legacy"}:
            return text
        if not text.startswith("/"):
            raise Rejected("'mountpoint' must be an absolute path, 'none', or 'legacy'")
    if native.name in {"mountpoint", "sharenfs", "sharesmb"} and target.zoned:
        raise Rejected(f"'{native.name}' cannot be set on dataset in a non-global zone")
    return text
