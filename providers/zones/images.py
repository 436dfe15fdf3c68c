"""Images on SmartOS: what imgadm has installed, and how one comes and goes.

An Image's name is ours alone; the host knows it by its uuid, which is the name of an observed one. Nothing on the host says
whose an image is.
"""

from collections.abc import Iterator, Mapping

from providers.tools import imgadm
from providers.tools.imgadm import InstalledImage
from providers.zones.kinds import MISSING
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Value

IMAGES = "imgadm.images"
"""Name of the probe."""

ARCH = "x86_64"
"""SmartOS runs on nothing else; a manifest of imgadm does not say it."""

_TYPES = {"zone-dataset": "zone", "lx-dataset": "zone", "docker": "zone", "zvol": "vm"}


def check(field: str, value: Value) -> None:
    """InvalidValue for a stated field of an Image that imgadm does not have, or not at that value."""
    match field:
        case "source.path" | "source.dataset":
            remedy = "publish it on an image server and state uuid and source.url, or install it by hand: imgadm install"
            raise InvalidValue(f"imgadm imports from image servers, not from a {field.partition('.')[2]}", remedy=remedy)
        case "sha256":
            raise InvalidValue("imgadm checks images by their manifests, not by sha256", remedy="remove it, and state uuid")
        case "arch" if value != ARCH:
            raise InvalidValue(f"SmartOS runs on {ARCH} only", remedy=f"write arch: {ARCH}, or remove it for this host")
        case _:
            pass


def probes(fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
    """The one command that reads all images, if they are asked for."""
    return (probe(IMAGES, *imgadm.list_images()),) if "Image" in fields else ()


def read(outputs: Outputs, used: Mapping[str, int]) -> tuple[Observed, ...]:
    """The images in the answer. `used` says of how many disks and roots of guests each is the origin, by uuid."""
    if IMAGES not in outputs:
        return ()
    installed = imgadm.read_images(outputs[IMAGES].stdout)
    return tuple(_observed(images, _others(images, installed, used)) for images in _by_uuid(installed))


def _by_uuid(installed: tuple[InstalledImage, ...]) -> Iterator[list[InstalledImage]]:
    """The images of one uuid, one for each pool that has it, in the pools' order."""
    found: dict[str, list[InstalledImage]] = {}
    for image in sorted(installed, key=lambda one: one.pool):
        found.setdefault(image.uuid, []).append(image)
    yield from found.values()


def _others(images: list[InstalledImage], installed: tuple[InstalledImage, ...], used: Mapping[str, int]) -> int:
    """How many datasets are made of an image that belong neither to a guest nor to an image that builds on it."""
    uuid = images[0].uuid
    built_on = sum(other.origin == uuid for other in installed)
    return sum(image.clones for image in images) - built_on - used.get(uuid, 0)


def _observed(images: list[InstalledImage], others: int = 0) -> Observed:
    image = images[0]
    fields: dict[str, Value] = {
        "uuid": image.uuid,
        "type": _TYPES.get(image.type),
        "os": image.os or None,
        "arch": ARCH,
        "pool": image.pool,
        MISSING: "",
    }
    # Guests and images that are made of it are told by their references.
    obstacles = (f"{others} other dataset{'s' if others > 1 else ''} on {image.pool} made of it",) if others > 0 else ()
    references = (ObjectName("Image", image.origin),) if image.origin else ()
    return Observed(
        ObjectName("Image", image.uuid),
        fields,
        stated_here=frozenset(name for name, value in fields.items() if value is not None),
        identity=image.uuid,
        references=references,
        removal=Removal(0, obstacles=obstacles, holds_data=False),
    )


def steps(change: Change, pool: str) -> tuple[Step, ...]:
    """The commands of one change. `pool` is where a new image goes that states none; empty for imgadm's own choice."""
    match change.verb:
        case Verb.CREATE:
            return (_import(change, pool),)
        case Verb.DELETE:
            assert change.observed is not None
            argv = imgadm.delete_image(change.observed.identity, str(change.observed.fields["pool"]))
            return (Step(Command(argv), destructive=True, look_first=True),)
        case _:
            return ()


def _import(change: Change, pool: str) -> Step:
    assert change.resource is not None
    stated = {**change.resource.fields, **(change.resource.created_with or {})}
    argv = imgadm.import_image(str(stated["uuid"]), str(stated.get("pool") or pool), str(stated.get("source.url") or ""))
    return Step(Command(argv, deadline_s=imgadm.IMPORT_DEADLINE_S))


def confirm(change: Change, pool: str) -> Probe:
    """A look at this one image; `pool` as for `steps`."""
    fields = change.observed.fields if change.observed is not None else change.resource.fields if change.resource else {}
    argv = imgadm.get_image(str(fields["uuid"]), str(fields.get("pool") or pool))
    return Probe("imgadm.confirm", Command(argv, changes=False))


def confirmed(change: Change, answer: Completed) -> Observed | None:
    """The image in the answer to `confirm`; None when it is certain that it is not installed. ReadError otherwise."""
    if imgadm.says_gone(answer):
        return None
    if not answer.succeeded:
        raise ReadError(0, f"{change.key.object}, or that it is not installed", answer.stderr)
    return _observed([imgadm.read_image(answer.stdout)])


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of an imgadm that did not exit 0."""
    return imgadm.failure(failed)
