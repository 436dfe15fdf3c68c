"""`svcs`."""

import pytest

from reconciler.emulation import EmulatedHost
from tests.emulation.conftest import NOON
from tests.emulation.console import must, run


def test_a_row_is_printed_as_the_reference_has_it(smartos: EmulatedHost) -> None:
    line = "svcs -H -o state,nstate,fmri svc:/system/smartdc/vmadmd:default"

    assert must(smartos, line) == "online         -             svc:/system/smartdc/vmadmd:default\n"


@pytest.mark.parametrize(
    "pattern", ["svc:/system/zones:default", "svc:/system/zones", "system/zones", "zones:default", "zones"]
)
def test_a_service_is_found_by_any_end_of_its_name(smartos: EmulatedHost, omnios: EmulatedHost, pattern: str) -> None:
    for host in (smartos, omnios):
        assert must(host, f"svcs -H -o fmri {pattern}") == "svc:/system/zones:default\n"


def test_the_services_of_guests_are_on_smartos_only(smartos: EmulatedHost, omnios: EmulatedHost) -> None:
    assert must(smartos, "svcs -H -o fmri 'vm*'").split() == [
        "svc:/system/smartdc/vmadmd:default",
        "svc:/system/smartdc/vminfod:default",
    ]
    missing = run(omnios, "svcs vmadmd")
    assert (missing.exit_code, missing.stderr) == (1, "svcs: Pattern 'vmadmd' doesn't match any instances\n")


def test_one_missing_pattern_does_not_hide_the_others(smartos: EmulatedHost) -> None:
    partly = run(smartos, "svcs -H -o fmri nonsense zones")

    assert (partly.exit_code, partly.stdout) == (1, "svc:/system/zones:default\n")


def test_what_is_disabled_is_listed_when_asked_for(smartos: EmulatedHost) -> None:
    assert "nwam" not in must(smartos, "svcs")
    assert "disabled       08:00:00 svc:/network/physical:nwam\n" in must(smartos, "svcs -a")
    assert must(smartos, "svcs -H -o state network/physical").split() == ["disabled", "online"]


@pytest.mark.parametrize(("later", "shown"), [(60.0, "08:00:00"), (200_000.0, "Jan_15"), (40_000_000.0, "2027")])
def test_the_time_of_a_start_grows_shorter_with_age(smartos: EmulatedHost, later: float, shown: str) -> None:
    smartos._clock = lambda: NOON + later

    assert must(smartos, "svcs -H -o stime zones") == f"{shown}\n"


def test_an_unknown_column_is_refused(smartos: EmulatedHost) -> None:
    refused = run(smartos, "svcs -o nonsense")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith('svcs: Unknown column "nonsense".\n')
