"""The YAML parser's complaints in an operator's words, at the place where something must be changed."""

import re
from dataclasses import dataclass

from ruamel.yaml.error import MarkedYAMLError

from reconciler.desired.yaml_error import YamlError


@dataclass(frozen=True, slots=True)
class _Wording:
    """`problem` is matched against the parser's `context: problem`; `at_start` points to where the construct began."""

    problem: str
    cause: str
    remedy: str
    at_start: bool = False


_NEVER_CLOSED = "a list or mapping that is opened here is never closed"

_WORDINGS = (
    _Wording(r"found character '\\t'", "a tab stands where only spaces may", "indent and separate with spaces"),
    _Wording(r"found character (?P<what>.+) that cannot start", "a value can't begin with {what}", "quote the value"),
    _Wording(
        r"mapping values are not allowed", "a ':' can't stand here", "quote a value that holds ': ', or mend the indentation"
    ),
    _Wording(r"quoted scalar: found unexpected", "the quote that is opened here is never closed", "close it", at_start=True),
    _Wording(r"could not find expected ':'", "a key without a ':'", "write key: value, or quote a long text", at_start=True),
    _Wording(r"got '<stream end>'", _NEVER_CLOSED, "close it with ] or }}", at_start=True),
    _Wording(
        r"expected ',' or '(?P<what>.)'", "a ',' or '{what}' is missing here", "write it; quote values that hold , [ ] {{ or }}"
    ),
    _Wording(
        r"expected the node content.*found '(?P<what>[^<]+)'",
        "a value is missing before '{what}'",
        "write one, or quote the text",
    ),
    _Wording(r"expected the node content.*stream end", "the file ends in the middle of a value", "close it with ] or }}"),
    _Wording(r"expected the node content", "a value is missing here", "write one"),
    _Wording(r"expected <block end>", "the line does not fit those above it", "indent all keys of one mapping alike"),
    _Wording(r"sequence entries are not allowed", "a list can't begin here", "put each '- item' on a line of its own"),
    _Wording(r"mapping keys are not allowed", "a '? key' can't stand here", "write key: value"),
    _Wording(
        r"found unknown escape character (?P<what>.+)",
        "{what} after a backslash has no meaning in double quotes",
        "write \\\\ for a backslash, or use single quotes",
    ),
    _Wording(
        r"expected escape sequence",
        "an escape is cut short",
        "write \\\\ for a backslash, or use single quotes",
    ),
    _Wording(r"scanning an? (?:alias|anchor)", "anchors and aliases are not allowed", "quote the value, or write it out"),
    _Wording(
        r"(?:scanning|parsing) a tag|tag handle", "tags are not allowed", "remove the word that begins with '!', or quote it"
    ),
    _Wording(
        r"scanning a block scalar",
        "the text block has a malformed first line",
        "write only | or > there, with - or + if need be",
    ),
    _Wording(
        r"more indented follow up line",
        "a blank line at the beginning of a text block holds spaces",
        "remove the spaces from the blank line",
    ),
    _Wording(r"document start|document end", "text follows the end of the document", "separate documents by a line with ---"),
)


def worded(error: MarkedYAMLError) -> YamlError:
    """The complaint with its place, cause and remedy."""
    complaint = f"{error.context or ''}: {error.problem or ''}"
    for wording in _WORDINGS:
        if match := re.search(wording.problem, complaint):
            given = match.groupdict()
            return _at(error, wording.at_start, wording.cause.format(**given), wording.remedy.format(**given))
    return _at(error, False, f"this is not YAML: {error.problem or error.context}", "see the line and the one before it")


def _at(error: MarkedYAMLError, at_start: bool, cause: str, remedy: str) -> YamlError:
    marks = (error.context_mark, error.problem_mark) if at_start else (error.problem_mark, error.context_mark)
    mark = next((mark for mark in marks if mark is not None), None)
    return YamlError(1, 1, cause, remedy) if mark is None else YamlError(mark.line + 1, mark.column + 1, cause, remedy)
