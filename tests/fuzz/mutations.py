"""Damage from a seed, to bytes, to words and to the structure of texts that were right."""

import copy
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import Any

SPECIAL = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xc2\x85", b"\xe2\x80\xa8", b"\r", b"\t", b"\x1b[31m", b"\xf0\x9f\x8d\x9e",
    b"\xed\xa0\x80",
    b"\n---\n", b"\n...\n", b"%YAML 9.9\n", b"&a ", b"*a", b"<<: *a\n", b"!!python/object:os.system ", b"!x ", b"? ",
    b"- ", b": ",
    b"{", b"}", b"[", b"]", b"'", b'"', b"|\n", b">\n", b"#", b"\n", b"    ", b"[" * 200, b"{a: " * 200, b"x" * 5000,
    b"\\ud800",
    b"@", b"%", b"$(", b"$(no)", b"/", b"//", b"..", b"\n\n\n",
)  # fmt: skip
"""What has a meaning to YAML, to a terminal or to ZFS, or none at all."""

WORDS = (
    "", "null", "~", "true", "yes", "off", "0", "-1", "0x10", "0o17", "1e999", ".nan", "-.inf", "2026-01-01", "12:30:45",
    "99999999999999999999999", "10GiB", "10GB", "1.5g", "30%", "5m", "-", "[]", "{}", "''", '"\\ud800"', '"\\x00"',
    "$(pool)", "$$(",
    "tank", "tank/", "/tank", "tank/a@b", "tank/ä", "a" * 300, "/".join("a" * 60), "Dataset/tank/a", "Zone", "Host",
    "Repository",
    "all", "trash", "delete", "orphan", "once", "report", "removal", "restart", "name", "kind", "spec", "metadata",
    "properties",
)  # fmt: skip

VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1 << 70, 1.5, float("inf"), "", " ", "null", "10GiB", "a\nb", "\x7f", "\U0001f35e", [],
    {}, [None], {"": None},
    [[]], {"a": {"a": {}}}, ["a", "a"], {"secret": "store:a#b"}, "x" * 2000, "tank/a", "tank/a@b", "$(pool)",
)  # fmt: skip

_TOKENS = re.compile(rb"[A-Za-z0-9_./@-]+|[^A-Za-z0-9_./@-]")


def damaged_bytes(chance: random.Random, data: bytes) -> bytes:
    """One to four small accidents."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        to = min(len(data), at + chance.choice([1, 1, 2, 8, 40]))
        match chance.randrange(6):
            case 0:
                data = data[:at] + data[to:]
            case 1:
                data = data[:at] + chance.choice(SPECIAL) + data[at:]
            case 2:
                data = data[:at] + chance.randbytes(to - at) + data[to:]
            case 3:
                data = data[:at]
            case 4:
                data = data[:to] + data[at:]
            case _:
                data = data[:at] + chance.choice(SPECIAL) + data[to:]
    return data


def damaged_words(chance: random.Random, data: bytes) -> bytes:
    """Words and signs exchanged, lost or doubled."""
    tokens = _TOKENS.findall(data)
    for _ in range(chance.randint(1, 4)):
        if not tokens:
            return data
        at = chance.randrange(len(tokens))
        match chance.randrange(5):
            case 0:
                tokens[at] = chance.choice(WORDS).encode("utf-8", "surrogatepass")
            case 1:
                tokens[at] = chance.choice(tokens)
            case 2:
                del tokens[at]
            case 3:
                tokens.insert(at, tokens[at])
            case _:
                other = chance.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
    return b"".join(tokens)


def damaged_lines(chance: random.Random, data: bytes) -> bytes:
    """Lines lost, doubled, moved or indented."""
    lines = data.splitlines(keepends=True)
    for _ in range(chance.randint(1, 3)):
        if not lines:
            return data
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(chance.randint(0, len(lines)), lines[at])
            case 2:
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = b"  " + lines[at]
            case _:
                lines[at] = lines[at].lstrip()
    return b"".join(lines)


def damaged_documents(chance: random.Random, documents: Sequence[Any]) -> bytes:
    """Documents with values, keys and branches exchanged, written as JSON, which is YAML."""
    tree = json.loads(json.dumps(documents))
    for _ in range(chance.randint(1, 4)):
        _damage(chance, tree)
    indent = chance.choice([None, 1])
    return "\n---\n".join(json.dumps(each, indent=indent) for each in tree).encode()


def _damage(chance: random.Random, tree: Any) -> None:
    branches = list(_branches(tree))
    branch, other = chance.choice(branches), chance.choice(branches)
    keys = list(branch) if isinstance(branch, dict) else list(range(len(branch)))
    if not keys:
        return
    key = chance.choice(keys)
    match chance.randrange(6):
        case 0 | 1:
            branch[key] = copy.deepcopy(chance.choice(VALUES))
        case 2:
            del branch[key]
        case 3 if isinstance(branch, dict):
            branch[chance.choice(WORDS)] = branch.pop(key)
        case 4 if isinstance(other, dict) and other:
            branch[key] = json.loads(json.dumps(other[chance.choice(list(other))]))
        case _:
            branch[key] = [branch[key]] if chance.random() < 0.5 else {"a": branch[key]}


def _branches(tree: Any) -> list[Any]:
    found, left = [], [tree]
    while left:
        branch = left.pop()
        if isinstance(branch, dict | list):
            found.append(branch)
            left += branch.values() if isinstance(branch, dict) else branch
    return found


DAMAGES: tuple[Callable[[random.Random, bytes], bytes], ...] = (damaged_bytes, damaged_words, damaged_lines)
