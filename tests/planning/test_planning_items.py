"""Lists whose items are known by name: complete for what we made, blind to nothing, and never taking what is not ours."""

from reconciler.model.guardrails import Guardrails
from reconciler.model.lifecycle import Adopt, Disruption, Lifecycle, Protect
from reconciler.model.plan import Reason
from reconciler.model.value import Value
from reconciler.provider.derived import derived_mac
from tests.planning.guests import WEB, fields_of, guest, nic, planned, there
from tests.planning.world import OWNER, refusals

MAC = "02:00:00:00:00:01"
RESTART = Lifecycle(disruption=Disruption.RESTART)


def test_a_listed_nic_that_is_as_stated_is_no_change() -> None:
    wanted = guest(nics=("net0",), nics__net0__over="external")
    found = there(nics=("net0",), own=["nics.net0"], **nic("net0", MAC))
    assert planned(wanted, found).is_empty


def test_a_nic_of_ours_that_left_the_list_goes() -> None:
    found = there(nics=("net0", "net1"), own=["nics.net0", "nics.net1"], **nic("net0", MAC), **nic("net1", "02:00:00:00:00:02"))
    made = planned(guest(nics=("net0",), nics__net0__over="external"), found)
    assert fields_of(made) == {"nics.net1": ("net1", None, "staged")}


def test_an_empty_list_removes_every_nic_of_ours() -> None:
    found = there(nics=("net0",), own=["nics.net0"], **nic("net0", MAC))
    assert fields_of(planned(guest(nics=()), found)) == {"nics.net0": ("net0", None, "staged")}


def test_a_list_that_is_stated_no_more_is_released_as_one() -> None:
    before = guest(nics=("net0",), nics__net0__over="external", memory=512 << 20)
    found = there(nics=("net0",), own=["nics.net0"], **nic("net0", MAC))
    made = planned(guest(memory=512 << 20), found, applied=[before])
    assert not made.actions
    assert [(one.field, one.value) for one in made.released] == [("nics", ("net0",))]


def test_a_nic_that_is_not_ours_blocks_the_guest_until_it_is_listed_or_ignored() -> None:
    found = there(nics=("net0", "net1"), own=["nics.net0"], **nic("net0", MAC), **nic("net1", "02:00:00:00:00:02"))
    wanted = guest(nics=("net0",), nics__net0__over="external")
    assert refusals(planned(wanted, found)) == {"Guest/web1": Reason.UNEXPECTED_ITEM}
    ignoring = guest(Lifecycle(ignore=("nics.net1",)), nics=("net0",), nics__net0__over="external")
    assert planned(ignoring, found).is_empty
    listing = guest(nics=("net0", "net1"), nics__net0__over="external", nics__net1__over="external")
    assert fields_of(planned(listing, found)) == {"nics.net1": ("net1, not ours", "net1", "inPlace")}


def test_a_new_nic_shows_all_that_its_manifest_states() -> None:
    made = planned(guest(nics=("net0",), nics__net0__over="external", nics__net0__vlan=5), there())
    assert fields_of(made) == {
        "nics.net0": (None, "net0", "staged"),
        "nics.net0.over": (None, "external", "staged"),
        "nics.net0.vlan": (None, 5, "staged"),
    }


def test_a_nic_is_known_by_the_address_that_was_derived_for_it() -> None:
    found = there(nics=("net3",), **nic("net3", derived_mac(OWNER, WEB, "front")))
    made = planned(guest(nics=("front",), nics__front__over="admin"), found)
    assert fields_of(made) == {
        "nics.front": ("front, not ours", "front", "inPlace"),
        "nics.front.over": ("external", "admin", "staged"),
    }


def test_adoption_takes_listed_items_along_and_refuses_others() -> None:
    found = there(marked=False, nics=("net0", "net1"), **nic("net0", MAC), **nic("net1", "02:00:00:00:00:02"))
    stated: dict[str, Value] = {"nics__net0__over": "external", "nics__net1__mac": "02:00:00:00:00:02"}
    both = guest(Lifecycle(adopt=Adopt.IF_EQUAL), nics=("net0", "net1"), **stated)
    (action,) = planned(both, found).actions
    assert (action.verb, action.change.fields) == ("adopt", ())
    one = guest(Lifecycle(adopt=Adopt.IF_EQUAL), nics=("net0",), nics__net0__over="external")
    assert refusals(planned(one, found)) == {"Guest/web1": Reason.UNEXPECTED_ITEM}


def test_a_disk_that_goes_counts_as_a_removal_and_says_what_is_lost() -> None:
    disk: dict[str, Value] = {"disks__data__size": 5000, "disks__data__path": "/dev/x"}
    found = there(disks=("data",), own=["disks.data"], running=False, **disk)
    for said, lost in (("delete", 5000), ("trash", 5000), ("detach", 0)):
        before = guest(disks=("data",), disks__data__onRemoval=said)
        (action,) = planned(guest(disks=()), found, applied=[before]).actions
        assert (action.verb, action.at_risk.bytes) == ("update", lost)
    tight = Guardrails(removals_per_host=0)
    assert refusals(planned(guest(disks=()), found, rails=tight)) == {"Guest/web1": Reason.GUARDRAIL}


def test_how_a_disk_goes_is_what_was_applied_last() -> None:
    before = guest(disks=("data",), disks__data__size=5000, disks__data__onRemoval="trash")
    found = there(disks=("data",), own=["disks.data"], running=False, disks__data__size=5000, disks__data__path="/dev/x")
    (action,) = planned(guest(disks=()), found, applied=[before]).actions
    assert action.change.remembered == {"disks.data.onRemoval": "trash"}
    assert action.change.trashing is not None
    assert action.reversible
    assert planned(before, found, applied=[guest(disks=("data",), disks__data__size=5000)]).is_empty


def test_a_disk_that_is_kept_aside_goes_into_no_trash() -> None:
    before = guest(disks=("data",), disks__data__size=5000, disks__data__onRemoval="detach")
    found = there(running=False, disks=("data",), disks__data__size=5000, own=["disks.data"])
    (action,) = planned(guest(disks=()), found, applied=[before]).actions
    assert action.change.trashing is None


def test_a_disk_that_is_destroyed_beside_one_that_is_kept_is_not_got_back() -> None:
    disks: dict[str, Value] = {f"disks__{name}__size": 5000 for name in ("a", "b")}
    before = guest(disks=("a", "b"), disks__a__onRemoval="trash", disks__b__onRemoval="delete")
    found = there(disks=("a", "b"), own=["disks.a", "disks.b"], running=False, **disks)

    (action,) = planned(guest(disks=()), found, applied=[before]).actions

    assert not action.reversible
    assert action.at_risk.bytes == 10000


def test_a_protected_guest_keeps_its_disks() -> None:
    found = there(disks=("data",), own=["disks.data"], running=False, disks__data__size=5000)
    wanted = guest(Lifecycle(protect=Protect.REMOVAL), disks=())
    assert refusals(planned(wanted, found)) == {"Guest/web1": Reason.PROTECTED}


def test_a_disk_grows_and_never_shrinks() -> None:
    found = there(disks=("data",), own=["disks.data"], running=False, disks__data__size=5000)
    grown = planned(guest(disks=("data",), disks__data__size=6000), found)
    assert fields_of(grown) == {"disks.data.size": (5000, 6000, "inPlace")}
    assert refusals(planned(guest(disks=("data",), disks__data__size=4000), found)) == {"Guest/web1": Reason.DATA_AT_RISK}
