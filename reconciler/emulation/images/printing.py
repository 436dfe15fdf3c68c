"""Lists of images as JSON or columns, and the filters that choose among them."""

import json
from collections.abc import Iterable, Mapping, Sequence

from reconciler.emulation.images.errors import usage
from reconciler.emulation.session import Session
from reconciler.emulation.zfs.table import aligned

COLUMNS = "uuid,name,version,os,type,pub"
ORDER = "published_at,name"
_FIELDS = frozenset(
    {
        "uuid", "owner", "name", "version", "state", "disabled", "public", "published", "published_at", "type", "os",
        "urn", "nic_driver", "disk_driver", "cpu_type", "image_size", "generate_passwords", "description", "origin",
        "size", "source", "zpool", "clones", "pub", "pubdate", "flags",
    }
)  # fmt: skip
_MIB = 1 << 20

Item = Mapping[str, object]
"""An image as `-j` prints it: `manifest`, and what is known beside it."""


def print_json(session: Session, value: object) -> None:
    """Prints JSON as all these programs do."""
    session.line(json.dumps(value, indent=2, ensure_ascii=False))


def print_items(session: Session, items: Iterable[Item], *, columns: str, order: str | None, header: bool) -> None:
    """A row for each image; without an order they stay as they are."""
    names = _known(columns)
    rows = [[fields.get(name, "-") for name in names] for fields in _sorted_fields(items, order)]
    if header:
        rows.insert(0, [name.upper() for name in names])
    session.out.extend(aligned(rows) if rows else ())


def _sorted_fields(items: Iterable[Item], order: str | None) -> list[Mapping[str, str]]:
    """The columns of images in the order that the named fields give; a leading `-` turns one round."""
    found: list[Mapping[str, str]] = [_fields(item) for item in items]
    for name in reversed(order.split(",") if order else ()):
        _known(name.removeprefix("-"))
        found.sort(key=lambda fields: fields.get(name.removeprefix("-"), ""), reverse=name.startswith("-"))
    return found


def chosen(items: Iterable[Item], filters: Sequence[str]) -> list[Item]:
    """The images that meet all filters: `field=value`, `field!=value`, `field=~part`."""
    wanted = [_filter(text) for text in filters]
    return [item for item in items if all(_meets(_fields(item), *one) for one in wanted)]


def _filter(text: str) -> tuple[str, str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise usage(f'invalid filter: "{text}" (must be in the form "field=value")')
    if value.startswith("~"):
        return name, "~", value[1:]
    return (name[:-1], "!", value) if name.endswith("!") else (name, "=", value)


def _meets(fields: Mapping[str, str], name: str, way: str, value: str) -> bool:
    have = fields.get(name, "")
    if way == "~":
        return value in have
    return (have == value) == (way == "=")


def _known(columns: str) -> list[str]:
    names = columns.split(",")
    unknown = [name for name in names if name not in _FIELDS]
    if unknown:
        raise usage(f'unknown field: "{unknown[0]}"')
    return names


def _fields(item: Item) -> dict[str, str]:
    manifest = item["manifest"]
    assert isinstance(manifest, Mapping)
    fields = {name: _text(value) for name, value in manifest.items() if name in _FIELDS}
    fields |= {name: _text(item[name]) for name in ("source", "zpool", "clones") if name in item}
    published = fields.get("published_at", "")
    if published:
        fields |= {"pub": published[:10], "pubdate": published[:10], "published": published}
    files = manifest.get("files")
    if files:
        fields["size"] = f"{files[0]['size'] / _MIB:.1f}M"
    flags = (
        "I" if "origin" in manifest else "",
        "P" if manifest.get("public") else "",
        "X" if manifest.get("disabled") else "",
    )
    fields["flags"] = "".join(flags) or "-"
    return fields


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
