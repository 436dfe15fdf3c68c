"""Images on Linux: the commands of each change, and what one look at their datasets tells."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from providers.tools import image_datasets, image_sources, zfs_containers, zfs_pools
from providers.zones.linux import LinuxZones
from providers.zones.linux_images import CLONES, IMAGES
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.errors import ReadError, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import REMOVAL, Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.value import Fields, Value

KEY = Key("h", "Image", "bb")
MARK = Mark("acme", KEY.object)
PLACE = "/var/lib/reconciler-images/tank/bb"
SUM = "ab" * 32


def exited(text: str = "", code: int = 0, err: str = "") -> Completed:
    return Completed(Command(("sh",)), Ending.EXITED, code, text, err)


def backend(*pools: str) -> LinuxZones:
    names = exited("".join(f"{pool}\n" for pool in pools or ("tank",)))
    return LinuxZones(HostFacts("Linux", "6.1", "", "boot", {}, {zfs_pools.NAMES.name: names}))


def short(change: Change, host: LinuxZones) -> list[str]:
    """The commands, scripts by the name that they bear, a mark of `!` before those that destroy."""
    return [
        ("! " if step.destructive else "")
        + (" ".join(step.command.argv[3:]) if step.command.argv[0] == "sh" else str(step.command))
        for step in host.steps(change)
    ]


def created(fields: Fields, source: Mapping[str, Value], *pools: str) -> list[str]:
    resource = Resource(KEY, fields, Origin("i.yaml", 1, 1), created_with=source)
    return short(Change(KEY, Verb.CREATE, (), resource, None, MARK), backend(*pools))


FINISH = [
    "zfs snapshot tank/images/bb@image",
    "zfs set readonly=on tank/images/bb",
    "zfs hold reconciler tank/images/bb@image",
]
NOTE_OFF = "zfs inherit dev.reconciler:image-making tank/images/bb"
PARENT = "ensure-container tank/images /var/lib/reconciler-images/tank/.downloads"
FILLED = [f"mount-image tank/images/bb {PLACE}", "zfs unmount tank/images/bb"]


def test_a_source_is_checked_before_anything_is_made_and_the_note_goes_last() -> None:
    made = created({"type": "zone", "os": "linux"}, {"source.path": "/srv/root.tar", "sha256": SUM})

    assert made == [
        f"check-source /srv/root.tar zone {SUM}",
        PARENT,
        (
            "zfs create -o canmount=noauto -o dev.reconciler:image-making=content -o dev.reconciler:image-os=linux "
            "-o dev.reconciler:image-type=zone -o dev.reconciler:key=Image/bb -o dev.reconciler:owner=acme "
            f"-o mountpoint={PLACE} tank/images/bb"
        ),
        FILLED[0],
        f"fill-image /srv/root.tar zone {PLACE}",
        FILLED[1],
        *FINISH,
        NOTE_OFF,
    ]


def test_a_download_is_kept_until_the_image_is_whole() -> None:
    made = created({"type": "vm"}, {"source.url": "https://x.example/d.img", "sha256": SUM})
    file = f"/var/lib/reconciler-images/tank/.downloads/{SUM[:16]}"

    assert made[:3] == [PARENT, f"download-image https://x.example/d.img {SUM} {file}", f"check-source {file} vm "]
    assert made[-2:] == [f"rm -f {file}", NOTE_OFF]


def test_a_dataset_is_cloned_and_not_copied() -> None:
    made = created({"type": "zone"}, {"source.dataset": "tank/golden@v1"})

    assert made[0] == "check-snapshot tank/golden@v1"
    assert made[2].startswith("zfs clone -o canmount=noauto ")
    assert made[2].endswith(" tank/golden@v1 tank/images/bb")
    assert made[4] == f"adapt-clone zone {PLACE}"


@pytest.mark.parametrize(
    ("fields", "source", "pools", "remedy"),
    [
        ({}, {"source.path": "/x"}, ("tank",), "state type: zone, or type: vm"),
        ({"type": "vm"}, {}, ("tank",), "state source"),
        ({"type": "vm"}, {"source.path": "/x"}, ("a", "b"), "state pool"),
        ({"type": "vm", "pool": "a"}, {"source.dataset": "b/x@s"}, ("a", "b"), "state the pool of the dataset"),
    ],
)
def test_what_a_manifest_leaves_open_and_this_system_needs_is_asked_for(
    fields: Fields, source: Mapping[str, Value], pools: tuple[str, ...], remedy: str
) -> None:
    with pytest.raises(ReconcilerError) as refused:
        created(fields, source, *pools)

    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [("uuid", "0b2f6c0e-5d0c-4e0b-9a51-0f3f0c9d5b11", "imgadm"), ("source.dataset", "tank/golden", "snapshot")],
)
def test_what_linux_lacks_is_refused(field: str, value: str, said: str) -> None:
    found = backend().refusal("Image", field, value)

    assert found is not None
    assert said in found.cause
    assert found.remedy


def seen(missing: str, *, mounted: bool = False) -> Observed:
    return Observed(KEY.object, {"pool": "tank", "type": "zone", "missing": missing, "mounted": mounted}, mark=MARK)


@pytest.mark.parametrize(
    ("missing", "left"),
    [
        ("snapshot", [*FINISH, NOTE_OFF]),
        ("hold", [*FINISH[1:], NOTE_OFF]),
        ("end", [FINISH[1], NOTE_OFF]),
    ],
)
def test_what_is_filled_is_finished_and_never_filled_again(missing: str, left: list[str]) -> None:
    resource = Resource(KEY, {"type": "zone"}, Origin("i.yaml", 1, 1), created_with={"source.path": "/srv/root.tar"})
    change = Change(KEY, Verb.UPDATE, (FieldChange("missing", missing, ""),), resource, seen(missing), MARK)

    assert short(change, backend()) == left


def test_what_is_half_filled_is_filled_from_the_beginning_in_the_same_dataset() -> None:
    resource = Resource(KEY, {"type": "zone"}, Origin("i.yaml", 1, 1), created_with={"source.path": "/srv/root.tar"})
    change = Change(KEY, Verb.UPDATE, (FieldChange("missing", "content", ""),), resource, seen("content"), MARK)

    made = short(change, backend())

    assert f"fill-image /srv/root.tar zone {PLACE}" in made
    assert not [line for line in made if line.startswith(("zfs create", "zfs destroy", "zfs clone"))]


def test_a_removal_names_each_thing_that_goes_and_forces_nothing() -> None:
    gone = short(Change(KEY, Verb.DELETE, observed=seen("")), backend())

    assert gone == [
        "zfs release reconciler tank/images/bb@image",
        "! zfs destroy tank/images/bb@image",
        "! zfs destroy tank/images/bb",
        f"! drop-container tank/images /var/lib/reconciler-images/tank/.downloads {PLACE}",
    ]
    assert short(Change(KEY, Verb.DELETE, observed=seen("snapshot")), backend())[0] == "! zfs destroy tank/images/bb"


DATASET = {
    "type": ("filesystem", "-"),
    "guid": ("1", "-"),
    "mounted": ("no", "-"),
    "used": ("4096", "-"),
    "dev.reconciler:image-type": ("zone", "local"),
    "dev.reconciler:key": ("Image/bb", "local"),
    "dev.reconciler:owner": ("acme", "local"),
}
HELD = {"type": ("snapshot", "-"), "userrefs": ("1", "-"), "used": ("0", "-")}


def read(objects: Mapping[str, Mapping[str, tuple[str, str]]], clones: str = "") -> list[Observed]:
    text = ""
    for name, values in objects.items():
        for prop in image_datasets.PROPERTIES:
            value, source = values.get(prop, ("-", "-"))
            text += f"{name}\t{prop}\t{value}\t{source}\n"
    fields = {"Image": frozenset({REMOVAL})}
    assert [one.name for one in backend().probes(fields)] == [IMAGES, CLONES]
    return list(backend().read({IMAGES: exited(text), CLONES: exited(clones)}, fields))


NOTE = {"dev.reconciler:image-making": ("content", "local")}


@pytest.mark.parametrize(
    ("note", "snapshot", "missing"),
    [
        ({}, HELD, ""),
        ({}, {**HELD, "userrefs": ("0", "-")}, "hold"),
        ({}, None, "snapshot"),
        (NOTE, None, "content"),
        (NOTE, {**HELD, "userrefs": ("0", "-")}, "hold"),
        (NOTE, HELD, "end"),
    ],
)
def test_its_note_and_its_snapshot_tell_how_far_an_image_is(
    note: Mapping[str, tuple[str, str]], snapshot: Mapping[str, tuple[str, str]] | None, missing: str
) -> None:
    objects: dict[str, Mapping[str, tuple[str, str]]] = {"tank/images": {"type": ("filesystem", "-")}}
    objects["tank/images/bb"] = {**DATASET, **note}
    if snapshot is not None:
        objects["tank/images/bb@image"] = snapshot

    (found,) = read(objects)

    assert found.name == ObjectName("Image", "bb")
    assert found.mark == MARK
    assert (found.fields["type"], found.fields["pool"], found.fields["missing"]) == ("zone", "tank", missing)


def test_clones_of_guests_are_told_by_those_and_all_others_stand_in_the_way() -> None:
    objects = {"tank/images/bb": DATASET, "tank/images/bb@image": HELD, "tank/images/bb@mine": HELD}
    clones = (
        "tank/zones/web1\ttank/images/bb@image\tZone/web1\ntank/x\ttank/images/bb@image\t-\n"
        "tank/y\ttank/images/other@image\t-\ntank/z\t-\t-\n"
    )

    (found,) = read(objects, clones)

    assert found.removal is not None
    assert found.removal.obstacles == ("made of it: tank/x", "it has a snapshot that is not ours: tank/images/bb@mine")


def test_images_of_one_name_in_two_pools_are_told_apart() -> None:
    found = read({"tank/images/bb": DATASET, "zoo/images/bb": {**DATASET, "dev.reconciler:owner": ("-", "-")}})

    assert [one.identity for one in found] == ["tank/images/bb", "zoo/images/bb"]


def test_an_origin_tells_the_image() -> None:
    assert image_datasets.image_of("tank/images/bb@image") == "bb"
    assert image_datasets.image_of("tank/images/bb@mine") == ""
    assert image_datasets.image_of("tank/data/bb@image") == ""


def test_a_look_that_fails_is_not_taken_for_none() -> None:
    change = Change(KEY, Verb.DELETE, observed=seen(""))
    gone = exited(code=1, err="cannot open 'tank/images/bb': dataset does not exist\n")

    assert backend().confirmed(change, gone) is None
    with pytest.raises(ReadError):
        backend().confirmed(change, exited(code=1, err="internal error\n"))


@pytest.mark.parametrize(
    ("said", "retry"),
    [
        ("the sha256 of /x is 1, not 2", RetryClass.NEVER),
        ("there is no /x", RetryClass.LATER),
        ("http://x can't be downloaded (curl ended with 18)", RetryClass.LATER),
        ("/x is only the difference to another disk image (it has a backing file)", RetryClass.NEVER),
        ("cannot destroy 'tank/images/bb': dataset is busy", RetryClass.NOW),
    ],
)
def test_failures_of_scripts_are_explained(said: str, retry: RetryClass) -> None:
    found = backend().explain(exited(code=1, err=f"{said}\n"))

    assert found.retry is retry
    assert said in found.cause


def test_scripts_take_names_as_arguments_and_never_as_text() -> None:
    odd = "$(x) 'y'"
    scripts = (
        image_sources.check_path(odd, "vm", ""),
        image_sources.check_snapshot(odd),
        image_sources.download(odd, odd, odd),
        image_sources.mount(odd, odd),
        image_sources.fill(odd, "vm", odd),
        image_sources.adapt_clone("vm", odd),
        zfs_containers.ensure(odd, odd),
        zfs_containers.drop(odd, odd, odd),
    )

    assert all(argv[:2] == ("sh", "-c") and odd not in argv[2] for argv in scripts)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 314572800\r\n\r\n", "3 of 300 MiB downloaded"),
        (
            "HTTP/1.1 302 Found\r\nContent-Length: 7\r\n\r\nHTTP/2 200\r\ncontent-length: 314572800\r\n",
            "3 of 300 MiB downloaded",
        ),
        (
            "HTTP/1.1 206 Partial\r\nContent-Length: 1048576\r\nContent-Range: bytes 2-5/314572800\r\n",
            "3 of 300 MiB downloaded",
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", "3 MiB downloaded"),
        (None, "3 MiB downloaded"),
    ],
)
def test_how_far_a_download_is_comes_from_what_the_server_said_and_what_has_come(
    tmp_path: Path, head: str | None, told: str
) -> None:
    file = tmp_path / "image"
    with (tmp_path / "image.part").open("wb") as part:
        part.truncate(3 << 20)
    if head is not None:
        (tmp_path / "image.part.head").write_bytes(head.encode())

    assert subprocess.run(image_sources.downloaded(str(file)), capture_output=True, text=True, check=True).stdout == f"{told}\n"


def test_of_a_download_that_has_not_begun_nothing_is_told(tmp_path: Path) -> None:
    done = subprocess.run(image_sources.downloaded(str(tmp_path / "image")), capture_output=True, text=True, check=True)

    assert done.stdout == ""
