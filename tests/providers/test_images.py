"""Images on SmartOS, by imgadm."""

import json

import pytest

from providers.tools import imgadm
from providers.zones import images
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.errors import ReadError
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import EVERY_FIELD, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource

BASE = "11111111-1111-1111-1111-111111111111"
CHILD = "22222222-2222-2222-2222-222222222222"
DISK = "33333333-3333-3333-3333-333333333333"
BARE = "44444444-4444-4444-4444-444444444444"
KEY = Key("hv01", "Image", "base")


def entry(uuid: str, *, pool: str = "zones", clones: int = 0, **manifest: str) -> dict[str, object]:
    return {
        "manifest": {"v": 2, "uuid": uuid, **manifest},
        "zpool": pool,
        "source": "https://images.smartos.org",
        "clones": clones,
    }


INSTALLED = json.dumps(
    [
        entry(BASE, clones=3, name="base", version="23.4.0", type="zone-dataset", os="smartos"),
        entry(CHILD, clones=0, name="app", version="1", type="lx-dataset", os="linux", origin=BASE),
        entry(DISK, clones=1, name="ubuntu", version="24.04", type="zvol", os="linux"),
        entry(BARE),
    ]
)


def answer(*argv: str, code: int = 0, out: str = "", err: str = "") -> Completed:
    return Completed(Command(argv or ("imgadm",), changes=False), Ending.EXITED, code, out, err)


def read(text: str, **used: int) -> dict[str, Observed]:
    outputs = {images.IMAGES: answer(out=text)}
    return {one.identity: one for one in images.read(outputs, used)}


def argvs(change: Change, pool: str = "zones") -> list[str]:
    return [str(step.command) for step in images.steps(change, pool)]


def resource(created_with: dict[str, str] | None = None, **fields: str) -> Resource:
    return Resource(KEY, {"uuid": BASE, **fields}, Origin("a.yaml", 1, 1), created_with=created_with)


def test_one_command_reads_all_images_and_only_when_they_are_asked_for() -> None:
    (one,) = images.probes({"Image": frozenset({EVERY_FIELD}), "Zone": frozenset()})

    assert (str(one.command), one.command.changes) == ("imgadm list -j", False)
    assert images.probes({"Zone": frozenset({EVERY_FIELD})}) == ()
    assert images.read({}, {}) == ()


def test_an_image_is_known_by_its_uuid() -> None:
    found = read(INSTALLED)

    assert found[BASE].name == ObjectName("Image", BASE)
    stated = {"uuid": BASE, "type": "zone", "os": "smartos", "arch": "x86_64", "pool": "zones"}
    assert found[BASE].fields == {**stated, "missing": ""}
    assert found[DISK].fields["type"] == "vm"
    assert found[CHILD].fields["type"] == "zone"
    assert (found[BARE].fields["type"], found[BARE].fields["os"]) == (None, None)


def test_an_image_that_builds_on_another_refers_to_it() -> None:
    assert read(INSTALLED)[CHILD].references == (ObjectName("Image", BASE),)


def test_datasets_of_nobody_stand_against_removal_and_those_of_guests_and_images_are_told_by_their_references() -> None:
    removal = read(INSTALLED, **{BASE: 2, DISK: 1})[BASE].removal
    assert removal is not None
    assert removal.obstacles == ()

    removal = read(INSTALLED, **{BASE: 1})[BASE].removal
    assert removal is not None
    assert removal.obstacles == ("1 other dataset on zones made of it",)
    assert not removal.holds_data


def test_an_image_on_two_pools_is_one_object() -> None:
    found = read(json.dumps([entry(BASE, pool="zones", clones=1), entry(BASE, pool="tank", clones=1)]))

    assert list(found) == [BASE]
    assert found[BASE].fields["pool"] == "tank"
    removal = found[BASE].removal
    assert removal is not None
    assert removal.obstacles == ("2 other datasets on tank made of it",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "[{}]",
        '[{"manifest": {}}]',
        INSTALLED[:-3],
        json.dumps([{"manifest": {"uuid": "x"}, "zpool": "zones"}]),
        json.dumps([{"manifest": {"uuid": BASE}}]),
        json.dumps([{"manifest": {"uuid": BASE, "os": 1}, "zpool": "zones"}]),
        json.dumps([{"manifest": {"uuid": BASE}, "zpool": "zones", "clones": "1"}]),
        "[" * 100_000,
    ],
)
def test_any_other_shape_is_no_list_of_images(text: str) -> None:
    with pytest.raises(ReadError):
        read(text)


def test_an_image_is_imported_to_the_pool_and_from_the_server_that_are_stated() -> None:
    url = {"source.url": "https://images.example.org"}

    assert argvs(Change(KEY, Verb.CREATE, resource=resource())) == [f"imgadm import -q -P zones {BASE}"]
    assert argvs(Change(KEY, Verb.CREATE, resource=resource(pool="tank"))) == [f"imgadm import -q -P tank {BASE}"]
    assert argvs(Change(KEY, Verb.CREATE, resource=resource(url)), pool="") == [
        f"imgadm import -q -S https://images.example.org {BASE}"
    ]


