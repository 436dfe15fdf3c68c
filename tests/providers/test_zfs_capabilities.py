"""Telling one ZFS from another, and refusing what a host's ZFS lacks."""

from collections.abc import Callable

import pytest

from providers.tools.zfs_properties import Dialect
from providers.zfs.backend import ZfsBackend
from providers.zfs.capabilities import POOLS, PROPERTY_LIST, VERSION, Capabilities, capabilities, support
from providers.zfs.names import system_owner
from reconciler.model.command import Completed, Ending, Probe
from reconciler.model.facts import HostFacts
from reconciler.model.value import Value
from reconciler.provider.contract import Served

USAGE = (
    "missing property argument\nusage:\n\tget [-rHp] ...\n\nThe following properties are supported:\n\n"
    "\tPROPERTY       EDIT  INHERIT   VALUES\n\n"
    "\tavailable        NO       NO   <size>\n"
    "\tatime           YES      YES   on | off\n"
    "\tprefetch        YES      YES   none | metadata | all\n"
    "\tuserquota@...   YES       NO   <size> | none\n\n"
    "Sizes are specified in bytes with standard units such as K, M, G, etc.\n"
)


def answered(probe: Probe, code: int = 0, out: str = "", err: str = "") -> tuple[str, Completed]:
    return probe.name, Completed(probe.command, Ending.EXITED, code, out, err)


def facts(*answers: tuple[str, Completed], version: str = "") -> HostFacts:
    return HostFacts("SunOS", "5.11", version, "boot", {}, dict(answers))


ILLUMOS = (
    answered(VERSION, 2, err="unrecognized command 'version'\n"),
    answered(POOLS, 0, "rpool\ntank\n"),
    answered(PROPERTY_LIST, 2, err="missing property argument\nusage:\n"),
)


@pytest.fixture
def zfs_fuse_facts(zfs_fuse_output: Callable[[str], str]) -> HostFacts:
    return facts(
        answered(VERSION, 2, err=zfs_fuse_output("version.txt")),
        answered(POOLS, 2, err=zfs_fuse_output("list-parsable.txt")),
        answered(PROPERTY_LIST, 2, err=zfs_fuse_output("get-usage.txt")),
    )


def test_zfs_fuse_is_known_by_what_it_can_not_do(zfs_fuse_facts: HostFacts) -> None:
    found = capabilities(zfs_fuse_facts)

    assert support(zfs_fuse_facts).served is Served.YES
    assert found.dialect is Dialect.ZFS_FUSE
    assert found.pools is None
    abilities = (found.has_volumes, found.gets_by_type, found.sets_many, found.renames_mounted, found.mounts_read_only)
    assert abilities == (False,) * 5
    assert "quota" in found.properties
    assert "sync" not in found.properties


def test_zfs_fuse_lists_mlslabel_and_does_not_keep_it(zfs_fuse_facts: HostFacts) -> None:
    assert "mlslabel" not in capabilities(zfs_fuse_facts).properties


def test_illumos_can_do_all_but_say_its_version() -> None:
    found = capabilities(facts(*ILLUMOS))

    assert support(facts(*ILLUMOS)).served is Served.YES
    assert found.dialect is Dialect.ILLUMOS
    assert found.pools == {"rpool", "tank"}
    assert found.has_volumes
    assert "sync" in found.properties
    assert "relatime" not in found.properties


def test_openzfs_says_its_version() -> None:
    found = capabilities(facts(answered(VERSION, 0, "zfs-2.2.2-1\n"), answered(POOLS, 0, "tank\n"), ILLUMOS[2]))

    assert found.dialect is Dialect.OPENZFS
    assert "relatime" in found.properties


def test_a_host_that_lists_its_properties_is_believed() -> None:
    found = capabilities(facts(*ILLUMOS[:2], answered(PROPERTY_LIST, 2, err=USAGE)))

    assert found.properties == {"atime", "prefetch"}


def test_a_host_without_pools_is_served() -> None:
    assert support(facts(ILLUMOS[0], answered(POOLS, 0, ""), ILLUMOS[2])).served is Served.YES


def test_a_host_without_zfs_is_not_served() -> None:
    gone = [(probe.name, Completed(probe.command, Ending.NOT_FOUND, None)) for probe in (VERSION, POOLS, PROPERTY_LIST)]

    found = support(facts(*gone))

    assert found.served is Served.NO
    assert "no zfs" in found.cause
    assert found.remedy


def test_a_daemon_that_is_down_is_unreadable_and_not_absent(zfs_fuse_output: Callable[[str], str]) -> None:
    down = [answered(probe, 1, err=zfs_fuse_output("no-daemon.txt")) for probe in (VERSION, POOLS, PROPERTY_LIST)]

    found = support(facts(*down))

    assert found.served is Served.UNREADABLE
    assert "daemon" in found.cause


