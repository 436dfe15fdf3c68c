"""Zone and Image: their fields, names and rules."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from providers.tools import lxc_native, vmadm_native
from reconciler.model.errors import InvalidValue
from reconciler.model.quantity import format_size
from reconciler.model.value import Fields, Scalar, Value
from reconciler.provider.field import Acts, Changing, FieldRule, Group, Items, Null, none_for_zero
from reconciler.provider.guest import (
    FINISHED,
    GuestSpec,
    ImageReference,
    Path,
    Uuid,
    check_guest,
    check_guest_name,
    check_image_name,
    claims_of_guest,
    items_of,
    told_of_guest,
)
from reconciler.provider.kind import Claim, Kind, Size, Spec
from reconciler.provider.pydantic_errors import raising_custom

MISSING = "missing"
"""Completion field of an Image: what of it is not there though the rest is; empty when it is whole."""

_NEEDS_IMAGE = ("joyent", "joyent-minimal")
_URL = re.compile(r"https?://[^\s\"'\\]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")

NativeLeaf: TypeAlias = Annotated[
    bool | int | float | str | None,
    BeforeValidator(raising_custom(vmadm_native.leaf)),
    Field(json_schema_extra={"type": ["boolean", "number", "string", "array", "null"]}),
]


def _word(value: Scalar) -> Value:
    text = str(value)
    if not _WORD.fullmatch(text):
        raise InvalidValue(f"{text!r} is not one word", remedy="write letters, digits, - _ and .")
    return text


def _url(value: Scalar) -> Value:
    text = str(value)
    if not _URL.fullmatch(text):
        raise InvalidValue(f"{text!r} is not a URL", remedy="write https://...")
    return text


def _sha256(value: Scalar) -> Value:
    text = str(value).strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(text):
        raise InvalidValue(f"{value!r} is not a SHA-256", remedy="write its 64 hex digits")
    return text


class Mount(Spec):
    """A directory of the host that a zone sees."""

    target: Path
    source: Annotated[Path | None, FieldRule(acts=Acts.STAGED, summary="the directory on the host")] = None
    readOnly: Annotated[bool | None, FieldRule(acts=Acts.STAGED, summary="whether the zone may only read it")] = None


class Delegated(Spec):
    """A dataset that a zone manages."""

    name: str


MOUNTS = Items(
    Mount,
    key="target",
    rule=FieldRule(acts=Acts.STAGED, summary="directories of the host that it sees, known by where it sees them"),
)
DATASETS = Items(
    Delegated, rule=FieldRule(acts=Acts.STAGED, refers_to=("Dataset",), summary="datasets of the host that it manages")
)


class Native(Spec):
    """What has no field here, in the tool's own names and units."""

    smartos: Annotated[dict[str, NativeLeaf], vmadm_native.ZONE_ENTRIES] = Field(default_factory=dict)
    lxc: Annotated[dict[str, NativeLeaf], lxc_native.ENTRIES] = Field(default_factory=dict)


class ZoneSpec(GuestSpec):
    """An OS instance that shares the kernel."""

    brand: Annotated[
        Literal["joyent-minimal", "joyent", "lx", "ipkg", "lipkg", "sparse", "pkgsrc", "illumos", "lxc"] | None,
        FieldRule(Changing.NEVER, summary="what kind of zone it is"),
    ] = None
    image: Annotated[
        ImageReference | None,
        FieldRule(
            Changing.REMAKE, refers_to=("Image",), by_identity=True, summary="an Image's name or uuid: what its root is made of"
        ),
    ] = None
    imageUpdate: Annotated[
        Literal["never", "reprovision"],
        FieldRule(Changing.AT_CREATION, summary="whether another image makes its root anew; never: only used when made"),
    ] = "never"
    zonePath: Annotated[Path | None, FieldRule(Changing.NEVER, summary="where its root is mounted")] = None
    kernelVersion: Annotated[
        str | None, FieldRule(canonical=_word, acts=Acts.STAGED, summary="the Linux version that lx pretends to be: 4.3")
    ] = None
    memory: Annotated[Size | None, Field(gt=0), FieldRule(is_size=True, summary="the most physical memory it may use")] = None
    swap: Annotated[
        Size | None, Field(gt=0), FieldRule(is_size=True, summary="the most memory and swap together, at least memory")
    ] = None
    cpuCap: Annotated[
        int | None, Field(ge=0), FieldRule(null=Null.NONE, canonical=none_for_zero, summary="percent of one CPU; null is none")
    ] = None
    cpuShares: Annotated[int | None, Field(ge=1, le=65535), FieldRule(summary="its share of the CPUs beside other zones")] = (
        None
    )
    maxTasks: Annotated[int | None, Field(ge=1), FieldRule(summary="the most threads")] = None
    maxProcesses: Annotated[int | None, Field(ge=1), FieldRule(summary="the most processes")] = None
    delegatedDataset: Annotated[
        bool | None, FieldRule(Changing.REPLACE, summary="whether it has a dataset of its own that it manages")
    ] = None
    datasets: Annotated[list[Delegated], DATASETS] = Field(default_factory=list)
    mounts: Annotated[list[Mount], MOUNTS] = Field(default_factory=list)
    native: Annotated[Native | None, Group()] = None


