"""What a manifest of a Zone may say."""

from dataclasses import replace

import pytest

from providers.zones import images
from providers.zones.kinds import IMAGE, ZONE
from reconciler.model.resource import Reference
from reconciler.provider.checks import check_kinds
from reconciler.provider.contract import Provider
from reconciler.provider.field import Changing
from tests.desired.guests import again, made, refused

UUID = "01234567-89ab-cdef-0123-456789abcdef"

EVERYTHING = f"""
  brand: lx, uuid: {UUID.upper()}, image: {{uuid: {UUID.upper()}}}, imageUpdate: reprovision, pool: zones, zonePath: /zones/x/,
  state: running, autoboot: true, hostname: web1, dnsDomain: example.org, kernelVersion: '4.3', cpuCap: 200, cpuShares: 100,
  memory: 1GiB, swap: 2GiB, maxTasks: 2000, maxProcesses: 1000, quota: 10GiB,
  nics: [{{name: net0, over: admin, mac: '2:8:20:A:1:2', vlan: 5, mtu: 1500, model: virtio, ips: [dhcp, 10.0.0.5/24],
          gateways: [10.0.0.1], primary: true, maxBandwidth: 1Gbps, link: web0,
          allow: {{macSpoofing: true, ipSpoofing: false, dhcpSpoofing: true, restrictedTraffic: true,
                   ips: [10.1.0.0/16, 10.0.0.6]}}}}],
  resolvers: [8.8.8.8, 1.1.1.1], routes: [{{to: 10.2.0.0/16, via: 10.0.0.2}}, {{to: 10.1.0.5, via: 10.0.0.3}}],
  delegatedDataset: true, datasets: [{{name: zones/data}}], mounts: [{{target: /data, source: /opt/custom/, readOnly: true}}],
  firewallEnabled: true, internalMetadata: {{k: v}}, tags: {{role: web}},
  metadata: {{user-script: "#!/bin/sh\\nexit 0\\n", a.b: x}},
  native: {{smartos: {{zfs_io_priority: "50", tmpfs: 100, limit_priv: [default, "!proc_info"], docker: false}}}}
"""


def test_kinds_are_described_whole() -> None:
    check_kinds(Provider("zones", "zones and images", (ZONE, IMAGE), lambda _system: ()))


def test_people_are_told_of_every_field_items_and_free_keys_too() -> None:
    told = ZONE.every_rule

    assert {
        "memory",
        "nics[]",
        "nics[].over",
        "nics[].allow.ips",
        "mounts[].source",
        "tags.KEY",
        "native.smartos.tmpfs",
    } <= set(told)
    assert all(rule.summary for rule in told.values())


def test_every_field_becomes_a_canonical_value() -> None:
    one = made("Zone", EVERYTHING)

    assert dict(one.fields) == {
        "brand": "lx",
        "uuid": UUID,
        "image": UUID,
        "pool": "zones",
        "zonePath": "/zones/x",
        "state": "running",
        "autoboot": True,
        "hostname": "web1",
        "dnsDomain": "example.org",
        "kernelVersion": "4.3",
        "cpuCap": 200,
        "cpuShares": 100,
        "memory": 1 << 30,
        "swap": 2 << 30,
        "maxTasks": 2000,
        "maxProcesses": 1000,
        "quota": 10 << 30,
        "nics": ("net0",),
        "nics.net0.over": "admin",
        "nics.net0.mac": "02:08:20:0a:01:02",
        "nics.net0.vlan": 5,
        "nics.net0.mtu": 1500,
        "nics.net0.model": "virtio",
        "nics.net0.ips": ("10.0.0.5/24", "dhcp"),
        "nics.net0.gateways": ("10.0.0.1",),
        "nics.net0.primary": True,
        "nics.net0.maxBandwidth": 10**9,
        "nics.net0.link": "web0",
        "nics.net0.allow.macSpoofing": True,
        "nics.net0.allow.ipSpoofing": False,
        "nics.net0.allow.dhcpSpoofing": True,
        "nics.net0.allow.restrictedTraffic": True,
        "nics.net0.allow.ips": ("10.0.0.6/32", "10.1.0.0/16"),
        "resolvers": ("8.8.8.8", "1.1.1.1"),
        "routes": ("10.1.0.5/32 10.0.0.3", "10.2.0.0/16 10.0.0.2"),
        "delegatedDataset": True,
        "datasets": ("zones/data",),
        "mounts": ("/data",),
        "mounts./data.source": "/opt/custom",
        "mounts./data.readOnly": True,
        "firewallEnabled": True,
        "metadata.user-script": "#!/bin/sh\nexit 0\n",
        "metadata.a.b": "x",
        "internalMetadata.k": "v",
        "tags.role": "web",
        "native.smartos.zfs_io_priority": 50,
        "native.smartos.tmpfs": 100,
        "native.smartos.limit_priv": ("!proc_info", "default"),
        "native.smartos.docker": False,
    }
    assert one.created_with == {"imageUpdate": "reprovision"}


