"""The forms that values of a payload have: which are taken, and what becomes of them (smartos-vmadm.md 2)."""

import enum
import ipaddress
import re
from collections.abc import Mapping

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INTEGER = re.compile(r"-?[0-9]{1,40}")


class Form(enum.Enum):
    """What kind of value a property takes."""

    STRING = "string"
    ANYTHING = "anything"
    """Text that nobody checks."""
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ONLY_TRUE = "only true"
    UUID = "uuid"
    POOL = "zpool"
    LIST = "list"
    ADDRESSES = "list of IP addresses"
    JOINED = "list kept as one comma string"
    FLAT = "flat-object"
    ITEMS = "object-array"
    SIZE_OR_AUTO = "integer or auto"


_LISTS = frozenset({Form.LIST, Form.ADDRESSES, Form.JOINED})
_UNSET = ("", None)
_CAN_BE_UNSET = frozenset({Form.STRING, Form.ANYTHING, Form.INTEGER, Form.SIZE_OR_AUTO})


def is_unset(form: Form, value: object) -> bool:
    """Whether a value means that there shall be none."""
    return form in _CAN_BE_UNSET and value in _UNSET


def is_good(form: Form, value: object, minimum: int = 0, maximum: int | None = None) -> bool:
    """Whether a value has the form; limits are for integers. Whether a pool exists is asked elsewhere."""
    if form is Form.ANYTHING or is_unset(form, value):
        return True
    if form is Form.SIZE_OR_AUTO and value == "auto":
        return True
    if form in {Form.INTEGER, Form.SIZE_OR_AUTO}:
        number = _integer(value)
        return number is not None and number >= minimum and (maximum is None or number <= maximum)
    if form is Form.BOOLEAN:
        return isinstance(value, bool) or value in ("true", "false", 1)
    if form is Form.ONLY_TRUE:
        return value in (True, "true")
    if form is Form.UUID:
        return isinstance(value, str) and _UUID.fullmatch(value) is not None
    if form in _LISTS:
        return _is_list(form, value)
    if form is Form.FLAT:
        return isinstance(value, Mapping) and all(isinstance(one, str | int | float) for one in value.values())
    if form is Form.ITEMS:
        return isinstance(value, list)
    return isinstance(value, str)


def _integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        return int(value) if _INTEGER.fullmatch(value) else None
    return value if isinstance(value, int) else None


def _is_list(form: Form, value: object) -> bool:
    if isinstance(value, str):
        items: list[object] = [*value.split(",")] if value else []
    elif isinstance(value, list):
        items = value
    else:
        return False
    if any(isinstance(one, bool) or not isinstance(one, str | int) or "," in str(one) for one in items):
        return False
    return form is not Form.ADDRESSES or all(_is_address(str(one)) for one in items)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def converted(form: Form, value: object) -> object:
    """A good value as it is kept; None when it is to be unset."""
    if is_unset(form, value):
        return None
    if form is Form.INTEGER or (form is Form.SIZE_OR_AUTO and value != "auto"):
        return _integer(value)
    if form in {Form.BOOLEAN, Form.ONLY_TRUE}:
        return value in (True, "true")
    if form in _LISTS and isinstance(value, str | list):
        items = list(value) if isinstance(value, list) else value.split(",") if value else []
        return ",".join(str(one) for one in items) if form is Form.JOINED else items
    return value
