"""`fwadm`: rules added, changed and removed, whom they are about, and how it says so."""

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulation import EmulatedHost, Fault, FaultKind
from reconciler.emulation.executables import write_executables
from tests.emulation.console import Printed, must, run

OWNER = "11111111-1111-4111-8111-111111111111"
OTHER = "99999999-9999-4999-8999-999999999999"
WEB = "22222222-2222-4222-8222-222222222222"
DB = "33333333-3333-4333-8333-333333333333"
RULE = "44444444-4444-4444-8444-444444444444"
NONE = "00000000-0000-4000-8000-000000000000"
TEXT = 'FROM any TO tag "role" = "web" ALLOW tcp PORT 80'


def _fed(host: EmulatedHost, line: str, payload: object) -> Printed:
    answer = host.run(shlex.split(line), json.dumps(payload).encode())
    return Printed(answer.exit_code, answer.stdout.decode(), answer.stderr.decode())


def _rules(host: EmulatedHost) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(must(host, "fwadm list -j"))
    return found


def _rule(**more: object) -> dict[str, object]:
    return {"uuid": RULE, "rule": TEXT, "owner_uuid": OWNER, "enabled": True, **more}


@pytest.fixture
def guests(smartos: EmulatedHost) -> EmulatedHost:
    """A host with two guests, one of which is a web server of OWNER."""
    image = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
    must(smartos, f"imgadm import -q {image}")
    for uuid, owner, tags in ((WEB, OWNER, {"role": "web", "tier": 1}), (DB, OTHER, {"role": "db"})):
        payload = {
            "brand": "joyent-minimal", "image_uuid": image, "uuid": uuid, "owner_uuid": owner, "tags": tags,
            "firewall_enabled": True,
        }  # fmt: skip
        assert _fed(smartos, "vmadm create", payload).exit_code == 0
    return smartos


def test_an_added_rule_is_printed_as_it_is_kept(smartos: EmulatedHost) -> None:
    written = _rule(rule="from any to tag role=web allow tcp port 80", description="web")
    added = _fed(smartos, "fwadm add", {"rules": [written]})

    assert (added.exit_code, added.stderr) == (0, "")
    assert added.stdout == f"Added rules:\n{RULE} true {TEXT}\n"
    kept = json.loads(must(smartos, f"fwadm get {RULE}"))
    assert _rules(smartos) == [kept]
    assert {name: value for name, value in kept.items() if name != "version"} == _rule(description="web")


def test_a_rule_without_uuid_gets_one_and_is_off_unless_told(smartos: EmulatedHost) -> None:
    _fed(smartos, "fwadm add", {"rule": TEXT, "global": True})

    (kept,) = _rules(smartos)
    assert (kept["enabled"], kept["global"], len(kept["uuid"])) == (False, True, 36)


def test_adding_what_is_there_unchanged_does_nothing(smartos: EmulatedHost) -> None:
    _fed(smartos, "fwadm add", _rule())
    before = _rules(smartos)
    smartos.clear_transcript()
    again = _fed(smartos, "fwadm add", _rule(rule="FROM any to tag role = web ALLOW tcp PORT 80"))

    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "")
    assert _rules(smartos) == before
    assert not smartos.transcript()[0].changed


def test_an_update_changes_what_it_names_and_the_version(smartos: EmulatedHost) -> None:
    _fed(smartos, "fwadm add", _rule(description="old"))
    (before,) = _rules(smartos)
    updated = _fed(smartos, "fwadm update -j", {"uuid": RULE, "description": "new"})

    (after,) = _rules(smartos)
    assert json.loads(updated.stdout) == {"rules": [after], "vms": []}
    assert (after["description"], after["rule"]) == ("new", before["rule"])
    assert after["version"] != before["version"]
    assert _fed(smartos, f"fwadm update {RULE}", {"global": True}).exit_code == 0
    assert "owner_uuid" not in _rules(smartos)[0]


def test_rules_are_switched_and_deleted(smartos: EmulatedHost) -> None:
    _fed(smartos, "fwadm add", _rule())

    assert must(smartos, f"fwadm disable {RULE}") == f"Updated rules:\n{RULE} false {TEXT}\n"
    assert must(smartos, f"fwadm disable {RULE}") == ""
    assert must(smartos, f"fwadm enable {RULE}") == f"Updated rules:\n{RULE} true {TEXT}\n"
    assert must(smartos, f"fwadm delete {RULE}") == f"Deleted rules:\n{RULE} true {TEXT}\n"
    assert _rules(smartos) == []
    refused = run(smartos, f"fwadm delete {RULE}")
    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", f"Unknown rule: {RULE}\n")


