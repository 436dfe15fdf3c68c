"""Words of a closed set, as a manifest writes them."""

from enum import StrEnum
from functools import partial

from pydantic import BeforeValidator

from reconciler.model.closest import closest
from reconciler.model.errors import InvalidValue
from reconciler.provider.pydantic_errors import raising_custom

_LONGEST = 2000


def printable(text: str) -> str:
    """The text as it can be shown on one line, whatever and however much somebody wrote into it."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}..."
    return text if text.isprintable() else "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def shown(value: object) -> str:
    """A value from YAML in words: `text 'a'`, `the number 5`, `a list`."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"text {value!r}" if len(value) <= 40 else f"text {value[:40]!r}..."
        case list():
            return "a list"
        case _:
            return "a mapping"


def not_one_of(value: object, words: list[str]) -> InvalidValue:
    """The refusal of a value that is none of the words."""
    meant = closest(value, words) if isinstance(value, str) else None
    allowed = words[0] if len(words) == 1 else f"one of {', '.join(words)}"
    return InvalidValue(
        f"expected {allowed}, got {shown(value)}", remedy=f"did you mean {meant}?" if meant else f"write {allowed}"
    )


def word_of(words: type[StrEnum]) -> BeforeValidator:
    """Makes a member of the enum of its text; anything else is refused."""
    return BeforeValidator(raising_custom(partial(_member, {word.value: word for word in words})))


def _member(words: dict[str, StrEnum], value: object) -> StrEnum:
    member = words.get(value) if isinstance(value, str) else None
    if member is None:
        raise not_one_of(value, list(words))
    return member


def _stated(value: object) -> object:
    if value is None:
        raise InvalidValue("null is not allowed here", remedy="give a value, or remove the line")
    return value


NOT_NULL = BeforeValidator(raising_custom(_stated))
"""For fields that may be left out, but not written as null."""
