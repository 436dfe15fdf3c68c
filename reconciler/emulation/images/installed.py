"""What is installed: a dataset POOL/UUID with the snapshot `@final`, and the manifest that was registered for it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.emulation.state import State

IS_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
FINAL = "@final"


@dataclass(frozen=True, slots=True)
class InstalledImage:
    """One image on one pool of the host."""

    pool: str
    uuid: str
    manifest: Mapping[str, object]
    """Only the uuid when no manifest was registered: put there by hand, or by half an import."""
    source: str | None
    clones: int
    """How many datasets were made from it: guests, their disks, and incremental images."""

    @property
    def dataset(self) -> str:
        return f"{self.pool}/{self.uuid}"


def installed_image(state: State, pool: str, uuid: str) -> Mapping[str, object] | None:
    """The manifest as `imgadm get` prints it under `manifest`; None when that image is not on that pool."""
    found = _found(state, "final.name = ?", f"{pool}/{uuid}{FINAL}")
    return found[0].manifest if found else None


def installed_on(state: State, pool: str, uuid: str) -> InstalledImage | None:
    """The image of that uuid on that pool."""
    found = _found(state, "final.name = ?", f"{pool}/{uuid}{FINAL}")
    return found[0] if found else None


def installed_images(state: State) -> list[InstalledImage]:
    """All images of all pools, by name of their datasets."""
    return _found(state, "final.kind = 'snapshot' AND final.name LIKE ?", f"%{FINAL}")


def _found(state: State, condition: str, parameter: str) -> list[InstalledImage]:
    # The datasets say what is installed; what zfs destroyed is no image any more, whatever was registered.
    rows = state.rows(
        "SELECT final.name, (SELECT count(*) FROM dataset AS clone JOIN dataset AS snapshot ON snapshot.id = clone.origin "
        "WHERE snapshot.parent = final.parent) "
        f"FROM dataset AS final WHERE {condition} ORDER BY final.name",
        parameter,
    )
    found = []
    for name, clones in rows:
        pool, slash, uuid = str(name).removesuffix(FINAL).partition("/")
        if not slash or not IS_UUID.fullmatch(uuid):
            continue
        registered = state.row("SELECT manifest, source FROM registered_image WHERE pool = ? AND uuid = ?", pool, uuid)
        manifest = {"uuid": uuid} if registered is None else json.loads(registered[0])
        found.append(InstalledImage(pool, uuid, manifest, None if registered is None else registered[1], int(clones)))
    return found
