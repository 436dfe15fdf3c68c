"""Values as YAML in block style, such that reading it gives the same values."""

import re
from collections.abc import Iterator

from reconciler.desired.yaml_documents import YamlValue
from reconciler.desired.yaml_scalars import WORDS

# What means itself without quotes to every YAML reader, words of YAML 1.2 apart.
_PLAIN = re.compile(r"[A-Za-z/_](?:[A-Za-z0-9_./@+,=%-]|:(?=\S)| (?=[^\s#]))*")
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:[KMGTPE]i?B?|B|%|[smhd][0-9smhd]*)")
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def written(value: YamlValue) -> str:
    """The value as the text of one document, with a newline at its end."""
    return "\n".join(_lines(value, "")) + "\n"


def _lines(value: YamlValue, indent: str) -> Iterator[str]:
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from _entry(f"{indent}{_text(key)}:", inner, f"{indent}  ")
        case list() if value:
            for inner in value:
                yield from _item(inner, indent)
        case _:
            yield f"{indent}{_leaf(value)}"


def _item(value: YamlValue, indent: str) -> Iterator[str]:
    """An item of a list; a mapping begins on the line of the dash."""
    if not (isinstance(value, dict) and value):
        yield from _entry(f"{indent}-", value, f"{indent}  ")
        return
    first, *others = _lines(value, f"{indent}  ")
    yield f"{indent}- {first.removeprefix(f'{indent}  ')}"
    yield from others


def _entry(head: str, value: YamlValue, indent: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from _lines(value, indent)
    elif isinstance(value, str) and _is_script(value):
        yield f"{head} |"
        yield from (f"{indent}{line}" if line else "" for line in value[:-1].split("\n"))
    else:
        yield f"{head} {_leaf(value)}"


def _is_script(text: str) -> bool:
    """Whether a text of several lines is the same when it stands there line by line."""
    lines = text.split("\n")
    if len(lines) < 3 or lines[-1] or not lines[0] or lines[0].startswith(" ") or not lines[-2]:
        return False
    return all(line.isascii() and (not line or line.isprintable()) for line in lines)


def _leaf(value: YamlValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case dict():
            return "{}"
        case list():
            return "[]"
        case _:
            return str(value)


def _text(text: str) -> str:
    if (_PLAIN.fullmatch(text) and text not in WORDS) or _QUANTITY.fullmatch(text):
        return text
    return f'"{text.translate(_ESCAPES)}"'
