"""Every field of Etherstub, VNIC, FirewallRule and Image: made with it, changed, left out, made null; and what that took.

What a plan says is changed in place is the same object afterwards; what is replaced is another.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.change import Effect, Verb
from reconciler.model.plan import Reason
from reconciler.model.resource import Resource
from tests.fields.ground import IMAGES, KINDS, Fields, least, placed, wanted, without

KEPT = object()
"""null is refused."""

NAMES = {"Etherstub": "stub1", "VNIC": "web0", "FirewallRule": "ssh"}
BASE: dict[str, dict[str, Any]] = {
    "Etherstub": {},
    "VNIC": {"over": "igb1"},
    "FirewallRule": {"from": ["any"], "to": ["guests/all"], "action": "allow", "protocol": "tcp", "ports": [22]},
}
ICMP = {"from": ["any"], "to": ["guests/all"], "action": "allow", "protocol": "icmp"}


@dataclass(frozen=True)
class Row:
    """One field: values as a manifest states them and as the host shows them; `base` is what is stated beside it."""

    kind: str
    field: str
    values: tuple[Any, Any]
    shown: tuple[Any, Any]
    told: Callable[[Fields], Any]
    cleared: Any = KEPT
    base: Mapping[str, Any] | None = None
    required: bool = False

    def resource(self, value: Any) -> Resource:
        base = self.base if self.base is not None else BASE[self.kind]
        return self._made(placed(base, self.field, value))

    def left_out(self) -> Resource:
        base = self.base if self.base is not None else BASE[self.kind]
        return self._made(without(placed(base, self.field, self.values[0]), self.field))

    def _made(self, spec: dict[str, Any]) -> Resource:
        return wanted(self.kind, NAMES[self.kind], spec, disruption="replace")

    def __str__(self) -> str:
        return f"{self.kind}.{self.field}"


def link(told: Callable[[Any], Any]) -> Callable[[Fields], Any]:
    return lambda ground: told(ground.host.links.link("web0"))


def rule(name: str) -> Callable[[Fields], Any]:
    return lambda ground: rules(ground)[0].get(name, False)


def rules(ground: Fields) -> Any:
    return json.loads(ground.do("fwadm", "list", "-j"))


def _vnic(field: str, values: tuple[Any, Any], shown: tuple[Any, Any], told: Callable[[Any], Any], **more: Any) -> Row:
    return Row("VNIC", field, values, shown, link(told), **more)


def _forbids(word: str) -> Callable[[Any], Any]:
    return lambda view: word in view.properties.get("protection", "").split(",")


def _rule(field: str, values: tuple[Any, Any], shown: tuple[Any, Any], told: str = "rule", **more: Any) -> Row:
    return Row("FirewallRule", field, values, shown, rule(told), **more)


def _says(what: str) -> str:
    return f"FROM any TO all vms {what}"


TCP22 = "FROM any TO all vms ALLOW tcp PORT 22"

ROWS = (
    Row("Etherstub", "mtu", (8000, 7000), (8000, 7000), lambda ground: ground.host.links.link("stub1").mtu, 9000),
    _vnic("over", ("igb1", "igb0"), (("igb1",), ("igb0",)), lambda view: view.over, required=True),
    _vnic("mac", ("02:00:00:00:00:07", "02:00:00:00:00:08"), ("02:00:00:00:00:07", "02:00:00:00:00:08"), lambda v: v.mac),
    _vnic("vlan", (7, 8), (7, 8), lambda view: view.vid, cleared=0),
    _vnic("mtu", (1400, 1300), (1400, 1300), lambda view: view.mtu, cleared=1500),
    _vnic(
        "maxBandwidth",
        ("100Mbps", "200Mbps"),
        ("100000000", "200000000"),
        lambda view: view.properties.get("maxbw"),
        cleared=None,
    ),
    _vnic("priority", ("low", "medium"), ("low", "medium"), lambda view: view.properties.get("priority")),
    _vnic("allow.macSpoofing", (True, False), (False, True), _forbids("mac-nospoof")),
    _vnic("allow.ipSpoofing", (True, False), (False, True), _forbids("ip-nospoof")),
    _vnic("allow.dhcpSpoofing", (True, False), (False, True), _forbids("dhcp-nospoof")),
    _vnic("allow.restrictedTraffic", (True, False), (False, True), _forbids("restricted")),
    _vnic(
        "allow.ips",
        (["10.9.0.0/24"], ["10.9.1.7"]),
        ("10.9.0.0/24", "10.9.1.7/32"),
        lambda view: view.properties.get("allowed-ips"),
    ),
    _rule("from", (["any"], ["10.0.0.0/8"]), (TCP22, TCP22.replace("any", "subnet 10.0.0.0/8")), required=True),
    _rule("to", (["guests/all"], ["tag/role=web"]), (TCP22, TCP22.replace("all vms", 'tag "role" = "web"')), required=True),
    _rule("action", ("allow", "block"), (TCP22, TCP22.replace("ALLOW", "BLOCK")), required=True),
    _rule("protocol", ("tcp", "udp"), (TCP22, TCP22.replace("tcp", "udp")), required=True),
    _rule("ports", ([22], ["8000-8100"]), (TCP22, _says("ALLOW tcp PORTS 8000 - 8100")), required=True),
    _rule("types", (["8"], ["3:1"]), (_says("ALLOW icmp TYPE 8"), _says("ALLOW icmp TYPE 3 CODE 1")), base=ICMP, required=True),
    _rule("priority", (10, 20), (f"{TCP22} PRIORITY 10", f"{TCP22} PRIORITY 20")),
    _rule("enabled", (False, True), (False, True), "enabled"),
    _rule("log", (True, False), (True, False), "log"),
    _rule("rule", (TCP22, TCP22.replace("22", "80")), (TCP22, TCP22.replace("22", "80")), base={}, required=True),
)

IMAGE = {"uuid": IMAGES["lx"]}
OF_IMAGE: dict[str, tuple[Any, Any, Reason | None]] = {
    "uuid": (IMAGES["lx"], IMAGES["bhyve"], Reason.IMMUTABLE),
    "type": ("zone", "vm", Reason.IMMUTABLE),
    "os": ("linux", "smartos", Reason.IMMUTABLE),
    "arch": ("x86_64", "aarch64", Reason.UNSUPPORTED),
    "pool": ("zones", "pond", Reason.IMMUTABLE),
    "source.url": ("https://images.smartos.org", "https://images.example.org", None),
}
"""Fields of an Image: two values, and why the second is refused afterwards; None where it is no more looked at."""

LACKING_OF_IMAGES = {"source.path": "/opt/image.gz", "source.dataset": "zones/data", "sha256": "0" * 64}


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Fields]:
    made = Fields(tmp_path, "smartos")
    yield made
    made.host.close()


@pytest.mark.parametrize("kind", [*BASE, "Image"])
def test_no_field_is_missing_from_the_tables(kind: str) -> None:
    tabled = {row.field for row in ROWS if row.kind == kind}
    if kind == "Image":
        tabled = OF_IMAGE.keys() | LACKING_OF_IMAGES.keys()

    assert sorted(KINDS[kind].every_rule) == sorted(tabled)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_field_is_changed_as_the_plan_promised(ground: Fields, row: Row) -> None:
    ground.converges(row.resource(row.values[0]))
    assert row.told(ground) == row.shown[0]

    check_change(ground, row, row.values[1], row.shown[1])
    if not row.required:
        released = ground.planned(row.left_out())
        assert [one.field for one in released.released] == [row.field]
        ground.converges(row.left_out())
        assert row.told(ground) == row.shown[1], "what is stated no more stays"
    check_change(ground, row, row.values[0], row.shown[0])
    if row.cleared is not KEPT:
        check_change(ground, row, None, row.cleared)


def check_change(ground: Fields, row: Row, value: Any, shown: Any) -> None:
    resource = row.resource(value)
    (action,) = ground.planned(resource).actions
    assert [entry.name for entry in action.change.fields] == [row.field]
    ground.host.clear_transcript()
    ground.converges(resource)

    assert row.told(ground) == shown
    calls = ground.changing_calls()
    is_made_anew = any(" delete" in call for call in calls)
    assert is_made_anew is (action.effect is Effect.REPLACE), calls
    assert action.effect in (Effect.REPLACE, Effect.IN_PLACE)
    assert (action.verb is Verb.REPLACE) is is_made_anew
    if row.kind == "FirewallRule":
        assert len(rules(ground)) == 1


@pytest.mark.parametrize("field", ["over", "mac", "vlan"])
def test_a_vnic_is_not_made_anew_without_permission(ground: Fields, field: str) -> None:
    row = next(one for one in ROWS if str(one) == f"VNIC.{field}")
    ground.converges(row.resource(row.values[0]))

    stated = placed(BASE["VNIC"], field, row.values[1])
    plan = ground.planned(wanted("VNIC", "web0", stated, disruption="restart"))

    assert [item.reason for item in plan.blocked] == [Reason.DISRUPTION]
    assert field in plan.blocked[0].cause
    assert plan.blocked[0].remedy
    assert row.told(ground) == row.shown[0]


@pytest.mark.parametrize("field", OF_IMAGE)
def test_an_image_never_changes(ground: Fields, field: str) -> None:
    first, second, reason = OF_IMAGE[field]
    ground.do("imgadm", "delete", "-P", "zones", IMAGES["lx"])
    ground.host.storage.create_pool("pond", 1 << 40)
    spec = IMAGE if field == "pool" else IMAGE | {"pool": "zones"}
    ground.converges(wanted("Image", "debian", placed(spec, field, first)))
    shown = json.loads(ground.do("imgadm", "get", "-P", "zones", IMAGES["lx"]))
    ground.host.clear_transcript()

    plan = ground.planned(wanted("Image", "debian", placed(spec, field, second), disruption="replace"))

    assert [item.reason for item in plan.blocked] == ([reason] if reason is not None else [])
    assert all(item.remedy for item in plan.blocked)
    assert plan.actions == ()
    ground.applied(wanted("Image", "debian", placed(spec, field, second), disruption="replace"))
    assert ground.changing_calls() == []
    assert json.loads(ground.do("imgadm", "get", "-P", "zones", IMAGES["lx"])) == shown


@pytest.mark.parametrize("field", LACKING_OF_IMAGES)
def test_what_imgadm_has_not_got_is_blocked_with_its_remedy(ground: Fields, field: str) -> None:
    ground.do("imgadm", "delete", "-P", "zones", IMAGES["lx"])
    plan = ground.planned(wanted("Image", "debian", placed(IMAGE, field, LACKING_OF_IMAGES[field])))

    assert [item.reason for item in plan.blocked] == [Reason.UNSUPPORTED]
    assert plan.blocked[0].remedy


def test_a_rule_that_names_a_guest_follows_it_by_its_uuid(ground: Fields) -> None:
    guest = wanted("Zone", "web1", least("joyent") | {"firewallEnabled": True})
    named = wanted("FirewallRule", "ssh", BASE["FirewallRule"] | {"to": ["guest/web1"]})

    ground.converges(guest, named)

    assert rule("rule")(ground) == TCP22.replace("all vms", f"vm {ground.guest('web1').uuid}")
