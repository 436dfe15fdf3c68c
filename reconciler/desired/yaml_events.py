"""YAML's events from two parsers: one in C for speed, one in Python that has the last word.

Where the C parser succeeds, both give the same values at the same places; where it does not, or where the two are known to
part, the one in Python decides. So what is accepted and what an error says does not depend on what is installed. (libyaml
knows YAML 1.1 only: to it `[2001:db8::1]` is an error, and a tab after a colon is not.)
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import ScalarEvent
from ruamel.yaml.loader import SafeLoader

from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_text import check_bytes
from reconciler.desired.yaml_wording import worded

try:
    from _ruamel_yaml import CParser  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    CParser = None

NextEvent: TypeAlias = Callable[[], Any]
"""Gives the next event (of `ruamel.yaml.events`), and None after the last one."""

Built = TypeVar("Built")

# A block text's header followed by a comment without a space before it, or by a blank line that holds spaces.
_ODD_BLOCK_TEXT = re.compile(rb"[|>][-+0-9]*(?:#|[ \t]*(?:#[^\r\n]*)?(?:\r\n?|\n)[ \t]+[\r\n])")
_LINE_BREAK = re.compile("\r\n|\r|\n")


def parsed(data: bytes, build: Callable[[NextEvent], Built], *, native: bool = True) -> Built:
    """What `build` makes of the events of a file; YamlError when they are not to be had or `build` refuses them.

    `build` may be called twice. `native` false leaves the C parser out.
    """
    check_bytes(data)
    if native and CParser is not None and _is_read_alike(data):
        try:
            return build(_native_events(data))
        except (YAMLError, YamlError):
            pass  # the other parser has the last word, and the better words
    try:
        return build(_pure_events(data))
    except MarkedYAMLError as error:
        raise worded(error) from error
    except (ValueError, OverflowError) as error:
        # An escape for a character that Unicode does not have; the parser has no place for it.
        raise YamlError(1, 1, "an escape in a quoted text names no character", "write the character itself") from error


def has_native_parser() -> bool:
    """Whether the parser in C is installed."""
    return CParser is not None


def _pure_events(data: bytes) -> NextEvent:
    next_event: NextEvent = SafeLoader(data.decode()).get_event
    return next_event


def _native_events(data: bytes) -> NextEvent:
    next_event: NextEvent = CParser(data).get_event
    return next_event


def _is_read_alike(data: bytes) -> bool:
    """Whether the two parsers are known to agree about whatever in here may be valid."""
    if b"..." in data or ((b"|" in data or b">" in data) and _ODD_BLOCK_TEXT.search(data)):
        return False
    return b"\t" not in data or _tabs_are_text(data)


def _tabs_are_text(data: bytes) -> bool:
    """Whether all tabs stand inside of quoted or block text, or in comments that have a line of their own."""
    try:
        spans = tuple(_text_spans(_native_events(data)))
    except YAMLError:
        return False
    for number, line in enumerate(_LINE_BREAK.split(data.decode())):
        if "\t" in line and not line.lstrip(" ").startswith("#"):
            places = ((number, column) for column, character in enumerate(line) if character == "\t")
            if not all(any(start <= place < end for start, end in spans) for place in places):
                return False
    return True


def _text_spans(next_event: NextEvent) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    while (event := next_event()) is not None:
        if isinstance(event, ScalarEvent) and event.style:
            start, end = event.start_mark, event.end_mark
            first = (start.line, start.column) if event.style in "\"'" else (start.line + 1, 0)
            yield first, (end.line, end.column)
