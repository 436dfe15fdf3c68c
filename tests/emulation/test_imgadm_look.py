"""`imgadm list`, `get`, `avail`, `show`, `sources` and the record of errors: text, streams and exit codes."""

import json

import pytest

from reconciler.emulation import EmulatedHost
from reconciler.emulation.images.sites import SiteHealth
from tests.emulation.console import must, run

BASE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
NONE = "00000000-0000-4000-8000-000000000000"
SOURCE = "https://images.smartos.org"


def test_a_new_host_has_no_image_and_a_source_with_all_types(smartos: EmulatedHost) -> None:
    offered = json.loads(must(smartos, "imgadm avail -j"))

    assert must(smartos, "imgadm list -j") == "[]\n"
    assert must(smartos, "imgadm list -H") == ""
    assert {item["manifest"]["type"] for item in offered} == {"zone-dataset", "lx-dataset", "zvol"}
    assert {item["source"] for item in offered} == {SOURCE}
    assert [item for item in offered if item["manifest"].get("requirements", {}).get("bootrom") == "uefi"]
    assert [item for item in offered if "origin" in item["manifest"]]


def test_get_prints_one_object_of_the_list(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {BASE}")
    printed = must(smartos, f"imgadm get -P zones {BASE}")

    assert [json.loads(printed)] == json.loads(must(smartos, "imgadm list -j"))
    assert printed.startswith('{\n  "manifest": {\n    "v": 2,\n')
    assert json.loads(printed)["source"] == SOURCE


def test_get_of_an_absent_image_exits_3(smartos: EmulatedHost) -> None:
    refused = run(smartos, f"imgadm get -P zones {NONE}")

    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr == f'imgadm get: error (ImageNotInstalled): image "{NONE}" was not found on zpool "zones"\n'


def test_get_names_what_was_made_from_an_image(smartos: EmulatedHost) -> None:
    must(smartos, f"imgadm import -q {BASE}", f"zfs clone zones/{BASE}@final zones/guest")

    assert json.loads(must(smartos, f"imgadm get -r {BASE}"))["children"] == {"clones": ["zones/guest"]}


def test_list_prints_columns_filters_and_sorts(smartos: EmulatedHost) -> None:
    assert must(smartos, "imgadm avail -H -o uuid,pub name=base-64-lts os=smartos version=~24.4") == f"{BASE}  2025-03-02\n"
    assert must(smartos, "imgadm avail -H -o version -s -version name=base-64-lts") == "24.4.1\n23.4.0\n"
    assert must(smartos, "imgadm avail -H -o name type!=zone-dataset -s name,version").split() == [
        "debian-12",
        "debian-12",
        "ubuntu-certified-24.04",
    ]
    assert must(smartos, "imgadm list") == "UUID  NAME  VERSION  OS  TYPE  PUB\n"


def test_a_line_of_descent_is_printed_from_the_image_up(smartos: EmulatedHost) -> None:
    web = "b7493690-f019-4612-958b-bab5f844283e"
    must(smartos, f"imgadm import -q {web}")

    assert [item["manifest"]["uuid"] for item in json.loads(must(smartos, f"imgadm ancestry -j {web}"))] == [web, BASE]


def test_show_prints_a_manifest_or_says_that_there_is_none(smartos: EmulatedHost) -> None:
    assert json.loads(must(smartos, f"imgadm show {BASE}"))["uuid"] == BASE
    refused = run(smartos, f"imgadm show {NONE}")

    assert (refused.exit_code, refused.stderr) == (1, f'imgadm show: error (ImageNotFound): image "{NONE}" was not found\n')


def test_what_one_source_offers_is_printed_when_another_is_down(smartos: EmulatedHost) -> None:
    smartos.images.offer({"uuid": NONE, "name": "own", "version": "1"}, "https://other")
    must(smartos, "imgadm sources -a https://other")
    smartos.images.set_health(SiteHealth.DOWN)
    answer = run(smartos, "imgadm avail -j")
    smartos.images.set_health(SiteHealth.DOWN, "https://other")
    both = run(smartos, "imgadm avail -j")

    assert answer.exit_code == 1
    assert [item["manifest"]["uuid"] for item in json.loads(answer.stdout)] == [NONE]
    assert answer.stderr == f'imgadm avail: error (ClientError): image source "{SOURCE}" (imgapi) error: connect ECONNREFUSED\n'
    assert (both.exit_code, both.stdout) == (1, "[]\n")
    assert both.stderr.startswith("imgadm avail: error (MultiError): multiple (2) errors: ClientError: ")


def test_sources_are_added_and_deleted_once(smartos: EmulatedHost) -> None:
    smartos.images.offer({"uuid": NONE}, "https://other")

    assert must(smartos, "imgadm sources -a https://other/") == 'Added "imgapi" image source "https://other"\n'
    assert must(smartos, "imgadm sources -a https://other") == 'Already have "imgapi" image source "https://other", no change\n'
    assert must(smartos, "imgadm sources") == f"{SOURCE}\nhttps://other\n"
    assert [one["url"] for one in json.loads(must(smartos, "imgadm sources -j"))] == [SOURCE, "https://other"]
    assert must(smartos, f"imgadm sources -d {SOURCE}") == f'Deleted "imgapi" image source "{SOURCE}"\n'
    assert must(smartos, f"imgadm sources -d {SOURCE}") == f'Do not have image source "{SOURCE}", no change\n'
    must(smartos, "imgadm sources -d https://other")
    assert run(smartos, "imgadm avail").stderr == "imgadm avail: error (NoSources): imgadm has no configured sources\n"


def test_a_source_that_does_not_answer_is_only_added_by_force(smartos: EmulatedHost) -> None:
    refused = run(smartos, "imgadm sources -a https://nowhere")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("imgadm sources: error (SourcePing): ")
    assert must(smartos, "imgadm sources") == f"{SOURCE}\n"

    must(smartos, "imgadm sources -f -a https://nowhere")
    checked = run(smartos, "imgadm sources -c")
    assert (checked.exit_code, checked.stdout) == (1, f'Source "{SOURCE}" (imgapi) is ok\n')


def test_an_error_is_a_record_in_json_when_that_is_asked_for(smartos: EmulatedHost) -> None:
    refused = run(smartos, f"imgadm -E get -P zones {NONE}")
    record = json.loads(refused.stderr.splitlines()[-1])

    assert (refused.exit_code, refused.stdout) == (3, "")
    assert record["err"]["code"] == "ImageNotInstalled"
    assert record["err"]["message"] == f'image "{NONE}" was not found on zpool "zones"'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("imgadm nonsense", 'imgadm: error (UnknownCommand): unknown command: "nonsense"'),
        ("imgadm list -o nonsense", 'imgadm list: error (Usage): unknown field: "nonsense"'),
        ("imgadm list nonsense", 'imgadm list: error (Usage): invalid filter: "nonsense" (must be in the form "field=value")'),
        ("imgadm get", "imgadm get: error (Usage): no image uuid given"),
        ("imgadm get -P", 'imgadm get: error (Usage): do not have enough args for "-P" option'),
        ("imgadm sources -a nonsense", 'imgadm sources: error (Usage): invalid source URL: "nonsense"'),
    ],
)
def test_wrong_usage_exits_1(smartos: EmulatedHost, line: str, complaint: str) -> None:
    refused = run(smartos, line)

    assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", f"{complaint}\n")


def test_looking_changes_nothing(smartos: EmulatedHost) -> None:
    must(smartos, "imgadm list", "imgadm avail", f"imgadm show {BASE}", "imgadm sources", "imgadm vacuum -n")

    assert not any(call.changed for call in smartos.transcript())
