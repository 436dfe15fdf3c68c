"""`vmadm get`, `lookup`, `list`, `info` and `events`."""

import json
from typing import Any

import pytest

from tests.emulation.console import must
from tests.emulation.guest_commands import NIC, OTHER, VM, ZONE, Vmadm


def _found(vmadm: Vmadm, *arguments: str) -> Any:
    said = vmadm.say("lookup", "-j", *arguments)
    assert said.exit_code == 0, said.stderr
    return json.loads(said.stdout)


@pytest.fixture
def three(vmadm: Vmadm) -> Vmadm:
    """A host with two zones and a machine."""
    vmadm.zone(alias="web", nics=[NIC], tags={"role": "web", "on": True}, internal_metadata={"reconciler:owner": "a"})
    vmadm.zone(OTHER, alias="Web2", max_physical_memory=1024, autoboot=False)
    vmadm.machine(alias="db")
    return vmadm


def test_a_missing_guest_is_missed_in_two_ways(vmadm: Vmadm) -> None:
    assert vmadm.refusal("get", ZONE) == f"zoneadm: {ZONE}: No such zone configured"
    assert vmadm.refusal("stop", ZONE) == f"VM {ZONE} not found"
    assert vmadm.refusal("update", ZONE, payload={}) == f"VM {ZONE} not found"
    assert vmadm.refusal("delete", ZONE) == f"Failed to delete VM {ZONE}: VM {ZONE} not found"


def test_get_prints_an_object_with_two_blanks_before_each_member(three: Vmadm) -> None:
    text = three.say("get", ZONE).stdout

    assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
    assert three.say("json", ZONE).stdout == text


def test_lookup_adds_type_and_memory_to_what_get_shows(three: Vmadm) -> None:
    by_uuid = {guest["uuid"]: guest for guest in _found(three)}

    assert by_uuid[ZONE] == {**three.get(), "type": "OS", "ram": 512}
    assert by_uuid[VM] == {**three.get(VM), "type": "BHYV"}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), [ZONE, OTHER, VM]),
        (("alias=web",), [ZONE]),
        (("alias=~web",), [ZONE, OTHER]),
        (("alias=~^WEB$",), [ZONE]),
        (("brand=bhyve",), [VM]),
        (("ram=1024",), [OTHER, VM]),
        (("autoboot=false",), [OTHER]),
        (("tags.role=web", "state=running"), [ZONE]),
        (("tags.on=true",), [ZONE]),
        (("internal_metadata.reconciler:owner=a",), [ZONE]),
        (("nics.*.ip=10.0.0.5",), [ZONE]),
        (("nics.0.nic_tag=external",), [ZONE]),
        (("nics.1.nic_tag=external",), []),
        (("disks.*.size=10240",), [VM]),
        (("type=OS",), [ZONE, OTHER]),
        (("cpu_cap=",), []),
    ],
)
def test_lookup_finds_by_exact_text_and_by_pattern(three: Vmadm, words: tuple[str, ...], expected: list[str]) -> None:
    assert [guest["uuid"] for guest in _found(three, *words)] == expected
    assert three.say("lookup", *words).stdout.split() == expected


@pytest.mark.parametrize("key", ["nics.*.ips", "datasets", "foo", "tags", "nics.x.ip", "tags.a.b"])
def test_a_key_that_can_not_be_looked_for_is_refused(three: Vmadm, key: str) -> None:
    assert three.refusal("lookup", f"{key}=x") == f'Invalid lookup key: "{key}"'


def test_lookup_limits_fields_and_leaves_out_what_is_empty_then(three: Vmadm) -> None:
    assert _found(three, "-o", "alias,vcpus") == [{"alias": "web"}, {"alias": "Web2"}, {"alias": "db", "vcpus": 2}]
    assert _found(three, "-o", "vcpus") == [{"vcpus": 2}]
    assert three.refusal("lookup", "-o", "alias") == "Cannot specify -o without -j"


def test_lookup_can_demand_exactly_one(three: Vmadm) -> None:
    assert three.say("lookup", "-1", "alias=db").stdout == f"{VM}\n"
    assert three.refusal("lookup", "-1", "alias=~web") == "Requested unique lookup but found 2 results."
    assert three.refusal("lookup", "-1", "alias=none") == "Requested unique lookup but found 0 results."