def test_a_dry_run_says_the_same_and_keeps_nothing(smartos: EmulatedHost) -> None:
    tried = _fed(smartos, "fwadm add --dryrun", _rule())

    assert tried.stdout == f"Added rules:\n{RULE} true {TEXT}\n"
    assert _rules(smartos) == []
    _fed(smartos, "fwadm add", _rule())
    must(smartos, f"fwadm delete --dryrun {RULE}", f"fwadm disable -n {RULE}")
    assert _rules(smartos)[0]["enabled"] is True


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ({"rule": TEXT}, "owner_uuid required\n"),
        ({"rule": TEXT, "owner_uuid": OWNER, "global": True}, "cannot specify both global and owner_uuid\n"),
        ({"owner_uuid": OWNER}, "no rule specified\n"),
        ({"rule": "FROM any TO any ALLOW tcp PORT 1", "global": True}, "rule does not affect VMs\n"),
        ({"rule": TEXT, "owner_uuid": "x", "uuid": "y"}, 'uuid: invalid UUID "y"\nowner_uuid: invalid UUID "x"\n'),
        ({"rule": TEXT, "global": True, "enabled": [1]}, "enabled must be true or false\n"),
        ({"rules": 1}, "rules and remoteVMs must be arrays of objects\n"),
        (1, "Payload must be an object or a list of rules\n"),
        ({"rule": TEXT, "global": True, "description": "x" * 256}, "description: must be a string of at most 255 characters\n"),
        ({"rule": TEXT, "global": True, "description": 1}, "description: must be a string of at most 255 characters\n"),
    ],
)
def test_a_payload_that_is_wrong_adds_nothing(smartos: EmulatedHost, payload: object, complaint: str) -> None:
    refused = _fed(smartos, "fwadm add", payload)

    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", complaint)
    assert _rules(smartos) == []


def test_errors_are_json_when_that_is_asked_for(smartos: EmulatedHost) -> None:
    refused = _fed(smartos, "fwadm add -j", {"rule": TEXT})

    assert json.loads(refused.stderr) == {"errors": [{"message": "owner_uuid required"}]}


@pytest.mark.parametrize("line", ["fwadm", "fwadm nonsense", "fwadm get", "fwadm list extra", "fwadm list -x", "fwadm delete"])
def test_wrong_usage_exits_2(smartos: EmulatedHost, line: str) -> None:
    refused = run(smartos, line)

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr


def test_a_list_is_columns_or_parsable(smartos: EmulatedHost) -> None:
    _fed(smartos, "fwadm add", _rule())

    assert must(smartos, "fwadm list") == f"UUID{' ' * 32} ENABLED RULE\n{RULE} true    {TEXT}\n"
    assert must(smartos, "fwadm list -p -d '|' -o uuid,description,enabled") == f"{RULE}||true\n"
    assert json.loads(must(smartos, "fwadm list -j -o uuid")) == [{"uuid": RULE}]
    assert run(smartos, "fwadm list -o nonsense").stderr == "Invalid output field: nonsense\n"


def test_a_rule_is_about_its_owners_guests_with_the_tag(guests: EmulatedHost) -> None:
    added = _fed(guests, "fwadm add", _rule())

    assert added.stdout.endswith(f"VMs updated:\n{WEB}\n")
    assert must(guests, f"fwadm vms {RULE}") == f"{WEB}\n"
    assert [one["uuid"] for one in json.loads(must(guests, f"fwadm rules -j {WEB}"))] == [RULE]
    assert json.loads(must(guests, f"fwadm rules -j {DB}")) == []
    must(guests, f"fwadm delete {RULE}")

    cases: list[tuple[str, dict[str, object], list[str]]] = [
        ("all vms", {"global": True}, [WEB, DB]),
        ("all vms", {"owner_uuid": OTHER}, [DB]),
        (f"vm {DB}", {"owner_uuid": OWNER}, []),
        ("tag role", {"global": True}, [WEB, DB]),
        ("tag tier = 1", {"global": True}, [WEB]),
        ('tag "tier" = "2"', {"global": True}, []),
    ]
    for target, owner, about in cases:
        _fed(guests, "fwadm add", {"uuid": RULE, "rule": f"FROM any TO {target} ALLOW tcp PORT 1", **owner})
        assert json.loads(must(guests, f"fwadm vms -j {RULE}")) == about, target
        must(guests, f"fwadm delete {RULE}")


def test_a_tag_that_a_guest_loses_takes_it_out_of_the_rule(guests: EmulatedHost) -> None:
    _fed(guests, "fwadm add", _rule())
    assert _fed(guests, f"vmadm update {WEB}", {"remove_tags": ["role"]}).exit_code == 0

    assert must(guests, f"fwadm vms {RULE}") == ""


def test_the_firewall_of_a_guest_is_its_property(guests: EmulatedHost) -> None:
    assert json.loads(must(guests, f"fwadm status -j {WEB}")) == {"running": True}
    must(guests, f"fwadm stop {WEB}")
    assert json.loads(must(guests, f"vmadm get {WEB}"))["firewall_enabled"] is False
    assert must(guests, f"fwadm status {WEB}") == "stopped\n"
    must(guests, f"fwadm start {WEB}")
    assert json.loads(must(guests, f"vmadm get {WEB}"))["firewall_enabled"] is True
    unknown = run(guests, f"fwadm stop {NONE}")
    assert (unknown.exit_code, unknown.stderr) == (1, f'Could not find VM "{NONE}" in VM list\n')


