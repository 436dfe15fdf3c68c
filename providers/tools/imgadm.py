"""imgadm: commands, what they print, and what their failures mean (smartos-vmadm.md 10)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from providers.tools import failures
from providers.tools.failures import LOOKS_ANEW, Said, said
from reconciler.model.command import Completed, Ending, Failure, RetryClass
from reconciler.model.errors import ReadError
from reconciler.provider.readers import whole_json

NOT_INSTALLED = 3
"""Exit code of `get` and `delete` for an image that is not there."""

IMPORT_DEADLINE_S = 4 * 3600.0
"""Images have gigabytes, and their origins come along."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CODE = re.compile(r"^imgadm[^:\n]*: error \((\w+)\): ?(.*)$", re.MULTILINE)
_SERVER_ERROR = re.compile(r"\b(?:status|code|HTTP)\W{0,3}5[0-9][0-9]\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InstalledImage:
    """One image on a pool. `name`, `version`, `type`, `os` and `origin` are empty where the manifest does not say them: of an
    image that was installed by hand it holds only the uuid. `clones` counts the datasets made of it."""

    uuid: str
    pool: str
    name: str = ""
    version: str = ""
    type: str = ""
    os: str = ""
    origin: str = ""
    source: str = ""
    clones: int = 0


def list_images() -> tuple[str, ...]:
    return ("imgadm", "list", "-j")


def get_image(uuid: str, pool: str) -> tuple[str, ...]:
    return ("imgadm", "get", *_of_pool(pool), uuid)


def import_image(uuid: str, pool: str, url: str = "") -> tuple[str, ...]:
    """Downloads an image and its origins; does nothing when it is there. `url` names a server that is no configured source."""
    server = ("-S", url) if url else ()
    return ("imgadm", "import", "-q", *_of_pool(pool), *server, uuid)


def delete_image(uuid: str, pool: str) -> tuple[str, ...]:
    return ("imgadm", "delete", *_of_pool(pool), uuid)


def _of_pool(pool: str) -> tuple[str, ...]:
    return ("-P", pool) if pool else ()


def read_images(text: str) -> tuple[InstalledImage, ...]:
    """The images that `imgadm list -j` printed; ReadError for anything but a whole array of them."""
    found = whole_json(text)
    if not isinstance(found, list):
        raise ReadError(1, "an array of images", text)
    return tuple(_images(found))


def read_image(text: str) -> InstalledImage:
    """The image that `imgadm get` printed; ReadError for anything else."""
    return next(_images([whole_json(text)]))


def _images(found: list[object]) -> Iterator[InstalledImage]:
    for number, item in enumerate(found, start=1):
        manifest = item.get("manifest") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(manifest, dict):
            raise ReadError(0, f"image {number} to be an object with a manifest", repr(item))
        uuid, pool, clones = manifest.get("uuid"), item.get("zpool"), item.get("clones", 0)
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid.lower()):
            raise ReadError(0, f"a uuid in image {number}", repr(uuid))
        if not isinstance(pool, str) or not pool:
            raise ReadError(0, f"zpool of image {uuid}", repr(pool))
        if not isinstance(clones, int) or isinstance(clones, bool):
            raise ReadError(0, f"clones of image {uuid} to be a number", repr(clones))
        texts = {name: _text(manifest, name, uuid) for name in ("name", "version", "type", "os", "origin")}
        yield InstalledImage(uuid.lower(), pool, source=_text(item, "source", uuid), clones=clones, **texts)


def _text(found: dict[str, object], name: str, uuid: str) -> str:
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ReadError(0, f"{name} of image {uuid} to be a text", repr(value))
    return value


_NOW, _LATER, _LOOK, _NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
_NO_SOURCE_HAS_IT = said(
    "no image source of the host has it", "correct uuid, or add its server: imgadm sources -a URL, or source.url", _NEVER
)
_NETWORK = said("its source does not answer as it should", "check the network, and imgadm sources", _NOW)
_PLATFORM = said("it does not run on this version of SmartOS", "choose another image, or another platform", _NEVER)
_DAMAGED = said("its source gives something that is no image", "choose another image or source", _NEVER)

CODES = {
    "ImageNotInstalled": said("it is not there any more", LOOKS_ANEW, _LOOK),
    "OriginNotInstalled": said("the image that it builds on is not there", "import that one first", _LATER),
    "ImageNotFound": _NO_SOURCE_HAS_IT,
    "ActiveImageNotFound": _NO_SOURCE_HAS_IT,
    "OriginNotFoundInSource": said("its source lacks the image that it builds on", "choose another image or source", _NEVER),
    "ImageHasDependentClones": said("guests or other images are made of it", "remove those first", _LATER),
    "NoSources": said("the host has no image source", "add one with imgadm sources -a URL, or state source.url", _NEVER),
    "InvalidUUID": said("imgadm does not take the uuid", "correct uuid", _NEVER),
    "InvalidManifest": _DAMAGED,
    "ManifestValidation": _DAMAGED,
    "MaxOriginDepth": _DAMAGED,
    "MinPlatform": _PLATFORM,
    "MaxPlatform": _PLATFORM,
    "Usage": said("this imgadm does not know the command as we write it", "its version may not be supported", _NEVER),
    "UnknownOption": said("this imgadm does not know the command as we write it", "its version may not be supported", _NEVER),
    "SourcePing": _NETWORK,
    "DownloadError": _NETWORK,
    "UploadError": _NETWORK,
    "ClientError": _NETWORK,
    "Timeout": _NETWORK,
    "InternalError": _NETWORK,
    "ServiceUnavailable": _NETWORK,
    "MultiError": said("several things went wrong", "see each of them", _NOW),
}
"""By the code in `error (CODE)`."""

_TABLE = (
    said("the pool has not enough space", "free space in the pool", _LATER, "out of space"),
    said("the pool is not there", "correct pool, or import it", _NEVER, "no such pool", "ool does not exist"),
    said("it is in use", "see who uses it", _NOW, "dataset is busy"),
    said("we may not do that", "run as root, or with spec.elevate of the Host", _NEVER, "must be root"),
    said("imgadm only works in the global zone", "correct the host's transport", _NEVER, "global zone"),
)


def failure(answer: Completed) -> Failure:
    """Cause, remedy and retry class of an imgadm that did not exit 0; the cause ends with what it said."""
    return failures.failure(answer, _TABLE, _judgement)


def says_gone(answer: Completed) -> bool:
    """Whether the answer is certain that the image asked for is not installed."""
    return answer.ending is Ending.EXITED and answer.exit_code == NOT_INSTALLED


def _judgement(answer: Completed) -> Said | None:
    """What the codes in the answer mean; of several the worst."""
    codes = [CODES.get(code) for code, _ in _CODE.findall(answer.stderr)]
    # Of several errors in one only the text names those inside.
    codes += [CODES[code] for code in CODES if f"({code})" in answer.stderr or f"{code}:" in answer.stderr]
    found = [known for known in codes if known is not None]
    found += [known for known in _TABLE if any(text in answer.stderr for text in known.texts)]
    if found:
        inner = [known for known in found if known is not CODES["MultiError"]] or found
        return next((known for known in inner if known.retry is not _NOW), inner[0])
    if _SERVER_ERROR.search(answer.stderr):
        return _NETWORK
    return CODES["ImageNotInstalled"] if says_gone(answer) else None
