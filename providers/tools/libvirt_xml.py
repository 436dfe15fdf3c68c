"""Definitions of libvirt domains as trees. What we don't know of one stays in it: a tree is edited, never written anew."""

from copy import deepcopy
from typing import NoReturn
from xml.etree import ElementTree as ET
from xml.parsers import expat

from reconciler.model.errors import ReadError

Tree = ET.Element


class _DocumentTypeError(Exception):
    """The document has a document type."""


def parse(text: str, root: str) -> Tree:
    """The tree of a document whose root element is of that name; ReadError for anything else.

    Names stay as they are written, with their prefixes: what others keep in a definition is written back as it was. libvirt
    writes no document type. One that has it could define entities that grow without end, and is refused unread.
    """
    builder, parser = ET.TreeBuilder(insert_comments=True), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.CommentHandler = builder.comment
    parser.StartDoctypeDeclHandler = _refuse
    try:
        parser.Parse(text, True)
        tree = builder.close()
    except _DocumentTypeError:
        raise ReadError(0, f"a {root} without a document type", text) from None
    except (expat.ExpatError, ValueError, AssertionError) as broken:
        raise ReadError(0, f"XML of a {root} ({broken})", text) from None
    if tree.tag != root:
        raise ReadError(0, f"XML of a {root}", text)
    return tree


def _refuse(*_told: object) -> NoReturn:
    raise _DocumentTypeError


def written(tree: Tree) -> str:
    """The document as people read it, ending in a newline."""
    laid_out = copied(tree)
    ET.indent(laid_out)
    return ET.tostring(laid_out, encoding="unicode").rstrip() + "\n"


def copied(tree: Tree) -> Tree:
    return deepcopy(tree)


def child(parent: Tree, path: str) -> Tree:
    """The element at a path of plain names below another, made where it is not there."""
    for name in path.split("/"):
        found = parent.find(name)
        parent = ET.SubElement(parent, name) if found is None else found
    return parent


def add(parent: Tree, name: str, text: str | None = None, /, **attributes: str) -> Tree:
    """A new last element; a trailing `_` of an attribute's name is left out (`type_`)."""
    made = ET.SubElement(parent, name, {key.rstrip("_"): value for key, value in attributes.items()})
    made.text = text
    return made


def drop(parent: Tree, name: str) -> None:
    """Takes out every element of that name right below another."""
    for found in parent.findall(name):
        parent.remove(found)


def attribute(tree: Tree, path: str, name: str) -> str:
    """The attribute of the first element at the path; empty where it has none."""
    found = tree.find(path)
    return (found.get(name) or "") if found is not None else ""


def text_at(tree: Tree, path: str) -> str:
    """The text of the first element at the path without space around; empty where it has none."""
    return (tree.findtext(path) or "").strip()


_UNITS = {"b": 1, "bytes": 1, "KB": 1000, "k": 1 << 10, "KiB": 1 << 10, "MB": 10**6, "M": 1 << 20, "MiB": 1 << 20}
_UNITS |= {"GB": 10**9, "G": 1 << 30, "GiB": 1 << 30, "TB": 10**12, "T": 1 << 40, "TiB": 1 << 40}


def bytes_at(tree: Tree, path: str) -> int | None:
    """A size with its unit (KiB where none is given), in bytes; None where there is none. ReadError for anything else."""
    found = tree.find(path)
    if found is None:
        return None
    text, unit = (found.text or "").strip(), found.get("unit", "KiB")
    if not (text.isascii() and text.isdigit()) or unit not in _UNITS:
        raise ReadError(0, f"a size in {path}", f"{text} {unit}")
    return int(text) * _UNITS[unit]
