"""JSON as the real program prints it: two blanks for each level, text as it is, whole numbers without a fraction."""

from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted

# Beyond this JavaScript writes a power of ten; nothing here is that large unless a payload says so.
_LARGEST_WHOLE = 1e21


def printed(value: object, margin: str = "\n") -> str:
    """A value as text; `margin` is the line end and the blanks before the line that it stands on."""
    if isinstance(value, str):
        return _quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_WHOLE else repr(value)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        inner = f"{margin}  "
        members = [f"{_quoted(name)}: {printed(one, inner)}" for name, one in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{margin}}}"
    if isinstance(value, list | tuple):
        if not value:
            return "[]"
        inner = f"{margin}  "
        return f"[{inner}{f',{inner}'.join([printed(one, inner) for one in value])}{margin}]"
    return str(value)
