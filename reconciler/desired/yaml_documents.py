"""YAML as plain values: a dict, list, str, int, float, bool or None for everything, and nothing else of YAML.

Anchors, aliases, merge keys, tags, keys that are not text, duplicate keys and values without bounds are refused. Building
many values makes Python's cycle collector run for nothing: a caller that loads thousands of files pauses it (`gc.disable`)
for the time of the load.
"""

import sys
from typing import Any, NamedTuple, TypeAlias

from ruamel.yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_events import NextEvent, parsed
from reconciler.desired.yaml_scalars import FIRST_OF_NUMBERS, WORDS, Plain, number_or_text
from reconciler.desired.yaml_text import is_forbidden
from reconciler.model.errors import InvalidValue

MAX_DEPTH = 32
MAX_NODES = 100_000

YamlValue: TypeAlias = "Plain | list[YamlValue] | dict[str, YamlValue]"
YamlMapping: TypeAlias = dict[str, YamlValue]

_TEXT_TAG = "tag:yaml.org,2002:str"


class Document(NamedTuple):
    """One document of a file: where its first key stands (counted from 1), and what it holds."""

    line: int
    column: int
    value: YamlMapping


def documents(data: bytes, *, native: bool = True) -> tuple[Document, ...]:
    """The documents of a file, empty ones left out; YamlError at the first place that is not to be taken."""
    return parsed(data, _documents, native=native)


def _documents(next_event: NextEvent) -> tuple[Document, ...]:  # noqa: C901, see the comment
    # One flat loop over the events, with the innermost container and its pending key in local names: this is where a load
    # spends its time.
    found: list[Document] = []
    outer: list[Any] = []
    container: Any = None
    key: str | None = None
    budget = MAX_NODES
    made: Any
    while (event := next_event()) is not None:
        kind = type(event)
        if kind is ScalarEvent:
            if event.anchor is not None or event.ctag is not None:
                _check_properties(event)
            if type(container) is dict and key is None:
                key = _key(event, container)
                continue
            text = event.value
            if not event.implicit[0]:
                if event.style == '"' and is_forbidden(text):
                    raise _refused(event, "a control character is not allowed, nor is its escape", "remove it")
                made = text
            elif text in WORDS:
                made = WORDS[text]
            else:
                made = _number_or_text(event) if text[0] in FIRST_OF_NUMBERS else text
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or event.ctag is not None:
                _check_properties(event)
            if key is None and type(container) is dict:
                raise _refused(event, "a key must be text", "write key: value")
            made = {} if kind is MappingStartEvent else []
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            container = outer.pop()
            continue
        elif kind is AliasEvent:
            raise _refused(event, "anchors and aliases are not allowed", "write the value out")
        else:
            continue
        budget -= 1
        if budget < 0:
            raise _refused(event, f"the file holds more than {MAX_NODES} values", "split it into several files")
        if key is not None:
            container[key] = made
            key = None
        elif container is not None:
            container.append(made)
        elif kind is MappingStartEvent:
            mark = event.start_mark
            found.append(Document(mark.line + 1, mark.column + 1, made))
        elif made is not None:
            raise _refused(event, "a document must be a mapping", "begin it with apiVersion: reconciler/v1")
        if kind is not ScalarEvent:
            if len(outer) >= MAX_DEPTH:
                raise _refused(event, f"values are nested more than {MAX_DEPTH} deep", "flatten them")
            outer.append(container)
            container = made
    return tuple(found)


def _key(event: ScalarEvent, mapping: YamlMapping) -> str:
    """The key that the event gives to the mapping."""
    text: str = event.value
    if event.implicit[0]:
        if text == "<<":
            raise _refused(event, "merge keys (<<) are not allowed", "write the values out")
        if text in WORDS or text[0] in FIRST_OF_NUMBERS:
            value = _number_or_text(event) if text and text[0] in FIRST_OF_NUMBERS else WORDS[text]
            if not isinstance(value, str):
                cause = f"the key {text} is not text" if text else "a key is missing before the ':'"
                raise _refused(event, cause, "quote the key" if text else "write one")
    elif event.style == '"' and is_forbidden(text):
        raise _refused(event, "a control character is not allowed, nor is its escape", "remove it")
    if text in mapping:
        raise _refused(event, f"the key {text} stands twice in this mapping", "remove one of the two")
    return sys.intern(text)


def _number_or_text(event: ScalarEvent) -> Plain:
    try:
        return number_or_text(event.value)
    except InvalidValue as refusal:
        raise _refused(event, refusal.cause, refusal.remedy) from refusal


def _check_properties(event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
    if event.anchor is not None:
        raise _refused(event, "anchors and aliases are not allowed", "write the value out")
    if event.tag != _TEXT_TAG or not isinstance(event, ScalarEvent):
        tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
        raise _refused(event, f"the tag {tag} is not allowed", "remove it; quote a value to make it text")


def _refused(event: Event, cause: str, remedy: str) -> YamlError:
    mark = event.start_mark
    return YamlError(mark.line + 1, mark.column + 1, cause, remedy)