@pytest.mark.parametrize("ending", [Ending.LOST, Ending.DEADLINE, Ending.SIGNALLED])
@pytest.mark.parametrize("lost", range(3))
def test_an_answer_that_never_came_is_unreadable(lost: int, ending: Ending) -> None:
    answers = list(ILLUMOS)
    name, answer = answers[lost]
    answers[lost] = (name, Completed(answer.command, ending, None))

    assert support(facts(*answers)).served is Served.UNREADABLE


def test_a_version_that_can_not_be_told_is_unreadable() -> None:
    no_module = answered(VERSION, 1, "zfs-2.2.2-1\n", "The ZFS modules are not loaded.\n")

    assert support(facts(no_module, *ILLUMOS[1:])).served is Served.UNREADABLE


def test_a_host_that_was_not_asked_is_unreadable() -> None:
    assert support(facts()).served is Served.UNREADABLE


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("Volume", "metadata.name", "tank/v", "no volumes, and the host no GNU truncate"),
        ("Volume", "backing", "zvol", "no zvols"),
        ("Dataset", "properties.compression", "lz4", "no compression lz4"),
        ("Dataset", "properties.recordsize", 1 << 20, "no recordsize"),
        ("Dataset", "properties.sync", "always", "no property sync"),
        ("Dataset", "properties.readonly", "on", "mounts a file system writable"),
        ("Dataset", "properties.snapshot_limit", None, "no property snapshot_limit"),
        ("Dataset", "origin", "golden", "Image"),
    ],
)
def test_what_zfs_fuse_lacks_is_refused_before_anything_runs(
    zfs_fuse_facts: HostFacts, kind: str, field: str, value: Value, said: str
) -> None:
    found = ZfsBackend(zfs_fuse_facts).refusal(kind, field, value)

    assert found is not None
    assert said in found.cause
    assert found.remedy


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        ("Dataset", "metadata.name", "tonk", "no pool tonk"),
        ("Volume", "backing", "file", "need a Linux host"),
        ("Dataset", "properties.compression", "zstd", "no compression zstd"),
        ("Dataset", "properties.xattr", "sa", "no xattr sa"),
    ],
)
def test_what_illumos_lacks_is_refused_before_anything_runs(kind: str, field: str, value: Value, said: str) -> None:
    found = ZfsBackend(facts(*ILLUMOS)).refusal(kind, field, value)

    assert found is not None
    assert said in found.cause


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("Dataset", "metadata.name", "tank"),
        ("Dataset", "metadata.name", "tank/new/web"),
        ("Volume", "metadata.name", "tank/v"),
        ("Volume", "backing", "zvol"),
        ("Dataset", "origin", "tank/golden@v1"),
        ("Dataset", "properties.compression", "lz4"),
        ("Dataset", "properties.compression", None),
        ("Dataset", "properties.org.example:x", "y"),
        ("Volume", "size", 1 << 30),
    ],
)
def test_what_illumos_has_is_not_refused(kind: str, field: str, value: Value) -> None:
    assert ZfsBackend(facts(*ILLUMOS)).refusal(kind, field, value) is None


UUID = "0b2f6c0e-5d0c-4e0b-9a51-0f3f0c9d5b11"
SMARTOS = Capabilities(Dialect.ILLUMOS, frozenset(), frozenset({"zones"}), is_smartos=True)
OTHER = Capabilities(Dialect.ILLUMOS, frozenset(), frozenset({"rpool"}), is_smartos=False)


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        (f"zones/{UUID}", f"the guest or image {UUID}"),
        (f"zones/{UUID}/data", f"the guest or image {UUID}"),
        (f"zones/{UUID}-disk0", f"the guest or image {UUID}"),
        (f"zones/cores/{UUID}", "the system's crash dumps"),
        ("zones/var", "the system"),
        ("zones/swap", "the system"),
        ("zones/.reconciler-trash/20260101T000000Z-1", "the trash"),
        ("zones", ""),
        ("zones/data", ""),
        ("zones/var/mine", ""),
        (f"zones/data/{UUID}", ""),
    ],
)
def test_smartos_keeps_names_for_itself_and_its_guests(name: str, owner: str) -> None:
    assert system_owner(name, SMARTOS) == owner


@pytest.mark.parametrize(
    ("name", "owner"),
    [
        ("rpool/ROOT", "a boot environment"),
        ("rpool/ROOT/omnios/var", "a boot environment"),
        ("tank/zones/web1/ROOT/zbe", "a boot environment"),
        ("rpool/swap", "the system"),
        ("tank/swap", ""),
        ("tank/var", ""),
        (f"tank/{UUID}", ""),
        ("tank/ROOTS", ""),
        ("tank/.reconciler-detached/x-disk0", "a guest whose disk was detached"),
    ],
)
def test_other_systems_keep_their_boot_environments(name: str, owner: str) -> None:
    assert system_owner(name, OTHER) == owner
