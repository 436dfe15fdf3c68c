"""Objects that the host knows by uuids: named by manifests, chosen by us, shared by several."""

from dataclasses import replace

from reconciler.hosts.by_name import by_name
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Step
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import Observed
from reconciler.model.origin import Origin
from reconciler.model.plan import Plan, Reason
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.planning.digest import action_id
from reconciler.planning.render_text import plan_lines
from reconciler.provider.derived import derived_uuid
from tests.planning.guests import KINDS, WEB, guest, planned, there
from tests.planning.world import NOW, OWNER, SOURCE, refusals

BASE = Resource(Key("hv01", "Image", "base"), {"uuid": "i-1"}, Origin("hosts/hv01/i.yaml", 1, 1))


def installed(uuid: str) -> Observed:
    return Observed(ObjectName("Image", uuid), {"uuid": uuid}, identity=uuid)


def test_an_image_goes_by_the_name_that_its_manifest_gives_it() -> None:
    made = planned([BASE, guest(image="base")], [installed("i-1"), there()])
    assert made.is_empty


def test_an_image_may_be_named_by_its_uuid_too() -> None:
    assert planned([BASE, guest(image="i-1")], [installed("i-1"), there()]).is_empty
    assert planned(guest(image="i-1"), [installed("i-1"), there()]).is_empty


def test_a_guest_waits_for_its_image_and_is_made_from_its_uuid() -> None:
    image, made = planned([BASE, guest(image="base")]).actions
    assert (image.key.kind, made.after) == ("Image", (image.id,))
    assert made.change.identities == {ObjectName("Image", "base"): "i-1"}


def test_a_guest_of_an_image_that_nobody_has_is_blocked() -> None:
    assert refusals(planned(guest(image="i-9"))) == {"Guest/web1": Reason.MISSING_REFERENCE}


def test_an_image_whose_manifest_went_is_known_by_the_ledger() -> None:
    (action,) = planned([], installed("i-1"), applied=[BASE]).actions
    assert (action.key.name, action.verb) == ("base", "delete")


def test_a_new_guest_has_the_uuid_of_its_owner_and_key() -> None:
    (action,) = planned(guest(memory=1)).actions
    assert action.change.identity == derived_uuid(OWNER, WEB)


def test_a_uuid_that_is_taken_gets_a_number() -> None:
    taken = derived_uuid(OWNER, WEB)
    (action,) = planned(guest(memory=1), there("other", marked=False, identity=taken)).actions
    assert action.change.identity == derived_uuid(OWNER, WEB, frozenset({taken})) != taken


def test_a_stated_uuid_of_another_guest_is_refused() -> None:
    assert refusals(planned(guest(uuid="u-1"), there("other"))) == {"Guest/web1": Reason.NAME_TAKEN}


def test_of_two_guests_with_one_name_the_marked_one_has_it() -> None:
    stranger = there(marked=False, identity="u-2")
    found = by_name([stranger, there()])
    assert found.keys() == {ObjectName("Guest", "web1"), ObjectName("Guest", "web1@u-2")}
    assert planned(guest(cpus=1), found.values()).is_empty


def test_two_guests_with_one_name_block_it_until_a_uuid_is_stated() -> None:
    found = by_name([there(marked=False, identity="u-1"), there(marked=False, identity="u-2")]).values()
    assert refusals(planned(guest(cpus=1), found)) == {"Guest/web1": Reason.AMBIGUOUS}
    assert refusals(planned(guest(cpus=1, uuid="u-2"), found)) == {"Guest/web1": Reason.NOT_OURS}


def test_a_guest_that_was_given_the_name_of_another_is_to_get_its_own_back() -> None:
    renamed = replace(there("web1", identity="u-2"), name=ObjectName("Guest", "web2"))
    other = there("web2", identity="u-3")

    alone = planned(guest(cpus=1), renamed).blocked[0]
    shared = planned([guest(cpus=1), guest(name="web2", cpus=1)], by_name([renamed, other]).values()).blocked[0]

    assert (alone.reason, shared.reason) == (Reason.AMBIGUOUS, Reason.AMBIGUOUS)
    assert alone.remedy == "rename it back on the host, or name the manifest web2 and state metadata.movedFrom: web1"
    assert shared.remedy == "rename it back on the host"


def test_none_of_two_marked_guests_with_one_name_is_pruned() -> None:
    found = by_name([there(identity="u-1"), there(identity="u-2")]).values()
    made = planned([], found)
    assert not made.actions
    assert planned(guest(cpus=1, uuid="u-2"), [replace(one) for one in found]).is_empty


def test_the_id_of_an_action_does_not_depend_on_the_time_in_its_input() -> None:
    ids = set()
    for at in ("20260102T030405.000Z", "20260102T030406.000Z"):
        change = Change(WEB, Verb.TRASH, observed=there(), trashing=Trashing(at, "abc", None))
        step = Step(Command(("vmadm", "update", "u-1"), f'{{"alias":"trash.{at}.web1"}}'))
        ids.add(action_id(change, (step,)))
    assert len(ids) == 1


def test_what_a_manifest_can_bring_back_is_deleted_without_alarm() -> None:
    made = planned([], installed("i-1"), applied=[BASE])
    (action,) = made.actions
    assert (action.verb, action.reversible) == (Verb.DELETE, True)
    text = "\n".join(line.text for line in plan_lines(Plan(SOURCE, NOW, (made,)), KINDS))
    assert "- delete  Image/base" in text
    assert "DATA LOSS" not in text
