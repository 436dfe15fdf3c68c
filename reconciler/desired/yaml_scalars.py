"""What an unquoted word means: the core schema of YAML 1.2 (section 10.3.2 of its specification).

`yes`, `off` and `12:30` are text there, `0755` is the number 755 and `0o17` is 15.
"""

import math
import re
from typing import TypeAlias

from reconciler.model.errors import InvalidValue

Plain: TypeAlias = bool | int | float | str | None

WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip

FIRST_OF_NUMBERS = frozenset("-+.0123456789")

_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOST_DIGITS = 40
_LARGEST = 1 << 64


def number_or_text(text: str) -> int | float | str:
    """The meaning of a word that begins like a number; InvalidValue for numbers that no field can hold."""
    if _INTEGER.fullmatch(text):
        number = _integer(text) if len(text) <= _MOST_DIGITS else _LARGEST
        if abs(number) >= _LARGEST:
            raise InvalidValue("the number is too large", remedy="quote it if it is meant as text")
        return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise InvalidValue("the number is too large", remedy="quote it if it is meant as text")
        return value
    if _ENDLESS.fullmatch(text):
        raise InvalidValue(f"{text} is not a number that a field can hold", remedy="quote it if it is meant as text")
    return text


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