def test_every_field_is_written_back_as_it_was() -> None:
    one = made("Zone", EVERYTHING)

    assert again(one) == one


def test_none_is_one_value_however_it_is_written() -> None:
    stated = made("Zone", "cpuCap: null, quota: null, resolvers: null, routes: null, dnsDomain: null, metadata: {a: null}")
    other = made("Zone", "cpuCap: 0, quota: 0, resolvers: [], routes: [], dnsDomain: null, metadata: {a: null}")

    assert stated.fields == other.fields
    assert set(stated.fields.values()) == {None}
    assert again(stated) == stated


def test_an_image_matters_only_when_the_zone_is_made_unless_it_is_said_otherwise() -> None:
    assert made("Zone", "image: base").created_with == {"image": "base"}
    assert made("Zone", "image: base, imageUpdate: reprovision").fields == {"image": "base"}
    assert made("Zone", "image: base").references == (Reference("spec.image", ("Image",), "base"),)
    assert ZONE.rules["image"].changing is Changing.REMAKE


@pytest.mark.parametrize("image", [UUID, UUID.upper(), f"{{uuid: {UUID.upper()}}}"])
def test_an_image_named_by_uuid_is_its_uuid_in_lower_case(image: str) -> None:
    assert made("Zone", f"image: {image}").created_with == {"image": UUID}


@pytest.mark.parametrize(
    ("spec", "path", "cause"),
    [
        ("memory: 1GiB, swap: 512MiB", "spec.swap", "swap 512MiB is less than memory 1GiB, which it includes"),
        ("brand: lx, image: a", "spec.brand", "an lx zone needs kernelVersion"),
        ("brand: joyent, image: a, kernelVersion: x", "spec.kernelVersion", "a joyent zone has no kernelVersion"),
        ("brand: joyent-minimal", "spec.brand", "a joyent-minimal zone needs an image"),
        ("memory: 1024", "spec.memory", "size 1024 has no unit"),
        ("memory: 0", "spec.memory", "must be more than 0, got the number 0"),
        ("memory: null", "spec.memory", "null is not allowed here"),
        ("cpuCap: '100'", "spec.cpuCap", "expected a number, got text '100'"),
        ("uuid: x", "spec.uuid", "'x' is not a uuid"),
        ("image: {name: x}", "spec.image", "an image is a name or {uuid: ...}"),
        ("metadata: {a: 1}", "spec.metadata.a", "expected text, got the number 1"),
        (
            "internalMetadata: {'reconciler:owner': x}",
            "spec.internalMetadata.reconciler:owner",
            "keys that begin with reconciler: are our own",
        ),
        ("tags: {a: {secret: 's:p#f'}}", "spec.tags.a", "secrets are not available yet"),
        (
            "routes: [{to: 10.0.0.0/8, via: 'fe80::1'}]",
            "spec.routes",
            "the route to 10.0.0.0/8 goes by fe80::1, of another family",
        ),
        (
            "routes: [{to: 10.0.0.0/8, via: 10.0.0.1}, {to: 10.0.0.0/8, via: 10.0.0.2}]",
            "spec.routes",
            "two routes lead to 10.0.0.0/8",
        ),
        ("routes: [{to: nowhere, via: 10.0.0.1}]", "spec.routes", "'nowhere' is not a destination"),
        ("mounts: [{target: data, source: /x}]", "spec.mounts.0.target", "'data' is not an absolute path"),
        ("mounts: [{target: /data, source: /x/../y}]", "spec.mounts.0.source", "'/x/../y' is not an absolute path"),
        ("hostname: a b", "spec.hostname", "'a b' is not a host or domain name"),
        ("nics: [{name: net0}]", "spec.nics.0", "nic net0 is plugged into nothing"),
        ("nics: [{name: net0, over: a, vnic: b}]", "spec.nics.0.vnic", "nic net0 has both over and vnic"),
        (
            "nics: [{name: net0, vnic: b}], firewallEnabled: true",
            "spec.nics.0.vnic",
            "no firewall rule acts on nic net0, which takes a VNIC of the host",
        ),
        (
            "nics: [{name: a, over: x, primary: true}, {name: b, over: x, primary: true}]",
            "spec.nics.1.primary",
            "a and b are both primary",
        ),
        (
            "nics: [{name: a, over: x, mac: '2:0:0:0:0:1'}, {name: b, over: x, mac: '02-00-00-00-00-01'}]",
            "spec.nics.1.mac",
            "b and a have the same MAC address 02:00:00:00:00:01",
        ),
        (
            "nics: [{name: a, over: x, ips: [10.0.0.1/24]}, {name: b, over: x, vlan: 0, ips: [10.0.0.1/8]}]",
            "spec.nics.1.ips",
            "b and a have the same address 10.0.0.1",
        ),
    ],
)
def test_what_a_zone_can_not_be_is_refused_with_its_place(spec: str, path: str, cause: str) -> None:
    ((at, why, remedy),) = refused("Zone", spec)

    assert (at, why) == (path, cause)
    assert remedy


