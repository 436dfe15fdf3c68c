"""YAML as plain values: YAML 1.2's core meaning, and nothing beyond it."""

import pytest

from reconciler.desired.yaml_documents import MAX_NODES, Document, YamlMapping, YamlValue, documents
from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_events import has_native_parser
from reconciler.desired.yaml_text import MAX_BYTES


def value(text: str) -> YamlValue:
    (document,) = documents(f"key: {text}\n".encode())
    return document.value["key"]


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ("yes", "yes", "a word of YAML 1.1 only"),
        ("no", "no", "a word of YAML 1.1 only"),
        ("on", "on", "a word of YAML 1.1 only"),
        ("off", "off", "a word of YAML 1.1 only"),
        ("y", "y", "a word of YAML 1.1 only"),
        ("true", True, "a boolean"),
        ("False", False, "a boolean in its second spelling"),
        ("tRUE", "tRUE", "no spelling of a boolean"),
        ("~", None, "null"),
        ("null", None, "null"),
        ("NULL", None, "null in its third spelling"),
        ("", None, "nothing at all"),
        ("'~'", "~", "quoted"),
        ('""', "", "quoted"),
        ("0755", 755, "no octal without an o"),
        ("0o17", 15, "octal"),
        ("0x1F", 31, "hexadecimal"),
        ("-12", -12, "a negative number"),
        ("+12", 12, "a sign"),
        ("1_000", "1_000", "no underscores in YAML 1.2"),
        ("12:30", "12:30", "no sexagesimal numbers in YAML 1.2"),
        ("2026-11-20", "2026-11-20", "no dates in the core schema"),
        ("1.5", 1.5, "a float"),
        (".5", 0.5, "a float without its zero"),
        ("1e3", 1000.0, "a float with an exponent"),
        ("1.2.3", "1.2.3", "not a number"),
        ("-", "-", "refused below as a list; here after quoting"),
        ("10GiB", "10GiB", "a number with a unit is text"),
        ("02:08:20:aa:bb:cc", "02:08:20:aa:bb:cc", "a MAC address"),
        ("[2001:db8::5/64, dhcp]", ["2001:db8::5/64", "dhcp"], "colons in a flow list"),
        ("{mac: 02:08:20:aa:bb:cc}", {"mac": "02:08:20:aa:bb:cc"}, "colons in a flow mapping"),
        ("!!str 5", "5", "the one tag that is taken"),
        ("'it''s'", "it's", "single quotes"),
        (r'"a\tb\u00e9"', "a\tbé", "escapes in double quotes"),
        ("|\n  a\n   b\n", "a\n b\n", "a text block"),
        (">-\n  a\n  b\n", "a b", "a folded block"),
        ("[]", [], "an empty list"),
        ("{}", {}, "an empty mapping"),
        ("[[1, [2]], {a: [{b: null}]}]", [[1, [2]], {"a": [{"b": None}]}], "nesting"),
    ],
)
def test_a_value_means_what_the_core_schema_says(text: str, expected: YamlValue, reason: str) -> None:
    found = value(f"'{text}'" if text == "-" else text)

    assert found == expected, reason
    assert type(found) is type(expected), reason


def test_documents_know_where_they_begin_and_empty_ones_are_left_out() -> None:
    text = "# first\na: 1\n---\n---\n# nothing\n---\n  b: 2\n--- {c: 3}\n---\nnull\n"

    found = documents(text.encode())

    assert found == (Document(2, 1, {"a": 1}), Document(7, 3, {"b": 2}), Document(8, 5, {"c": 3}))


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "---\n---\n"])
def test_a_file_may_hold_nothing(text: str) -> None:
    assert documents(text.encode()) == ()


def test_line_ends_of_other_systems_are_taken() -> None:
    assert documents(b"a: 1\r\nb:\r\n- x\r\n") == (Document(1, 1, {"a": 1, "b": ["x"]}),)


