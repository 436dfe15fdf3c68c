"""Bytes that may be handed to a YAML parser at all."""

import re

from reconciler.desired.yaml_error import YamlError

MAX_BYTES = 1 << 20
"""A manifest file larger than this is refused unread."""

_PLAIN_ASCII = bytes([0x09, 0x0A, 0x0D, *range(0x20, 0x7F)])

# Beside control characters: the line breaks of YAML 1.1 (NEL, LS, PS), on which parsers disagree; byte order marks; and the
# characters that turn the direction of text, which make a reviewer read another manifest than the one that is applied.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_LINE_BREAK = re.compile("\r\n|\r|\n")
_DIRECTIVE = re.compile(rb"^%", re.MULTILINE)


def check_bytes(data: bytes) -> None:
    """YamlError when the bytes are too many, not UTF-8, or hold characters that no manifest needs."""
    if len(data) > MAX_BYTES:
        raise too_large(len(data))
    if data.translate(None, _PLAIN_ASCII):
        _check_text(_decoded(data))
    if b"%" in data and (match := _DIRECTIVE.search(data)):
        line = data.count(b"\n", 0, match.start()) + 1
        raise YamlError(line, 1, "YAML directives (lines that begin with %) are not allowed", "remove the line")


def too_large(size_bytes: int) -> YamlError:
    """The refusal of a file over the limit."""
    cause = f"the file has {size_bytes} bytes; more than {MAX_BYTES} (1 MiB) are not read"
    return YamlError(1, 1, cause, "split it into several files")


def is_forbidden(text: str) -> bool:
    """Whether text holds a character that must not stand in a manifest, not even written as an escape."""
    return not text.isprintable() and (_FORBIDDEN.search(text) is not None or not _is_encodable(text))


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, column = _place(data[: error.start].decode())
        cause = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise YamlError(line, column, cause, "save the file as UTF-8") from error


def _check_text(text: str) -> None:
    match = _FORBIDDEN.search(text)
    if match is None:
        return
    line, column = _place(text[: match.start()])
    if match[0] == "\ufeff":
        cause, remedy = "the file holds a byte order mark", "save it as UTF-8 without a byte order mark"
    else:
        cause = f"the control character U+{ord(match[0]):04X} is not allowed"
        remedy = "remove the character"
    raise YamlError(line, column, cause, remedy)


def _place(before: str) -> tuple[int, int]:
    """Line and column of the character that follows."""
    lines = _LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1