def test_an_import_has_hours() -> None:
    (step,) = images.steps(Change(KEY, Verb.CREATE, resource=resource()), "zones")

    assert step.command.deadline_s >= 3600
    assert not step.destructive


def test_an_image_is_removed_from_where_it_is_after_one_more_look() -> None:
    observed = read(json.dumps([entry(BASE, pool="tank")]))[BASE]
    change = Change(KEY, Verb.DELETE, observed=observed)
    (step,) = images.steps(change, "zones")

    assert str(step.command) == f"imgadm delete -P tank {BASE}"
    assert step.destructive
    assert str(images.confirm(change, "zones").command) == f"imgadm get -P tank {BASE}"


def test_what_only_our_own_files_say_needs_no_command() -> None:
    observed = read(INSTALLED)[BASE]

    for verb in (Verb.ADOPT, Verb.FORGET):
        assert images.steps(Change(KEY, verb, resource=resource(), observed=observed), "zones") == ()


def test_a_look_at_one_image_finds_it_or_is_certain_that_it_is_gone() -> None:
    change = Change(KEY, Verb.CREATE, resource=resource())
    assert str(images.confirm(change, "zones").command) == f"imgadm get -P zones {BASE}"

    found = images.confirmed(change, answer(out=json.dumps(entry(BASE, os="smartos"))))
    assert found is not None
    assert (found.identity, found.fields["os"]) == (BASE, "smartos")
    gone = answer(code=3, err=f"imgadm get: error (ImageNotInstalled): image {BASE} not installed\n")
    assert images.confirmed(change, gone) is None
    with pytest.raises(ReadError):
        images.confirmed(change, answer(code=1, err="imgadm get: error (InternalError): oops\n"))
    with pytest.raises(ReadError):
        images.confirmed(change, answer(out="[]"))


@pytest.mark.parametrize(
    ("code", "said", "retry"),
    [
        (1, "imgadm import: error (ActiveImageNotFound): an active image with uuid x was not found", RetryClass.NEVER),
        (1, "imgadm import: error (ImageNotFound): no image", RetryClass.NEVER),
        (1, "imgadm import: error (SourcePing): unexpected ping response", RetryClass.NOW),
        (1, "imgadm import: error (DownloadError): connection reset", RetryClass.NOW),
        (1, "imgadm import: error (ClientError): getaddrinfo ENOTFOUND", RetryClass.NOW),
        (1, "imgadm import: error (NoSources): imgadm has no configured sources", RetryClass.NEVER),
        (1, "imgadm delete: error (ImageHasDependentClones): image x has dependent clones", RetryClass.LATER),
        (3, "imgadm delete: error (ImageNotInstalled): image x not installed", RetryClass.LOOK_AGAIN),
        (3, "", RetryClass.LOOK_AGAIN),
        (1, "imgadm import: error (MinPlatform): image x needs a newer platform", RetryClass.NEVER),
        (1, "imgadm import: error (MultiError): 2 errors\n(SourcePing): a\n(SourcePing): b", RetryClass.NOW),
        (1, "imgadm import: error (MultiError): 2 errors\n(SourcePing): a\n(InvalidManifest): b", RetryClass.NEVER),
        (1, "cannot receive: out of space", RetryClass.LATER),
        (1, "imgadm import: error (Odd): IMGAPI answered with status 503", RetryClass.NOW),
        (2, "imgadm: error (Usage): unknown option", RetryClass.NEVER),
        (2, "imgadm must be run as root", RetryClass.NEVER),
        (1, "something else", RetryClass.LATER),
        (127, "", RetryClass.NEVER),
        (137, "", RetryClass.LOOK_AGAIN),
    ],
)
def test_a_failure_says_what_helps(code: int, said: str, retry: RetryClass) -> None:
    failure = images.explain(answer("imgadm", "import", BASE, code=code, err=said))

    assert failure.retry is retry
    assert failure.cause
    assert failure.remedy
    assert said.split("\n")[0] in failure.cause


@pytest.mark.parametrize("ending", [one for one in Ending if one is not Ending.EXITED])
def test_an_end_that_says_nothing_is_looked_at_again(ending: Ending) -> None:
    failure = images.explain(Completed(Command(("imgadm", "list")), ending, None))

    assert failure.retry is (RetryClass.NEVER if ending is Ending.NOT_FOUND else RetryClass.LOOK_AGAIN)


def test_every_code_of_the_reference_is_known() -> None:
    codes = (
        "ImageNotInstalled OriginNotInstalled ImageNotFound ActiveImageNotFound ImageHasDependentClones InvalidUUID "
        "InvalidManifest ManifestValidation NoSources Usage UnknownOption MinPlatform MaxPlatform OriginNotFoundInSource "
        "MaxOriginDepth SourcePing DownloadError UploadError ClientError Timeout MultiError"
    )

    assert set(codes.split()) <= imgadm.CODES.keys()