def test_nothing_found_is_no_failure(vmadm: Vmadm) -> None:
    assert (_found(vmadm), vmadm.say("lookup").stdout) == ([], "")


def test_list_sorts_by_memory_and_separates_by_colons(three: Vmadm) -> None:
    expected = [f"{ZONE}:OS:512:running:web", f"{OTHER}:OS:1024:stopped:Web2", f"{VM}:BHYV:1024:running:db"]

    assert three.say("list", "-p").stdout.splitlines() == expected
    assert three.say("list", "-p", "-o", "alias", "-s", "-ram,-alias").stdout.split() == ["db", "Web2", "web"]
    assert three.say("list", "-p", "-o", "alias,autoboot,cpu_cap", "alias=Web2").stdout == "Web2::\n"
    assert three.refusal("list", "-o", "nics") == 'Invalid field: "nics"'


def test_list_has_titles_for_people(three: Vmadm) -> None:
    lines = three.say("list").stdout.splitlines()

    assert lines[0] == "UUID                                  TYPE  RAM      STATE             ALIAS"
    assert lines[1] == f"{ZONE}  OS    512      running           web"
    assert three.say("list", "-H").stdout.splitlines() == lines[1:]


def test_what_zfs_did_behind_vmadm_s_back_is_seen(three: Vmadm) -> None:
    three.do("stop", VM)
    must(three.host, f"zfs rename zones/{VM}/disk1 zones/kept")

    found = three.get(VM)
    assert found["disks"][1]["missing"] is True
    assert "missing" not in found["disks"][0]
    assert found["missing"]["disks"] == [f"/dev/zvol/rdsk/zones/{VM}/disk1"]
    assert "/disk1: No such file or directory" in three.refusal("start", VM)


def test_info_is_for_running_machines(three: Vmadm) -> None:
    assert "vnc" in json.loads(three.say("info", VM, "vnc").stdout)
    assert three.refusal("info", ZONE).startswith(f"Unable to get VM info for VM {ZONE}: ")
    three.do("stop", VM)
    assert three.refusal("info", VM).startswith(f"Unable to get VM info for VM {VM}: ")


def test_events_tell_what_changed(three: Vmadm) -> None:
    three.do("update", ZONE, payload={"alias": "www", "set_tags": {"role": "cache"}, "add_nics": [{"nic_tag": "admin"}]})
    three.do("delete", OTHER)

    ready, *_, modified, deleted = [json.loads(line) for line in three.say("events", "-jr").stdout.splitlines()]
    assert ready["type"] == "ready"
    changes = {
        change["prettyPath"]: (change["action"], change.get("oldValue"), change.get("newValue"))
        for change in modified["changes"]
    }
    assert (modified["type"], modified["uuid"], modified["vm"]["alias"]) == ("modify", ZONE, "www")
    assert changes["alias"] == ("changed", "web", "www")
    assert changes["tags.role"] == ("changed", "web", "cache")
    assert changes["nics.*"][0] == "added"
    assert (deleted["type"], deleted["uuid"]) == ("delete", OTHER)
    assert [json.loads(line)["uuid"] for line in three.say("events", "-j", VM).stdout.splitlines()] == [VM]


def test_a_command_that_changes_nothing_is_no_event(three: Vmadm) -> None:
    before = three.say("events", "-j").stdout
    three.do("start", ZONE)

    assert three.say("events", "-j").stdout == before


def test_reading_writes_nothing(three: Vmadm) -> None:
    three.host.clear_transcript()
    for line in (("get", ZONE), ("lookup", "-j"), ("list",), ("info", VM), ("events",), ("validate", "create")):
        three.say(*line, payload={})

    assert not any(call.changed for call in three.host.transcript())


def test_three_hundred_guests_are_read_with_a_fixed_number_of_queries(vmadm: Vmadm) -> None:
    vmadm.zone()
    few = _queries(vmadm)
    for number in range(60):
        vmadm.zone(f"{number:08x}-0000-4000-8000-000000000000", autoboot=False)

    assert _queries(vmadm) <= few


def _queries(vmadm: Vmadm) -> int:
    asked: list[str] = []
    connection = vmadm.host._state._connection
    connection.set_trace_callback(asked.append)
    vmadm.say("lookup", "-j")
    connection.set_trace_callback(None)
    return len(asked)
