"""`imgadm import`, `install` and `update`."""

import json
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from reconciler.emulation.dashdash import table
from reconciler.emulation.images.asking import every_source, sought
from reconciler.emulation.images.errors import ImgadmError, usage
from reconciler.emulation.images.installed import IS_UUID, InstalledImage, installed_images, installed_on
from reconciler.emulation.images.looking import DEFAULT_POOL, checked_uuid, one_uuid
from reconciler.emulation.images.sites import Manifest, Source, check_download
from reconciler.emulation.images.storing import download_size, receive, register
from reconciler.emulation.session import Session
from reconciler.emulation.zfs.pools import pool_named

_IMPORT = table(["-q --quiet"], ["-P --zpool", "-S --source"])
_INSTALL = table(["-q --quiet"], ["-P --zpool", "-m", "-f"])
_NONE = table()
_DEEPEST = 256
_MIB = 1 << 20
_TYPES = frozenset({"zone-dataset", "lx-dataset", "zvol", "docker", "lxd", "other"})
_SYSTEMS = frozenset({"smartos", "linux", "windows", "bsd", "illumos", "other"})
_NAME = re.compile(r"[A-Za-z0-9._/ -]{1,1024}")
_VERSION = re.compile(r"[A-Za-z0-9._/+-]{1,512}")


