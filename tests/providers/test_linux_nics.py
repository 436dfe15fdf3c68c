"""Nics of zones in the config of a container, and back."""

import pytest

from providers.tools.lxc_config import Config, read_config
from providers.zones.linux_nics import ZoneNic, read_nics, with_nics


def written(*ips: str) -> Config:
    nic = ZoneNic(0, "web1_0", {"over": "br0", "mac": "02:00:00:00:00:01", "ips": ips})
    return with_nics(Config(), {"net0": nic})


def without_notes(config: Config) -> Config:
    """As somebody would have written it by hand."""
    return read_config([line for line in str(config).splitlines() if not line.startswith("#")])


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("10.2.0.1/24", "10.2.0.1/24 10.2.0.255"),
        ("10.2.0.1/30", "10.2.0.1/30 10.2.0.3"),
        ("10.2.0.1/8", "10.2.0.1/8 10.255.255.255"),
        ("10.2.0.2/31", "10.2.0.2/31"),
        ("10.2.0.1/32", "10.2.0.1/32"),
    ],
)
def test_an_address_is_written_with_its_broadcast_and_read_back_without(address: str, value: str) -> None:
    config = written(address)

    assert config.nets()[0]["ipv4.address"] == value
    assert read_nics(config)["net0"].fields["ips"] == (address,)
    assert read_nics(without_notes(config))["net0"].fields["ips"] == (address,)


def test_several_addresses_of_both_families_are_read_back() -> None:
    ips = ("10.2.0.1/24", "10.2.0.2/24", "10.3.0.2/31", "fd00::1/64")

    assert read_nics(written(*ips))["net0"].fields["ips"] == ips
    assert read_nics(without_notes(written(*ips)))["net0"].fields["ips"] == ips


def test_a_broadcast_of_somebodys_own_is_no_address() -> None:
    config = read_config(["lxc.net.0.type = veth", "lxc.net.0.ipv4.address = 10.2.0.1/24 10.2.0.127"])

    assert read_nics(config)["eth0"].fields["ips"] == ("10.2.0.1/24",)


def test_an_address_that_was_changed_by_hand_is_told() -> None:
    lines = str(written("10.2.0.1/24")).replace("10.2.0.1/24 10.2.0.255", "10.2.0.9/24 10.2.0.255").splitlines()

    nic = read_nics(read_config(lines))["net0"]

    assert nic.is_ours
    assert nic.fields["ips"] == ("10.2.0.9/24",)
