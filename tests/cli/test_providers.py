"""`reconciler providers`: what the table of each kind says, in words that are explained below it."""

import pytest

from reconciler.cli.main import run
from reconciler.provider.registry import Registry


def lines(capsys: pytest.CaptureFixture[str], kind: str) -> list[str]:
    assert run(["providers", kind]) == 0
    return capsys.readouterr().out.splitlines()


def row(shown: list[str], field: str) -> str:
    return next(" ".join(line.split()[1:]) for line in shown if line.split()[:1] == [field])


def test_a_field_is_shown_with_its_cost_its_null_and_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    shown = lines(capsys, "VirtualMachine")

    assert row(shown, "cpus").startswith("staged ")
    assert row(shown, "quota").startswith("live, null: none ")
    assert row(shown, "disks[].size").startswith("grows, restart ")
    assert row(shown, "disks[].volume").startswith("never ")
    assert row(shown, "disks[].media").endswith(" [disk | cdrom]")
    assert row(shown, "firmware").endswith(" [bios | uefi]")


@pytest.mark.parametrize("kind", ["Dataset", "Volume", "Zone", "VirtualMachine", "Image", "VNIC", "Etherstub", "FirewallRule"])
def test_every_word_of_a_cost_is_explained(kind: str, capsys: pytest.CaptureFixture[str], registry: Registry) -> None:
    shown = lines(capsys, kind)
    end = shown.index("")
    explained = {line.split("  ")[0] for line in shown[end + 1 :]}

    said = {
        part.strip()
        for line in shown[1:end]
        for part in line.split(maxsplit=1)[1].split("  ")[0].split(",")  # the costs end at two spaces
    }
    assert said <= explained
    assert len(shown[1:end]) == len(registry.kinds[kind].every_rule)


def test_a_kind_that_is_only_observed_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "" not in lines(capsys, "NicTag")
