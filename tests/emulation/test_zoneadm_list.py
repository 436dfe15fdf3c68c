"""`zoneadm list` and `zonename`."""

import json

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.console import must, run

IMAGE = "2f1dc911-6401-4fa4-8e9d-67ea2e39c271"
FIRST = "22222222-2222-4222-8222-222222222222"
SECOND = "33333333-3333-4333-8333-333333333333"
GLOBAL = "0:global:running:/::liveimg:shared:0\n"


@pytest.fixture
def guests(smartos: EmulatedHost) -> EmulatedHost:
    """A host with two guests, of which the first was stopped and started after the second."""
    must(smartos, f"imgadm import -q {IMAGE}")
    for uuid in (FIRST, SECOND):
        payload = {"brand": "joyent-minimal", "image_uuid": IMAGE, "uuid": uuid}
        assert smartos.run(["vmadm", "create"], json.dumps(payload).encode()).exit_code == 0
    must(smartos, f"vmadm stop {FIRST}", f"vmadm start {FIRST}")
    return smartos


def test_a_host_without_guests_has_the_global_zone(smartos: EmulatedHost, omnios: EmulatedHost) -> None:
    assert must(smartos, "zoneadm list -cp") == GLOBAL
    assert must(omnios, "zoneadm list -cp") == "0:global:running:/::ipkg:shared\n"
    assert must(smartos, "zoneadm list") == "global\n"
    assert must(smartos, "zonename") == must(omnios, "zonename") == "global\n"


def test_running_guests_come_by_their_numbers(guests: EmulatedHost) -> None:
    lines = must(guests, "zoneadm list -p").splitlines(keepends=True)

    assert lines[0] == GLOBAL
    assert [line.split(":")[1:7] for line in lines[1:]] == [
        [uuid, "running", f"/zones/{uuid}", uuid, "joyent-minimal", "excl"] for uuid in (SECOND, FIRST)
    ]
    numbers = [int(line.split(":")[0]) for line in lines]
    assert numbers == sorted(numbers)
    assert all(line.rstrip("\n").split(":")[7].isdigit() for line in lines)


def test_a_stopped_guest_is_listed_when_installed_ones_are_asked_for(guests: EmulatedHost) -> None:
    must(guests, f"vmadm stop {SECOND}")

    assert must(guests, "zoneadm list") == f"global\n{FIRST}\n"
    assert must(guests, "zoneadm list -i") == must(guests, "zoneadm list -c") == f"global\n{FIRST}\n{SECOND}\n"
    stopped = must(guests, "zoneadm list -ip").splitlines()[-1]
    assert stopped.startswith(f"-:{SECOND}:installed:/zones/{SECOND}:{SECOND}:joyent-minimal:excl:")
    assert must(guests, f"zoneadm -z {SECOND} list -p") == stopped + "\n"


def test_the_verbose_list_has_titles(smartos: EmulatedHost) -> None:
    assert must(smartos, "zoneadm list -cv") == (
        "  ID NAME             STATUS     PATH                           BRAND    IP    \n"
        "   0 global           running    /                              liveimg  shared\n"
    )


@pytest.mark.parametrize(
    ("line", "code", "complaint"),
    [
        ("zoneadm -z nope list -p", 1, "zoneadm: nope: No such zone configured\n"),
        ("zoneadm list -pv", 2, "zoneadm: list -p and -v are mutually exclusive.\n"),
        ("zoneadm boot", 2, "usage:"),
        ("zoneadm list -x", 2, "zoneadm: illegal option -- x\n"),
        ("zoneadm list extra", 2, "usage:"),
    ],
)
def test_what_can_not_be_listed_is_refused(smartos: EmulatedHost, line: str, code: int, complaint: str) -> None:
    refused = run(smartos, line)

    assert (refused.exit_code, refused.stdout) == (code, "")
    assert refused.stderr.startswith(complaint)
