"""Keys and values are found again by parsing the one file."""

import pytest

from reconciler.desired.yaml_places import Path, places, position

TEXT = b"""# comment
a: 1
---
metadata:
  name: web
  labels: {app: web,
    tier: front}
spec:
  properties:
    com.example:a.b: x
    quota:
  list:
    - one
    - {two: 2}
  empty: {}
"""


@pytest.mark.parametrize(
    ("path", "of_key", "expected", "reason"),
    [
        ((), False, (4, 1), "the document itself"),
        (("metadata", "name"), False, (5, 9), "a value"),
        (("metadata", "name"), True, (5, 3), "its key"),
        (("metadata",), False, (5, 3), "a block mapping begins with its first key"),
        (("metadata", "labels", "tier"), False, (7, 11), "a value in a flow mapping over two lines"),
        (("metadata", "host"), False, (5, 3), "what is missing is missing in its mapping"),
        (("metadata", "labels", "zone"), False, (6, 11), "what is missing is missing in its flow mapping"),
        (("spec", "properties", "quota"), False, (11, 5), "nothing has no place, so its key's"),
        (("spec", "list", 1, "two"), False, (14, 13), "through a list"),
        (("spec", "list", 5), False, (13, 5), "beyond a list's end"),
        (("spec", "list", 0, "deeper"), False, (13, 7), "below a leaf"),
        (("spec", "empty", "x"), False, (15, 10), "in an empty mapping"),
    ],
)
def test_a_path_has_a_position(path: Path, of_key: bool, expected: tuple[int, int], reason: str) -> None:
    assert position(TEXT, 1, path, of_key=of_key) == expected, reason


@pytest.mark.parametrize(
    ("dotted", "expected", "reason"),
    [
        ("metadata.name", ("metadata", "name"), "keys"),
        ("spec.properties.com.example:a.b", ("spec", "properties", "com.example:a.b"), "a key that holds dots"),
        ("spec.list.1.two", ("spec", "list", 1, "two"), "an index"),
        ("spec.size", ("spec", "size"), "a last part that is not written"),
        ("spec.size.more", ("spec", "size.more"), "all that is not written is one part"),
    ],
)
def test_a_dotted_field_is_a_path(dotted: str, expected: Path, reason: str) -> None:
    (_, place) = places(TEXT)

    assert place.path(dotted) == expected, reason
