"""File systems of the host that a zone sees: our fields and vmadm's, both ways (smartos-vmadm.md 5c)."""

from collections.abc import Collection, Iterator

from providers.tools.vmadm_native import Json
from providers.tools.vmadm_objects import JsonObject
from reconciler.model.errors import ReadError
from reconciler.model.value import Fields, Value

_TYPE, _READ_ONLY = "lofs", "ro"


def read_mounts(filesystems: tuple[JsonObject, ...], noted: Collection[str]) -> Iterator[tuple[str, Fields, bool]]:
    """Target, fields and whether it is ours, of each; `noted` are the targets of ours."""
    for found in filesystems:
        target = found.text("target")
        if target is None:
            raise ReadError(0, f"target of {found.where}", repr(found.raw))
        options = found.texts("options")
        fields: dict[str, Value] = {"source": found.text("source"), "readOnly": _READ_ONLY in options, "options": options}
        yield target, fields, target in noted


def new_mount(target: str, fields: Fields) -> dict[str, Json]:
    """A mount as it is added or, whole, as it is to be; options that are no concern of ours stay."""
    options = fields.get("options")
    kept: list[Json] = [option for option in options if option not in (_READ_ONLY, "rw")] if isinstance(options, tuple) else []
    if fields.get("readOnly") is True:
        kept.append(_READ_ONLY)
    return {"source": str(fields["source"]), "target": target, "type": _TYPE, "options": kept}