def test_one_address_on_two_networks_is_two() -> None:
    nics = "{name: a, over: x, ips: [10.0.0.1/24]}, {name: b, over: y, ips: [10.0.0.1/24]}"
    assert made("Zone", f"nics: [{nics}, {{name: c, over: x, vlan: 7, ips: [10.0.0.1/24]}}]")


@pytest.mark.parametrize("name", ["web1", "Web.example.org", "a_b-c", UUID, "a" * 189, "1"])
def test_names_of_guests(name: str) -> None:
    assert made("Zone", "", f"'{name}'").key.name == name


@pytest.mark.parametrize("name", ["trash.20261121T130405.123Z.web1", "-f", "a b", "ä", "a/b", "a:b", "x" * 190, ".a"])
def test_names_that_no_guest_can_have(name: str) -> None:
    ((at, _, remedy),) = refused("Zone", "", f"'{name}'")

    assert (at, bool(remedy)) == ("metadata.name", True)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ("type: zone", ""),
        ("source: {url: 'https://x/y'}", "spec.source.url"),
        ("source: {url: 'ftp://x/y'}, uuid: " + UUID, "spec.source.url"),
        ("source: {path: /a, dataset: b}", "spec.source.dataset"),
        ("sha256: abc, uuid: " + UUID, "spec.sha256"),
    ],
)
def test_an_image_that_nobody_could_find_is_refused(spec: str, path: str) -> None:
    ((at, cause, remedy),) = refused("Image", spec, "base")

    assert at == (path or "spec")
    assert cause
    assert remedy


def test_where_an_image_comes_from_matters_only_when_it_is_made() -> None:
    one = made("Image", f"uuid: {UUID}, source: {{url: 'https://images.example.org'}}, type: zone, os: smartos", "base")

    assert one.fields == {"uuid": UUID, "type": "zone", "os": "smartos"}
    assert one.created_with == {"source.url": "https://images.example.org"}
    assert again(one) == one
    assert images.ARCH == "x86_64"


@pytest.mark.parametrize(
    "text",
    [
        "x" * 65536,
        "a\n\n b\n",
        "'\"\\ $(name) $$(x) #: - |",
        "ünïcödé 🙂\n",
        "\ttab",
        "",
        " ",
        "true",
        "0755",
        "null",
        "~",
        "a: b",
    ],
)
def test_texts_in_maps_are_written_back_to_the_letter(text: str) -> None:
    one = made("Zone", "metadata: {user-script: x}")
    odd = replace(one, fields={"metadata.user-script": text, "tags.a": text, "internalMetadata.b": text})

    assert again(odd).fields == odd.fields
