"""Nics of a guest among each other: they come, go, change places and addresses; what runs follows as it was promised."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulation.guests.view import GuestView
from tests.fields.ground import Fields, kind_of, least, wanted

ONE, TWO = "02:00:00:00:00:01", "02:00:00:00:00:02"
A: dict[str, Any] = {"name": "web", "over": "external", "mac": ONE}
B: dict[str, Any] = {"name": "backup", "over": "admin", "mac": TWO}

CHANGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "another becomes primary": ([{**A, "primary": True}, B], [A, {**B, "primary": True}]),
    "one comes": ([A], [A, B]),
    "one goes": ([A, B], [B]),
    "the primary goes": ([{**A, "primary": True}, B], [{**B, "primary": True}]),
    "all go": ([A, B], []),
    "all come": ([], [A, B]),
    "one goes, one comes, one changes": ([A, {**B, "vlan": None}], [{**B, "vlan": 7}, {"name": "spare", "over": "external"}]),
    "two change their addresses": ([A, B], [{**A, "mac": TWO}, {**B, "mac": ONE}]),
    "one takes the address of one that goes": ([A, B], [{**A, "mac": TWO}]),
    "one moves to another tag with its ips": (
        [{**A, "ips": ["10.4.0.1/24"]}],
        [{**A, "over": "admin", "ips": ["10.5.0.1/24"], "gateways": ["10.5.0.254"]}],
    ),
    "one is another by name": ([A], [{**A, "name": "front"}]),
    "what they may do changes with an address": (
        [{**A, "allow": {"macSpoofing": False}}, B],
        [{**A, "mac": "02:00:00:00:00:03", "allow": {"macSpoofing": True}}, B],
    ),
}


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")
    yield made
    made.host.close()


def guest(brand: str, nics: list[dict[str, Any]], disruption: str = "none", **spec: Any) -> Any:
    return wanted(kind_of(brand), "web1", {**least(brand), **spec, "nics": nics}, disruption=disruption)


def shown(nics: Any) -> set[tuple[Any, ...]]:
    names = ("mac", "nic_tag", "vlan_id", "primary", "allow_mac_spoofing")
    return {(*(nic.get(name) or None for name in names), tuple(nic.get("ips", ()))) for nic in nics}


def must_be(nics: list[dict[str, Any]], view: GuestView) -> None:
    """The guest has these nics and no other, one of them primary."""
    stored: Any = view.stored["nics"]
    assert len(stored) == len(nics)
    by_mac = {nic["mac"]: nic for nic in stored}
    for nic in nics:
        there = by_mac[nic["mac"]] if "mac" in nic else next(one for mac, one in by_mac.items() if mac not in (ONE, TWO))
        assert there["nic_tag"] == nic["over"]
        assert (there.get("vlan_id") or None) == nic.get("vlan")
        assert there.get("ips", []) == nic.get("ips", [])
        assert there.get("allow_mac_spoofing", False) is nic.get("allow", {}).get("macSpoofing", False)
        if nic.get("primary"):
            assert there.get("primary") is True
    assert [nic.get("primary", False) for nic in stored].count(True) == (1 if stored else 0)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("brand", ["joyent", "lx", "bhyve"])
def test_on_a_guest_that_runs_nics_wait_for_one_restart(ground: Fields, brand: str, change: str) -> None:
    first, second = CHANGES[change]
    ground.converges(guest(brand, first))
    before = ground.guest("web1")
    must_be(first, before)
    assert before.running is not None

    (action,) = ground.planned(guest(brand, second)).actions
    assert {entry.effect.value for entry in action.change.fields} == {"staged"}
    ground.converges(guest(brand, second))
    after = ground.guest("web1")
    must_be(second, after)
    assert after.running is not None
    assert (after.boots, shown(after.running["nics"])) == (before.boots, shown(before.running["nics"]))

    ground.converges(guest(brand, second, "restart"))
    booted = ground.guest("web1")
    assert booted.running is not None
    assert (booted.boots, shown(booted.running["nics"])) == (before.boots + 1, shown(after.stored["nics"]))
    ground.converges(guest(brand, first, "restart"))
    must_be(first, ground.guest("web1"))
    assert ground.guest("web1").boots == before.boots + 2


@pytest.mark.parametrize("change", CHANGES)
def test_on_a_guest_that_is_stopped_nics_change_at_once(ground: Fields, change: str) -> None:
    first, second = CHANGES[change]
    ground.converges(guest("bhyve", first, state="stopped"))

    (action,) = ground.planned(guest("bhyve", second, state="stopped")).actions
    assert {entry.effect.value for entry in action.change.fields} == {"inPlace"}
    ground.converges(guest("bhyve", second, state="stopped"))

    must_be(second, ground.guest("web1"))
    assert ground.guest("web1").boots == 0
