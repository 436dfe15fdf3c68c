"""Where a host keeps its image sources, what they offer, and the manifests of what it installed."""

import json
from collections.abc import Mapping

from reconciler.emulation.images.catalogue import DEFAULT_SOURCE, OFFERED
from reconciler.emulation.parts import Part
from reconciler.emulation.state import State
from reconciler.emulation.systems import System

IMAGE_SCHEMA = """
CREATE TABLE image_source (
    place INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, kind TEXT NOT NULL
);
CREATE TABLE image_site (url TEXT PRIMARY KEY, health TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE offered_image (
    url TEXT NOT NULL REFERENCES image_site (url), uuid TEXT NOT NULL, manifest TEXT NOT NULL, PRIMARY KEY (url, uuid)
) WITHOUT ROWID;
CREATE TABLE registered_image (
    pool TEXT NOT NULL, uuid TEXT NOT NULL, manifest TEXT NOT NULL, source TEXT, PRIMARY KEY (pool, uuid)
) WITHOUT ROWID;
"""
"""`image_source` is what the host was told to ask; `image_site` is what there is to be asked, and how it fares."""


def _fill(state: State, system: System, now: float) -> None:
    """Gives a new host its one source, and that source its images; nothing is installed."""
    del now
    if system.name != "smartos":
        return
    state.write("INSERT INTO image_site VALUES (?, 'up')", DEFAULT_SOURCE)
    state.write("INSERT INTO image_source (url, kind) VALUES (?, 'imgapi')", DEFAULT_SOURCE)
    for manifest in OFFERED:
        offer(state, DEFAULT_SOURCE, manifest)


def offer(state: State, url: str, manifest: Mapping[str, object]) -> None:
    """Lets a site offer an image."""
    state.write(
        "INSERT INTO offered_image VALUES (?, ?, ?) ON CONFLICT (url, uuid) DO UPDATE SET manifest = excluded.manifest",
        url, manifest["uuid"], json.dumps(manifest),
    )  # fmt: skip


def _boot(state: State, system: System, now: float) -> None:
    """What is installed is on disk, and so are the sources."""
    del state, system, now


IMAGES = Part(IMAGE_SCHEMA, _fill, _boot)
