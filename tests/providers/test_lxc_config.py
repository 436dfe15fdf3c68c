"""The text of container configs, limits and keys without a field: what we write, and that nothing else of it changes."""

import pytest

from providers.tools import lxc_native
from providers.tools.lxc_config import Config, read_config
from providers.tools.lxc_limits import Cgroups
from reconciler.model.errors import InvalidValue

_BY_HAND = """\
# made by hand
lxc.include = /usr/share/lxc/config/common.conf

lxc.uts.name=old
lxc.environment = A=B
  lxc.environment = "C=D E"
# reconciler.owner = tests
lxc.net.0.type = veth
lxc.net.0.ipv4.address = 10.0.0.1/24
lxc.net.0.ipv4.address = 10.0.0.2/24
what is this?
"""


def by_hand() -> Config:
    return read_config(_BY_HAND.removesuffix("\n").split("\n"))


def test_a_config_is_written_as_it_was_read() -> None:
    assert str(by_hand()) == _BY_HAND


def test_entries_are_read_as_lxc_reads_them() -> None:
    config = by_hand()

    assert config.get("lxc.uts.name") == "old"
    assert config.all("lxc.environment") == ("A=B", "C=D E")
    assert config.get("reconciler.owner") == "tests"
    assert config.nets() == {0: {"type": "veth", "ipv4.address": "10.0.0.1/24 10.0.0.2/24"}}
    assert read_config(["lxc.cap.drop = a", "lxc.cap.drop =", "lxc.cap.drop = b"]).all("lxc.cap.drop") == ("b",)


def test_an_edit_touches_only_its_own_lines() -> None:
    changed = by_hand().with_entry("lxc.uts.name", "new").with_entry("reconciler.owner", None).with_net(1, (("type", "phys"),))

    assert (
        str(changed)
        == _BY_HAND.replace("lxc.uts.name=old", "lxc.uts.name = new").replace("# reconciler.owner = tests\n", "")
        + "lxc.net.1.type = phys\n"
    )
    assert str(by_hand().with_entry("lxc.uts.name", "old")) == _BY_HAND


def test_limits_of_version_1_are_told_memory_first_and_read_back() -> None:
    cgroups = Cgroups(1)
    told = cgroups.told({"memory": 64 << 20, "swap": 96 << 20, "cpuCap": 50, "cpuShares": 200, "maxTasks": 100})

    assert told == (
        ("memory.limit_in_bytes", str(64 << 20)),
        ("memory.memsw.limit_in_bytes", str(96 << 20)),
        ("cpu.cfs_period_us", "100000"),
        ("cpu.cfs_quota_us", "50000"),
        ("cpu.shares", "2048"),
        ("pids.max", "100"),
    )
    assert cgroups.read(dict(told)) == {"memory": 64 << 20, "swap": 96 << 20, "cpuCap": 50, "cpuShares": 200, "maxTasks": 100}


def test_limits_of_version_2_count_swap_apart_from_memory() -> None:
    cgroups = Cgroups(2)
    told = cgroups.told({"memory": 64 << 20, "swap": 96 << 20, "cpuCap": 150, "cpuShares": 200, "maxTasks": 100})

    assert told == (
        ("memory.max", str(64 << 20)),
        ("memory.swap.max", str(32 << 20)),
        ("cpu.max", "150000 100000"),
        ("cpu.weight", "200"),
        ("pids.max", "100"),
    )
    assert cgroups.read(dict(told)) == {"memory": 64 << 20, "swap": 96 << 20, "cpuCap": 150, "cpuShares": 200, "maxTasks": 100}
    assert cgroups.prefix == "lxc.cgroup2."


@pytest.mark.parametrize(
    ("version", "files"),
    [
        (
            1,
            {"memory.limit_in_bytes": "9223372036854771712", "cpu.cfs_quota_us": "-1", "pids.max": "max", "cpu.shares": "1024"},
        ),
        (2, {"memory.max": "max", "memory.swap.max": "max", "cpu.max": "max 100000", "pids.max": "max", "cpu.weight": "100"}),
    ],
)
def test_a_control_group_without_limits_is_read_as_what_is_usual(version: int, files: dict[str, str]) -> None:
    cgroups = Cgroups(version)

    assert {
        **cgroups.usual(),
        **{name: value for name, value in cgroups.read(files).items() if value is not None},
    } == cgroups.usual()


@pytest.mark.parametrize("version", [1, 2])
def test_no_limit_is_told_so(version: int) -> None:
    cgroups = Cgroups(version)
    told = dict(cgroups.told({"memory": None, "swap": None, "cpuCap": None}))

    assert cgroups.read(told) == {"memory": None, "swap": None, "cpuCap": None, "cpuShares": None, "maxTasks": None}
    assert told


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("shares", [1, 7, 99, 100, 101, 9999])
def test_shares_come_back_as_they_were_stated(version: int, shares: int) -> None:
    cgroups = Cgroups(version)

    cgroups.check("cpuShares", shares)
    assert cgroups.read(dict(cgroups.told({"cpuShares": shares})))["cpuShares"] == shares


@pytest.mark.parametrize(
    ("cgroups", "field", "value", "cause"),
    [
        (Cgroups(1), "cpuShares", 65535, "no more than 25600"),
        (Cgroups(2), "cpuShares", 10001, "no more than 10000"),
        (Cgroups(1, counts_swap=False), "swap", 4096, "does not limit memory and swap together"),
        (Cgroups(1), "memory", 4097, "no whole number"),
    ],
)
def test_what_a_host_can_not_hold_is_refused(cgroups: Cgroups, field: str, value: int, cause: str) -> None:
    with pytest.raises(InvalidValue, match=cause):
        cgroups.check(field, value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("uts.name", "state hostname"),
        ("cgroup.memory.limit_in_bytes", "memory"),
        ("init.cmmd", "init.cmd"),
        ("lxc.init.cmd", "init.cmd"),
    ],
)
def test_a_key_outside_of_the_table_is_refused_with_the_way_out(name: str, remedy: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        lxc_native.ENTRIES.rule(name)
    assert remedy in refused.value.remedy


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("init.cmd", "/bin/sh -c true"),
        ("tty.max", 0),
        ("no_new_privs", True),
        ("signal.halt", "SIGTERM"),
        ("cap.drop", "sys_time,sys_boot"),
    ],
)
def test_a_key_of_the_table_is_read_as_it_was_written(name: str, stated: str | int) -> None:
    value = lxc_native.NATIVE[name].canonical(stated)
    config = lxc_native.with_native(by_hand(), f"native.lxc.{name}", value)

    assert dict(lxc_native.read(config))[f"native.lxc.{name}"] == value
    assert str(lxc_native.with_native(config, f"native.lxc.{name}", None)) == _BY_HAND
