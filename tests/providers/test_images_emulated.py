"""Images by imgadm on an emulated SmartOS host."""

import json
from collections.abc import Mapping

from providers.zones import images
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, RetryClass
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import EVERY_FIELD, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from tests.providers.conftest import TryoutHost

BASE, WEB = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271", "b7493690-f019-4612-958b-bab5f844283e"
LX, DISK = "e1faace4-e19b-11e5-928b-83849e2fd94a", "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21"
NOWHERE = "00000000-0000-4000-8000-000000000000"
KEY = Key("hv01", "Image", "base")


def there(host: TryoutHost, used: Mapping[str, int] | None = None) -> dict[str, Observed]:
    (probe,) = images.probes({"Image": frozenset({EVERY_FIELD})})
    return {one.identity: one for one in images.read({probe.name: host.run(probe.command)}, used or {})}


def making(uuid: str) -> Change:
    return Change(KEY, Verb.CREATE, resource=Resource(KEY, {"uuid": uuid}, Origin("a.yaml", 1, 1)))


def run(host: TryoutHost, change: Change) -> Completed:
    (step,) = images.steps(change, "zones")
    return host.run(step.command)


def look(host: TryoutHost, change: Change) -> Observed | None:
    return images.confirmed(change, host.run(images.confirm(change, "zones").command))


def test_an_image_comes_with_what_it_builds_on_and_again_is_no_change(smartos: TryoutHost) -> None:
    assert there(smartos) == {}
    assert look(smartos, making(WEB)) is None

    assert run(smartos, making(WEB)).succeeded
    found = there(smartos)
    assert found[WEB].references == (ObjectName("Image", BASE),)
    assert {name: found[WEB].fields[name] for name in ("uuid", "type", "os", "pool")} == {
        "uuid": WEB,
        "type": "zone",
        "os": "smartos",
        "pool": "zones",
    }
    assert run(smartos, making(WEB)).succeeded
    assert there(smartos) == found
    seen = look(smartos, making(WEB))
    assert seen is not None
    assert seen.fields == found[WEB].fields


def test_images_of_disks_and_of_lx_are_told_apart(smartos: TryoutHost) -> None:
    for uuid in (LX, DISK):
        assert run(smartos, making(uuid)).succeeded

    found = there(smartos)
    assert (found[LX].fields["type"], found[LX].fields["os"]) == ("zone", "linux")
    assert (found[DISK].fields["type"], found[DISK].fields["os"]) == ("vm", "linux")


def test_an_image_that_a_zone_is_made_of_stays(smartos: TryoutHost) -> None:
    run(smartos, making(BASE))
    payload = {"brand": "joyent-minimal", "image_uuid": BASE, "max_physical_memory": 256, "autoboot": False}
    assert smartos.run(Command(("vmadm", "create"), stdin=json.dumps(payload))).succeeded

    counted = there(smartos, {BASE: 1})[BASE]
    assert counted.removal is not None
    assert counted.removal.obstacles == ()
    uncounted = there(smartos)[BASE]
    assert uncounted.removal is not None
    assert uncounted.removal.obstacles == ("1 other dataset on zones made of it",)

    refused = run(smartos, Change(KEY, Verb.DELETE, observed=counted))
    failure = images.explain(refused)
    assert not refused.succeeded
    assert failure.retry is RetryClass.LATER
    assert "guests or other images are made of it" in failure.cause


def test_an_image_that_nothing_needs_is_removed_and_known_to_be_gone(smartos: TryoutHost) -> None:
    run(smartos, making(BASE))
    removing = Change(KEY, Verb.DELETE, observed=there(smartos)[BASE])

    assert run(smartos, removing).succeeded
    assert there(smartos) == {}
    assert look(smartos, removing) is None
    again = run(smartos, removing)
    assert images.explain(again).retry is RetryClass.LOOK_AGAIN


def test_an_image_that_no_source_has_is_a_matter_for_a_person(smartos: TryoutHost) -> None:
    failure = images.explain(run(smartos, making(NOWHERE)))

    assert failure.retry is RetryClass.NEVER
    assert "no image source of the host has it" in failure.cause


def test_an_import_whose_answer_was_lost_is_found_by_looking(smartos: TryoutHost) -> None:
    smartos.emulated.inject(Fault(FaultKind.LOST_REPLY, tool="imgadm", argv="import"))
    lost = run(smartos, making(BASE))

    assert not lost.succeeded
    assert images.explain(lost).retry is RetryClass.LOOK_AGAIN
    assert look(smartos, making(BASE)) is not None