def import_image(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm import [-q] [-P POOL] [-S URL] UUID`: an image with all that it is based on."""
    given = _IMPORT.read(arguments)
    uuid, pool = one_uuid(given.operands), _pool(session, given.last("zpool"))
    there = installed_on(session.state, pool, uuid)
    if there is not None:
        _say(session, given.flags, f"Image {_label(there.manifest)} is already installed, skipping")
        return 0
    asked = [Source(given.last("source") or "", "imgapi")] if "source" in given.values else every_source(session.state)
    found = sought(session.state, uuid, asked)
    if found is None:
        raise ImgadmError("ActiveImageNotFound", f'an active image with uuid "{uuid}" was not found')
    source, manifest = found
    _say(session, given.flags, f'Importing {_named(manifest)} from "{source.url}"')
    _say(session, given.flags, f"Gather image {uuid} ancestry")
    line = _line_of_descent(session, pool, source, manifest)
    total = sum(download_size(one) for one in line) / _MIB
    plural = "s" if len(line) > 1 else ""
    _say(session, given.flags, f"Must download and install {len(line)} image{plural} ({total:.1f} MiB)")
    for one in reversed(line):
        check_download(session.state, source, str(one["uuid"]))
        size = download_size(one)
        _say(session, given.flags, f"Downloaded image {one['uuid']} ({size / _MIB:.1f} MiB)")
        _install(session, pool, one, source.url, size)
        _say(session, given.flags, f"Imported image {_named(one)}")
    return 0


def _line_of_descent(session: Session, pool: str, source: Source, manifest: Manifest) -> list[Manifest]:
    """The image and those of its origins that are not installed, the nearest first; raises ImgadmError."""
    line = [manifest]
    while (origin := line[-1].get("origin")) is not None and installed_on(session.state, pool, origin) is None:
        found = sought(session.state, origin, [source])
        if found is None:
            text = f'origin image "{origin}" was not found in source "{source.url}" ({source.kind})'
            raise ImgadmError("OriginNotFoundInSource", text)
        line.append(found[1])
        if len(line) > _DEEPEST:
            raise ImgadmError("MaxOriginDepth", f'maximum origin depth ({_DEEPEST}) for image "{manifest["uuid"]}" exceeded')
    for one in line:
        _check_platform(session, one)
    return line


def _install(session: Session, pool: str, manifest: Manifest, url: str | None, size: int) -> None:
    """The dataset first, then its manifest: what is cut off in between leaves an image that nobody knows the name of."""
    session.begin_part()
    receive(session, pool, manifest, size)
    session.begin_part()
    register(session, pool, manifest, url)


def _check_platform(session: Session, manifest: Manifest) -> None:
    requirements = manifest.get("requirements", {})
    stamp = session.system.version.removeprefix("joyent_")
    least = requirements.get("min_platform", {}).get("7.0")
    most = requirements.get("max_platform", {}).get("7.0")
    uuid = manifest["uuid"]
    if least is not None and stamp < least:
        raise ImgadmError("MinPlatform", f'image "{uuid}" cannot be installed: requires a platform of 7.0 {least} or newer')
    if most is not None and stamp > most:
        raise ImgadmError("MaxPlatform", f'image "{uuid}" cannot be installed: requires a platform of 7.0 {most} or older')


def install(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm install [-q] [-P POOL] -m MANIFEST -f FILE`: from files that are there."""
    given = _INSTALL.read(arguments)
    if given.operands:
        raise usage(f"unexpected number of args: {' '.join(given.operands)}")
    for option, what in (("m", "image manifest"), ("f", "image file")):
        if option not in given.values:
            raise usage(f"no {what} given: use -{option}")
    pool = _pool(session, given.last("zpool"))
    manifest = _manifest_in(session, given.last("m") or "")
    size = _size_of(session, given.last("f") or "")
    uuid = str(manifest["uuid"])
    there = installed_on(session.state, pool, uuid)
    if there is not None:
        _say(session, given.flags, f"Image {_label(there.manifest)} is already installed, skipping")
        return 0
    origin = manifest.get("origin")
    if origin is not None and installed_on(session.state, pool, origin) is None:
        raise ImgadmError("OriginNotInstalled", f'origin image "{origin}" was not found on zpool "{pool}"', exit_code=3)
    _check_platform(session, manifest)
    _say(session, given.flags, f"Installing image {_named(manifest)}")
    _install(session, pool, manifest, None, size)
    _say(session, given.flags, f"Installed image {_named(manifest)}")
    return 0


def _manifest_in(session: Session, path: str) -> Manifest:
    try:
        with session.open_file(path) as file:
            manifest = json.loads(file.read())
    except OSError as trouble:
        raise usage(f'no such manifest file: "{path}"') from trouble
    except ValueError as trouble:
        raise ImgadmError("InvalidManifest", f'manifest "{path}" is invalid: it is not JSON: {trouble}') from trouble
    if not isinstance(manifest, dict):
        raise ImgadmError("InvalidManifest", f'manifest "{path}" is invalid: it is no object')
    wrong = _wrong_fields(manifest)
    if wrong:
        raise ImgadmError("ManifestValidation", f"manifest is invalid: {', '.join(wrong)}")
    return manifest


def _wrong_fields(manifest: Manifest) -> list[str]:
    """The fields that a manifest has not got, or with values that they can't have."""
    sound = {
        "v": manifest.get("v") == 2,
        "uuid": IS_UUID.fullmatch(str(manifest.get("uuid"))) is not None,
        "name": _NAME.fullmatch(str(manifest.get("name", ""))) is not None,
        "version": _VERSION.fullmatch(str(manifest.get("version", ""))) is not None,
        "type": manifest.get("type") in _TYPES,
        "os": manifest.get("os") in _SYSTEMS,
        "image_size": manifest.get("type") != "zvol" or isinstance(manifest.get("image_size"), int),
    }
    return [f'"{name}" is {"invalid" if name in manifest else "missing"}' for name, good in sound.items() if not good]


def _size_of(session: Session, path: str) -> int:
    try:
        with session.open_file(path) as file:
            return file.seek(0, 2)
    except OSError as trouble:
        raise usage(f'no such image file: "{path}"') from trouble


def update(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm update [UUID…]`: fetches the manifests of images that have none."""
    given = _NONE.read(arguments)
    wanted = [checked_uuid(text) for text in given.operands]
    there = {image.uuid for image in installed_images(session.state)}
    for uuid in wanted:
        if uuid not in there:
            raise ImgadmError("ImageNotInstalled", f'image "{uuid}" was not found', exit_code=3)
    for image in installed_images(session.state):
        if "name" in image.manifest or (wanted and image.uuid not in wanted):
            continue
        session.begin_part()
        _update_one(session, image)
    return 0


def _update_one(session: Session, image: InstalledImage) -> None:
    found = sought(session.state, image.uuid, every_source(session.state))
    if found is None:
        session.line(f"Could not find image {image.uuid} in image sources (skipping)")
        return
    register(session, image.pool, found[1], found[0].url)
    session.line(f"Updated image {_named(found[1])}")


def _pool(session: Session, name: str | None) -> str:
    pool = name or DEFAULT_POOL
    if pool_named(session.state, pool) is None:
        raise ImgadmError("InternalError", f'zpool "{pool}" does not exist')
    return pool


def _named(manifest: Manifest) -> str:
    return f"{manifest['uuid']} ({manifest['name']}@{manifest['version']})"


def _label(manifest: Manifest) -> str:
    return f"{manifest['uuid']} ({manifest['name']} {manifest['version']})" if "name" in manifest else str(manifest["uuid"])


def _say(session: Session, flags: frozenset[str], text: str) -> None:
    if "quiet" not in flags:
        session.line(text)


def is_url(text: str) -> bool:
    """Whether a source can have that address."""
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
