"""Images as datasets: made as a stream from a site makes them, registered, destroyed. Tells nobody."""

import json

from reconciler.emulation.images.errors import ImgadmError
from reconciler.emulation.images.installed import FINAL
from reconciler.emulation.images.sites import Manifest
from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets, space
from reconciler.emulation.zfs.commands.clone import clone
from reconciler.emulation.zfs.commands.create import create
from reconciler.emulation.zfs.commands.destroy import destroy
from reconciler.emulation.zfs.commands.snapshot import snapshot
from reconciler.emulation.zfs.errors import Refused

_MIB = 1 << 20
# What gzip makes of a root file system or a disk.
_UNPACKED = 3


def download_size(manifest: Manifest) -> int:
    """Bytes of an image's file."""
    return sum(int(file["size"]) for file in manifest.get("files", ()))


def receive(session: Session, pool: str, manifest: Manifest, file_size: int) -> None:
    """Makes the dataset of an image and its snapshot from a file of that many bytes; raises ImgadmError when zfs refuses."""
    name = f"{pool}/{manifest['uuid']}"
    quiet = _quiet(session)
    size = file_size * _UNPACKED
    try:
        if manifest.get("origin"):
            clone(quiet, [f"{pool}/{manifest['origin']}{FINAL}", name])
        elif manifest["type"] == "zvol":
            volume = int(manifest["image_size"]) * _MIB
            size = min(size, volume)
            create(quiet, ["-s", "-V", str(volume), name])
        else:
            create(quiet, ["-o", "compression=lz4", name])
        made = datasets.dataset_named(session.state, name)
        assert made is not None
        if size > space.available(session.state, made):
            destroy(quiet, [name])
            raise Refused("cannot receive new filesystem stream: out of space")
        space.grow(session.state, made, size)
        snapshot(quiet, [f"{name}{FINAL}"])
    except Refused as refused:
        raise ImgadmError("InternalError", f'error importing image "{manifest["uuid"]}": {refused.lines[0]}') from refused


def register(session: Session, pool: str, manifest: Manifest, source: str | None) -> None:
    """Keeps the manifest of an installed image."""
    session.state.write(
        "INSERT OR REPLACE INTO registered_image VALUES (?, ?, ?, ?)",
        pool, manifest["uuid"], json.dumps(manifest), source,
    )  # fmt: skip


def remove(session: Session, pool: str, uuid: str) -> None:
    """Destroys an image that nothing was made from; raises ImgadmError when zfs refuses."""
    try:
        destroy(_quiet(session), ["-r", f"{pool}/{uuid}"])
    except Refused as refused:
        raise ImgadmError("InternalError", f'error deleting image "{uuid}": {refused.lines[0]}') from refused
    session.state.write("DELETE FROM registered_image WHERE pool = ? AND uuid = ?", pool, uuid)


def _quiet(session: Session) -> Session:
    """A run of zfs within a run of imgadm: what it prints is not seen, and a fault cuts imgadm's own parts only."""
    return Session(state=session.state, system=session.system, now=session.now)