@pytest.mark.parametrize(
    ("data", "line", "column", "cause"),
    [
        (b"a: 1\nb: 2\na: 3\n", 3, 1, "the key a stands twice in this mapping"),
        (b"a: {b: 1, b: 2}\n", 1, 11, "the key b stands twice in this mapping"),
        (b"a: &x 1\n", 1, 4, "anchors and aliases are not allowed"),
        (b"a: *x\n", 1, 4, "anchors and aliases are not allowed"),
        (b"a: *\n", 1, 5, "anchors and aliases are not allowed"),
        (b"<<: {a: 1}\n", 1, 1, "merge keys (<<) are not allowed"),
        (b"a: !!int '5'\n", 1, 4, "the tag !!int is not allowed"),
        (b"a: !!python/name:os.system x\n", 1, 4, "the tag !!python/name:os.system is not allowed"),
        (b"a: !!map {}\n", 1, 4, "the tag !!map is not allowed"),
        (b"a: ! 5\n", 1, 4, "the tag ! is not allowed"),
        (b"a: !e!x 5\n", 1, 4, "tags are not allowed"),
        (b"a: .nan\n", 1, 4, ".nan is not a number that a field can hold"),
        (b"a: 1e999\n", 1, 4, "the number is too large"),
        (b"a: 18446744073709551616\n", 1, 4, "the number is too large"),
        (b"1: a\n", 1, 1, "the key 1 is not text"),
        (b"true: a\n", 1, 1, "the key true is not text"),
        (b": a\n", 1, 1, "a key is missing before the ':'"),
        (b"{a: 1}: b\n", 1, 1, "a key must be text"),
        (b"? [a]\n: b\n", 1, 3, "a key must be text"),
        (b"[a]\n", 1, 1, "a document must be a mapping"),
        (b"a: 1\n--- text\n", 2, 5, "a document must be a mapping"),
        (b"a: 'x\n", 1, 4, "the quote that is opened here is never closed"),
        (b'a: "x\n---\nb: "\n', 1, 4, "the quote that is opened here is never closed"),
        (b"a: [1,\n  2\nb: 3\n", 3, 2, "a ',' or ']' is missing here"),
        (b"a: {b: 1\n", 1, 4, "a list or mapping that is opened here is never closed"),
        (b"a: b: c\n", 1, 5, "a ':' can't stand here"),
        (b"a: 1\n b: 2\n", 2, 3, "a ':' can't stand here"),
        (b"a:\n\t- b\n", 2, 1, "a tab stands where only spaces may"),
        (b"a:\tb\n", 1, 3, "a tab stands where only spaces may"),
        (b"a: b\t# c\n", 1, 5, "a tab stands where only spaces may"),
        (b"a: `b`\n", 1, 4, "a value can't begin with '`'"),
        (b"a: - b\n", 1, 4, "a list can't begin here"),
        (b"- a\nb: c\n", 1, 1, "a document must be a mapping"),
        (b"a:\n  - b\n  c: d\n", 3, 3, "the line does not fit those above it"),
        (b"a: |\n \n  b\n", 3, 3, "a blank line at the beginning of a text block holds spaces"),
        (b"a: |x\n  b\n", 1, 5, "the text block has a malformed first line"),
        (b'a: "\\q"\n', 1, 6, "'q' after a backslash has no meaning in double quotes"),
        (b'a: "\\ud800"\n', 1, 4, "a control character is not allowed, nor is its escape"),
        (b'a: "\\0"\n', 1, 4, "a control character is not allowed, nor is its escape"),
        (b'"a\\b": 1\n', 1, 1, "a control character is not allowed, nor is its escape"),
        (b'a: "\\UFFFFFFFF"\n', 1, 1, "an escape in a quoted text names no character"),
        (b"a: 1\n... b\n", 2, 5, "text follows the end of the document"),
        (b"%YAML 1.2\n---\na: 1\n", 1, 1, "YAML directives (lines that begin with %) are not allowed"),
        (b"a: \x00\n", 1, 4, "the control character U+0000 is not allowed"),
        (b"a: \x1b[31m\n", 1, 4, "the control character U+001B is not allowed"),
        ("a: é\u2028b\n".encode(), 1, 5, "the control character U+2028 is not allowed"),
        ("a: b\n# \u202e\n".encode(), 2, 3, "the control character U+202E is not allowed"),
        (b"\xef\xbb\xbfa: 1\n", 1, 1, "the file holds a byte order mark"),
        (b"a: 1\nb: \xc3\xa9\xff\n", 2, 5, "byte 0xff is not UTF-8"),
    ],
)
@pytest.mark.parametrize("native", [True, False], ids=["native", "pure"])
def test_what_no_manifest_needs_is_refused_at_its_place(data: bytes, line: int, column: int, cause: str, native: bool) -> None:
    with pytest.raises(YamlError) as caught:
        documents(data, native=native)

    assert (caught.value.line, caught.value.column, caught.value.cause) == (line, column, cause)
    assert caught.value.remedy


def test_a_file_over_the_limit_is_refused() -> None:
    with pytest.raises(YamlError, match="1048577 bytes"):
        documents(b"#" * (MAX_BYTES + 1))


def test_more_values_than_anybody_writes_are_refused() -> None:
    text = "a: [" + "1," * (MAX_NODES + 1) + "1]\n"

    with pytest.raises(YamlError, match="more than 100000 values"):
        documents(text.encode())


def test_values_nest_as_deep_as_the_limit_and_no_deeper() -> None:
    deepest = "a: " + "[" * 31 + "]" * 31
    deeper = "a: " + "[" * 32 + "]" * 32

    assert documents(deepest.encode())
    with pytest.raises(YamlError, match="nested more than 32 deep"):
        documents(deeper.encode())


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_absurd_nesting_neither_recurses_nor_takes_long(opening: str) -> None:
    with pytest.raises(YamlError):
        documents(f"a:\n  {opening * 20000}".encode())


def test_tabs_in_texts_and_comments_are_left_alone() -> None:
    data = b"# a\tcomment\nscript: |\n  \techo\n  a\tb\nquoted: 'x\ty'\n"

    expected: YamlMapping = {"script": "\techo\na\tb\n", "quoted": "x\ty"}
    assert documents(data) == (Document(2, 1, expected),) == documents(data, native=False)


def test_the_parser_in_c_is_what_the_other_tests_compare_with() -> None:
    assert has_native_parser()
