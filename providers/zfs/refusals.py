"""What a host's ZFS does not have, told before anything runs."""

from providers.tools.zfs_properties import PROPERTIES
from providers.zfs.capabilities import FILE, ZVOL, Capabilities
from providers.zfs.reading import PREFIX
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal


def refusal(host: Capabilities, kind: str, field: str, value: Value) -> Refusal | None:
    """Why this ZFS can't have the field at that value; None when it can."""
    if field == "metadata.name":
        return _name_refusal(host, kind, str(value))
    if field == "backing" and value == ZVOL and not host.has_volumes:
        return Refusal(f"{host.dialect} has no zvols", "write backing: file, or remove the line")
    if field == "backing" and value == FILE and not host.keeps_files:
        return Refusal("volumes in files need a Linux host with GNU truncate", "write backing: zvol, or remove the line")
    if field == "origin" and isinstance(value, str) and "@" not in value:
        return Refusal(
            f"{value} is an Image, and cloning from an Image is not supported yet", "name a snapshot: origin: dataset@snapshot"
        )
    if field.startswith(PREFIX):
        return _property_refusal(host, kind, field.removeprefix(PREFIX), value)
    return None


def _name_refusal(host: Capabilities, kind: str, name: str) -> Refusal | None:
    if kind == "Volume" and not host.has_volumes and not host.keeps_files:
        cause = f"{host.dialect} has no volumes, and the host no GNU truncate to make them of files"
        return Refusal(cause, "install coreutils on the host, or move the manifest to one whose ZFS has volumes")
    if kind == "Dataset" and "/" not in name and host.pools is not None and name not in host.pools:
        there = ", ".join(sorted(host.pools)) or "none"
        return Refusal(f"there is no pool {name}; pools there: {there}", "correct metadata.name, or make the pool by hand")
    return None


def _property_refusal(host: Capabilities, kind: str, name: str, value: Value) -> Refusal | None:
    known = PROPERTIES.get(name)
    if known is None:
        return None
    if name not in host.properties:
        return Refusal(f"the host's ZFS ({host.dialect}) has no property {name}", "remove the line for this host")
    if not known.is_taken_by(host.dialect, value):
        words = ", ".join((*known.words, *known.more.get(host.dialect, ())))
        remedy = f"write one of {words}" if words else "write a smaller size"
        return Refusal(f"the host's ZFS ({host.dialect}) has no {name} {value}", remedy)
    if (kind, name, value) == ("Dataset", "readonly", "on") and not host.mounts_read_only:
        cause = f"{host.dialect} mounts a file system writable although it is readonly, and says that it is off"
        return Refusal(cause, "remove the line for this host; to keep writers away, state mountpoint: none")
    return None