def test_remote_guests_are_kept_beside_the_rules(guests: EmulatedHost) -> None:
    remote = {"uuid": NONE, "ips": ["10.0.0.7", "10.0.0.1"], "tags": {"role": "web"}, "owner_uuid": OWNER}
    added = _fed(guests, "fwadm add-rvm", remote)

    assert (added.exit_code, added.stdout) == (0, f"Added remote VMs:\n{NONE}\n")
    assert json.loads(must(guests, f"fwadm get-rvm {NONE}")) == {**remote, "ips": ["10.0.0.1", "10.0.0.7"], "enabled": True}
    assert must(guests, "fwadm list-rvms") == f"{NONE}\n"
    _fed(guests, "fwadm add", _rule())
    assert [one["uuid"] for one in json.loads(must(guests, f"fwadm rules -j {NONE}"))] == [RULE]
    assert must(guests, f"fwadm delete-rvm {NONE}") == f"Deleted remote VMs:\n{NONE}\n"
    assert run(guests, f"fwadm get-rvm {NONE}").exit_code == 1


@pytest.mark.parametrize(
    ("remote", "complaint"),
    [
        ({"ips": ["10.0.0.1"]}, "Remote VM must have UUID\n"),
        ({"uuid": NONE}, f'Remote VM "{NONE}": missing IPs\n'),
        ({"uuid": NONE, "nics": 5}, f'Remote VM "{NONE}": missing IPs\n'),
        ({"uuid": NONE, "ips": ["10.0.0.1"], "tags": 5}, f'Remote VM "{NONE}": tags must be an object\n'),
        ({"uuid": WEB, "ips": ["10.0.0.1"]}, f'Remote VM "{WEB}" must not have the same UUID as a local VM\n'),
    ],
)
def test_a_remote_guest_that_can_not_be_is_refused(guests: EmulatedHost, remote: object, complaint: str) -> None:
    refused = _fed(guests, "fwadm add", {"remoteVMs": [remote]})

    assert (refused.exit_code, refused.stderr) == (1, complaint)
    assert must(guests, "fwadm list-rvms") == ""


def test_a_whole_guest_can_be_a_remote_one(smartos: EmulatedHost) -> None:
    guest = {"uuid": NONE, "brand": "lx", "nics": [{"ips": ["10.0.0.5/24", "dhcp"]}, {"ip": "10.1.0.5"}], "tags": {}}
    assert _fed(smartos, "fwadm add-rvm", [guest]).exit_code == 0

    assert json.loads(must(smartos, "fwadm list-rvms -j")) == [{"uuid": NONE, "enabled": True, "ips": ["10.0.0.5", "10.1.0.5"]}]


def test_text_of_any_kind_survives(smartos: EmulatedHost) -> None:
    described = 'a "quoted"\n\tline, Grüße 🐘'
    _fed(smartos, "fwadm add", _rule(rule='FROM any TO tag "Grüße \\"x\\"" ALLOW tcp PORT 1', description=described))

    (kept,) = _rules(smartos)
    assert (kept["rule"], kept["description"]) == ('FROM any TO tag "Grüße \\"x\\"" ALLOW tcp PORT 1', described)


@pytest.mark.parametrize("raw", [b"", b"not json", b'{"rule": "\xff"}', rb'{"rule": "\ud800"}'])
def test_what_is_no_json_is_refused(smartos: EmulatedHost, raw: bytes) -> None:
    answer = smartos.run(["fwadm", "add"], raw)

    assert (answer.exit_code, answer.stdout) == (1, b"")
    assert answer.stderr.startswith(b"Invalid JSON: ")


def test_half_an_add_keeps_the_first_rule(smartos: EmulatedHost) -> None:
    smartos.inject(Fault(FaultKind.HALF, tool="fwadm", argv="add"))
    payload = {"rules": [_rule(), _rule(uuid=NONE)]}
    assert _fed(smartos, "fwadm add", payload).exit_code == 1
    assert [one["uuid"] for one in _rules(smartos)] == [RULE]

    assert _fed(smartos, "fwadm add", payload).stdout == f"Added rules:\n{NONE} true {TEXT}\n"


def test_a_program_reads_rules_from_stdin_or_a_file(tmp_path: Path) -> None:
    write_executables(tmp_path / "bin", system="smartos", state=tmp_path / "host.db")
    fwadm = tmp_path / "bin" / "fwadm"
    (tmp_path / "rules").write_text(json.dumps(_rule(uuid=NONE)))
    given = [
        subprocess.run(argv, input=json.dumps(_rule()), capture_output=True, text=True, timeout=30, check=False)
        for argv in ([fwadm, "add"], [fwadm, "add", "-f", "-"], [fwadm, "add", "-f", tmp_path / "rules"])
    ]
    absent = subprocess.run([fwadm, "add", "-f", "/nowhere"], capture_output=True, text=True, timeout=30, check=False)

    assert [one.stdout for one in given] == [f"Added rules:\n{RULE} true {TEXT}\n", "", f"Added rules:\n{NONE} true {TEXT}\n"]
    assert (absent.returncode, absent.stderr) == (1, 'File "/nowhere" does not exist.\n')