def _check_zone(fields: Fields) -> None:
    check_guest(fields)
    brand = fields.get("brand")
    if brand == "lx" and "kernelVersion" not in fields:
        raise InvalidValue("an lx zone needs kernelVersion", remedy="add for example kernelVersion: 4.3.0", field="brand")
    if brand is not None and brand != "lx" and "kernelVersion" in fields:
        raise InvalidValue(f"a {brand} zone has no kernelVersion", remedy="remove it", field="kernelVersion")
    if brand in _NEEDS_IMAGE and "image" not in fields:
        raise InvalidValue(f"a {brand} zone needs an image", remedy="add image: the name or uuid of an Image", field="brand")
    memory, swap = fields.get("memory"), fields.get("swap")
    if isinstance(memory, int) and isinstance(swap, int) and swap < memory:
        cause = f"swap {format_size(swap)} is less than memory {format_size(memory)}, which it includes"
        raise InvalidValue(cause, remedy=f"write {format_size(memory)} or more", field="swap")
    for target, mount in items_of(fields, "mounts").items():
        if "source" not in mount:
            cause = f"nothing says what is mounted at {target}"
            raise InvalidValue(cause, remedy="add source: a directory of the host", field=f"mounts.{target}")
    vmadm_native.check_kept(fields, is_vm=False)
    if isinstance(brand, str) and brand in vmadm_native.ZONE_BRANDS:
        vmadm_native.check_brand(fields, brand)


def _only_when_made(fields: Fields) -> frozenset[str]:
    return frozenset() if fields.get("imageUpdate") == "reprovision" else frozenset({"image"})


def _told_of_zone(fields: Fields) -> Iterator[str]:
    if (brand := fields.get("brand")) is not None:
        yield f"brand {brand}"
    yield from told_of_guest(fields)


def _before_at(snapshot: str) -> str:
    return snapshot.partition("@")[0]


class Source(Spec):
    """Where an image comes from when it is not there yet."""

    url: Annotated[str | None, FieldRule(Changing.AT_CREATION, canonical=_url, summary="a server or file that has it")] = None
    path: Annotated[Path | None, FieldRule(Changing.AT_CREATION, summary="a tree, tarball or disk image on the host")] = None
    dataset: Annotated[
        str | None,
        FieldRule(
            Changing.AT_CREATION,
            refers_to=("Dataset", "Volume"),
            target=_before_at,
            summary="a snapshot of a dataset on the host, dataset@snapshot",
        ),
    ] = None


class ImageSpec(Spec):
    """A golden root for guests."""

    uuid: Annotated[Uuid | None, FieldRule(Changing.NEVER, summary="what imgadm knows it by")] = None
    source: Annotated[Source | None, Group()] = None
    sha256: Annotated[
        str | None, FieldRule(Changing.AT_CREATION, canonical=_sha256, summary="checksum of what the source gives")
    ] = None
    type: Annotated[
        Literal["zone", "vm"] | None, FieldRule(Changing.NEVER, summary="whether zones or virtual machines are made of it")
    ] = None
    os: Annotated[str | None, FieldRule(Changing.NEVER, canonical=_word, summary="smartos, linux, windows, bsd ...")] = None
    arch: Annotated[str | None, FieldRule(Changing.NEVER, canonical=_word, summary="x86_64, aarch64 ...")] = None
    pool: Annotated[
        str | None, FieldRule(Changing.NEVER, refers_to=("Pool",), summary="where it lies; else the host's defaultPool")
    ] = None


def _check_image(fields: Fields) -> None:
    sources = [name for name in ("source.url", "source.path", "source.dataset") if name in fields]
    if len(sources) > 1:
        raise InvalidValue("an image has one source", remedy="keep one of url, path and dataset", field=sources[1])
    if "uuid" not in fields and not sources:
        raise InvalidValue("nothing says which image is meant", remedy="state uuid, or source")
    if "uuid" not in fields and sources == ["source.url"] and "sha256" not in fields:
        raise InvalidValue(
            "what a URL gives may change", remedy="state uuid where imgadm has it, else sha256", field="source.url"
        )


def _claims_of_image(_name: str, fields: Fields) -> Iterator[Claim]:
    if (uuid := fields.get("uuid")) is not None:
        yield Claim("spec.uuid", f"image {uuid}")


def _told_of_image(fields: Fields) -> Iterator[str]:
    yield " ".join(str(fields[name]) for name in ("os", "type") if fields.get(name)) or "of unknown type"


ZONE = Kind(
    "Zone",
    ZoneSpec,
    "an OS instance that shares the host's kernel",
    chooses_identity=True,
    has_trash=True,
    completion={FINISHED: True},
    lasting=frozenset({FINISHED}),
    creation_only=_only_when_made,
    check_name=check_guest_name,
    check_spec=_check_zone,
    claims=claims_of_guest,
    told=_told_of_zone,
)
IMAGE = Kind(
    "Image",
    ImageSpec,
    "a golden root for guests",
    carries_mark=False,
    carries_mark_on=frozenset({"Linux"}),
    needs_no_trash=True,
    identified_by="uuid",
    completion={MISSING: ""},
    lasting=frozenset({MISSING}),
    check_name=check_image_name,
    check_spec=_check_image,
    claims=_claims_of_image,
    told=_told_of_image,
)
