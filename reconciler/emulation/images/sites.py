"""The sites that offer images: what a test says of them, and what imgadm gets when it asks one."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.images.catalogue import DEFAULT_SOURCE
from reconciler.emulation.images.errors import ImgadmError
from reconciler.emulation.images.tables import offer
from reconciler.emulation.state import State

# A manifest is JSON that somebody else wrote.
Manifest: TypeAlias = Mapping[str, Any]


class SiteHealth(enum.Enum):
    """How a site fares."""

    UP = "up"
    DOWN = "down"
    """Nobody answers."""
    FAILING = "failing"
    """It answers every request with an error of its own (503)."""
    BROKEN_FILES = "broken files"
    """Manifests are answered, and downloads of files end half-way."""


class ImageSites:
    """The sites as a test sees and changes them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def offer(self, manifest: Mapping[str, object], url: str = DEFAULT_SOURCE) -> None:
        """Lets a site offer an image, known by the `uuid` of its manifest; makes the site when there is none."""
        with self._state.changing():
            self._state.write("INSERT OR IGNORE INTO image_site VALUES (?, 'up')", url)
            offer(self._state, url, manifest)

    def set_health(self, health: SiteHealth, url: str = DEFAULT_SOURCE) -> None:
        """Says how a site fares from now on; raises EmulationError for one that there is not."""
        with self._state.changing():
            if self._state.row("SELECT 1 FROM image_site WHERE url = ?", url) is None:
                raise EmulationError(f"there is no image site {url!r}; remedy: let it offer an image first")
            self._state.write("UPDATE image_site SET health = ? WHERE url = ?", health.value, url)


@dataclass(frozen=True, slots=True)
class Source:
    """One source that the host was told to ask."""

    url: str
    kind: str


def sources(state: State) -> list[Source]:
    """The configured sources in the order in which they are asked."""
    return [Source(*row) for row in state.rows("SELECT url, kind FROM image_source ORDER BY place")]


def ping(state: State, source: Source) -> None:
    """Asks whether a source is there; raises ImgadmError (SourcePing)."""
    trouble = _trouble(state, source)
    if trouble is not None:
        text = f'unexpected ping error for image source "{source.url}" ({source.kind}): {trouble[1]}'
        raise ImgadmError("SourcePing", text)


def offered(state: State, source: Source) -> list[Manifest]:
    """The active images of a source by publication; raises ImgadmError when it does not answer."""
    _check(state, source)
    rows = state.rows("SELECT manifest FROM offered_image WHERE url = ?", source.url)
    manifests: list[Manifest] = [json.loads(row[0]) for row in rows]
    return sorted(manifests, key=lambda one: (str(one.get("published_at", "")), str(one.get("name"))))


def manifest_at(state: State, source: Source, uuid: str) -> Manifest | None:
    """The manifest of one image of a source; raises ImgadmError when it does not answer."""
    _check(state, source)
    row = state.row("SELECT manifest FROM offered_image WHERE url = ? AND uuid = ?", source.url, uuid)
    return json.loads(row[0]) if row else None


def check_download(state: State, source: Source, uuid: str) -> None:
    """Raises ImgadmError (DownloadError) when the file of an image can't be fetched whole."""
    if _health(state, source.url) is SiteHealth.BROKEN_FILES:
        raise ImgadmError("DownloadError", f'error downloading image {uuid} file from "{source.url}": aborted')


def _health(state: State, url: str) -> SiteHealth | None:
    row = state.row("SELECT health FROM image_site WHERE url = ?", url)
    return SiteHealth(row[0]) if row else None


def _trouble(state: State, source: Source) -> tuple[str, str] | None:
    health = _health(state, source.url)
    host = urlsplit(source.url).hostname or source.url
    if health is None:
        return "ClientError", f"getaddrinfo ENOTFOUND {host}"
    if health is SiteHealth.DOWN:
        return "ClientError", "connect ECONNREFUSED"
    if health is SiteHealth.FAILING:
        return "ServiceUnavailable", "HTTP 503 Service Unavailable"
    return None


def _check(state: State, source: Source) -> None:
    trouble = _trouble(state, source)
    if trouble is not None:
        raise ImgadmError(trouble[0], f'image source "{source.url}" ({source.kind}) error: {trouble[1]}')
