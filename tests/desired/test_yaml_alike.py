"""The parser in C and the one in Python give the same values, places and refusals."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.desired.yaml_documents import Document, documents
from reconciler.desired.yaml_error import YamlError
from reconciler.desired.yaml_places import Place, places

BROKEN = Path(__file__).parent / "broken"
CORPUS = sorted(path for path in BROKEN.rglob("*.yaml") if path.is_file())

SEEDS = (
    b"""apiVersion: reconciler/v1
kind: Dataset
metadata:
  name: tank/data/web
  labels: {app: web, "tier": 'front'}
spec:
  properties:
    quota: 10GiB
    com.example:note: "a\\tb \\
      c"
    x: 'it''s'
  ips: [10.0.0.1/24, "fe80::1/64", fe80::2/64]
""",
    b"""--- # first
a: |
  line one
    indented
  # not a comment

b: >-
  folded
  text

  para
c:
- x
- - y
  - z: 1
    w: 2
-
d: many
  lines plain
  # comment
---
? k
: v
...
---
"q": 'a
  b'
""",
    b"a: |\n  \tfoo\n  x\ty\n\n  #!/bin/sh\nb:  # t\tc\n# c\td\n  - \"x\ty\"\n  - 'z\tw'\n  - plain\tword\n",
)
BITS = (
    b": ", b"- ", b"? ", b"[", b"]", b"{", b"}", b",", b"'", b'"', b"|", b">", b"#", b" #", b"\n", b"\r\n", b"  ", b" ",
    b"!!str ", b"!x ", b"&a ", b"*a", b"---\n", b"...\n", b"|\n", b">-\n", b"|+\n", b"|2\n", b"\\n", b"\\", b"\\x41",
    b"\\\n", b"~", b"a", b"1", b":", b"-", b"?", b"!", b"@", b"`", b"%", "é".encode(), "😀".encode(), b"''", b'"x"', b"\r",
    b"\n\n", b"\n \n", b"<<: ", b"::", b"\t", b"\t\t",
)  # fmt: skip


def mutated(seed: int) -> bytes:
    """A seed text with a few random bits put in, taken out or doubled."""
    chance = random.Random(seed)
    text = bytearray(chance.choice(SEEDS))
    if chance.random() < 0.5:
        start = chance.randrange(len(text))
        text = text[start : start + chance.randrange(1, 80)]
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(text) + 1)
        match chance.randrange(4):
            case 0 | 1:
                text[at:at] = chance.choice(BITS)
            case 2:
                del text[at : at + chance.randrange(1, 6)]
            case _:
                start = chance.randrange(len(text) + 1)
                text[at:at] = text[start : start + chance.randrange(1, 15)]
    return bytes(text)


def read(data: bytes, *, native: bool) -> tuple[tuple[Document, ...], tuple[Place, ...]] | tuple[int, int, str, str]:
    try:
        return documents(data, native=native), places(data, native=native)
    except YamlError as error:
        return error.line, error.column, error.cause, error.remedy


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.relative_to(BROKEN).as_posix())
def test_both_parsers_read_a_file_alike(path: Path) -> None:
    data = path.read_bytes()

    assert read(data, native=True) == read(data, native=False)


@pytest.mark.parametrize("block", range(20))
def test_both_parsers_read_damaged_texts_alike(block: int) -> None:
    for seed in range(block * 250, block * 250 + 250):
        data = mutated(seed)

        assert read(data, native=True) == read(data, native=False), data


WITHOUT_NATIVE = """
import sys
sys.modules["_ruamel_yaml"] = None
from reconciler.desired.yaml_documents import documents
from reconciler.desired.yaml_events import has_native_parser
print(has_native_parser(), documents(b"a: [1, off]\\n")[0].value)
"""


def test_the_parser_in_python_is_enough() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_NATIVE], check=False, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("False {'a': [1, 'off']}\n", "")
