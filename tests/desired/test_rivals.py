"""What a host has only one of can't be claimed by two."""

from reconciler.desired.cache import LoadMemory
from tests.desired.guests import GUESTS, text
from tests.desired.trees import BASE, Tree, findings, host, tree_of, valid

MAC = "02:00:00:00:00:01"


def tree(*manifests: str) -> Tree:
    return tree_of(BASE | {"hosts/hv01/guests.yaml": "---\n".join(manifests)})


def zone(name: str, spec: str) -> str:
    return text("Zone", name, spec)


def test_an_address_of_two_guests_on_one_link_is_told_with_both_places() -> None:
    told = findings(
        tree(
            zone("a", "nics: [{name: net0, over: admin, ips: [10.0.0.5/24]}]"),
            text("VirtualMachine", "b", "nics: [{name: lan, over: admin, vlan: 0, ips: [dhcp, 10.0.0.5/16]}]"),
        ).load(GUESTS)
    )

    cause = "address 10.0.0.5 on admin belongs to Zone/a already, at hosts/hv01/guests.yaml:4:46"
    assert told == [f"hosts/hv01/guests.yaml:9:54  VirtualMachine b: {cause}\n  remedy: give each its own"]


def test_one_address_on_other_links_vlans_and_hosts_is_another() -> None:
    files = BASE | {
        "hosts/hv01/guests.yaml": "---\n".join(
            zone(name, f"nics: [{{name: net0, {over}, ips: [10.0.0.5/24]}}]")
            for name, over in (("a", "over: admin"), ("b", "over: external"), ("c", "over: admin, vlan: 7"))
        ),
        "hosts/hv02/host.yaml": host("hv02"),
        "hosts/hv02/guests.yaml": zone("a", "nics: [{name: net0, over: admin, ips: [10.0.0.5/24]}]"),
    }

    valid(tree_of(files).load(GUESTS))


def test_a_mac_is_one_host_wide_however_it_is_written() -> None:
    told = findings(
        tree(
            zone("a", f"nics: [{{name: net0, over: admin, mac: '{MAC}'}}]"),
            zone("b", "nics: [{name: net0, over: external, vlan: 3, mac: 2-0-0-0-0-1}]"),
        ).load(GUESTS)
    )

    assert ["MAC address 02:00:00:00:00:01 belongs to Zone/a already" in one for one in told] == [True]


def test_a_zone_and_a_machine_of_one_name_are_told() -> None:
    told = findings(tree(zone("web1", ""), text("VirtualMachine", "web1", "")).load(GUESTS))

    assert ["guest name web1 belongs to Zone/web1 already, at hosts/hv01/guests.yaml:3:18" in one for one in told] == [True]


def test_uuids_and_ports_of_screens_are_one_host_wide() -> None:
    uuid = "01234567-89ab-cdef-0123-456789abcdef"
    told = findings(
        tree(
            text("VirtualMachine", "a", f"uuid: {uuid}, console: {{vnc: {{port: 5901}}}}"),
            text("VirtualMachine", "b", f"uuid: {uuid.upper()}, console: {{vnc: {{port: 5901}}}}"),
            text("VirtualMachine", "c", "console: {vnc: {port: 0}}"),
            text("VirtualMachine", "d", "console: {vnc: {port: 0}}"),
        ).load(GUESTS)
    )

    assert len(told) == 2
    assert f"uuid {uuid} belongs to VirtualMachine/a already" in told[0]
    assert "VNC port 5901 belongs to VirtualMachine/a already" in told[1]


def test_an_image_and_a_volume_are_claimed_once() -> None:
    uuid = "01234567-89ab-cdef-0123-456789abcdef"
    told = findings(
        tree(
            text("Image", "a", f"uuid: {uuid}"),
            text("Image", "b", f"uuid: {uuid}"),
            text("VirtualMachine", "c", "disks: [{name: a, volume: tank/v}]"),
            text("VirtualMachine", "d", "disks: [{name: b, volume: tank/v}]"),
        ).load(GUESTS)
    )

    assert [one.partition("  ")[2].partition(" already")[0] for one in told] == [
        f"Image b: image {uuid} belongs to Image/a",
        "VirtualMachine d: volume tank/v belongs to VirtualMachine/c",
    ]


def test_rivals_are_told_again_by_the_next_load_and_forgotten_when_one_gives_way() -> None:
    memory = LoadMemory()
    claim = "nics: [{{name: net0, over: admin, ips: [10.0.0.{}/24]}}]"
    both = tree(zone("a", claim.format(5)), zone("b", claim.format(5)))

    assert len(findings(both.load(GUESTS, memory=memory))) == 1
    assert len(findings(both.load(GUESTS, memory=memory))) == 1
    both.add("hosts/hv01/guests.yaml", "---\n".join((zone("a", claim.format(5)), zone("b", claim.format(6)))))
    valid(both.load(GUESTS, memory=memory))
