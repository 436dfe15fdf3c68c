"""Provider zfs against the contract, on every emulated system and on a real ZFS where there is one."""

import subprocess
import time
from dataclasses import replace

import pytest

from providers.zfs import PROVIDER
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.facts import HostFacts
from reconciler.model.key import Key, ObjectName
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.model.value import Fields
from reconciler.provider.checks import (
    backend_for,
    check_explanations,
    check_probes,
    check_reading,
    check_steps,
    look,
)
from reconciler.provider.contract import Backend
from reconciler.provider.life import Sample, check_life
from tests.providers.conftest import TryoutHost

GIB = 1 << 30
CUTS = (None, 0, 1, 2)


def backend_of(host: TryoutHost) -> Backend:
    return backend_for(PROVIDER, host.facts, host.run)


def dataset(pool: str, fields: Fields, changed: Fields) -> Sample:
    return Sample(ObjectName("Dataset", f"{pool}/checked"), fields, changed)


def samples(pool: str) -> list[Sample]:
    return [
        dataset(pool, {}, {"properties.quota": GIB}),
        dataset(
            pool,
            {"properties.quota": GIB, "properties.compression": "gzip", "properties.org.example:role": "two words"},
            {"properties.quota": None, "properties.compression": None, "properties.org.example:role": None},
        ),
        dataset(
            pool,
            {"properties.mountpoint": "/srv/checked", "properties.atime": "off", "properties.recordsize": 8192},
            {"properties.mountpoint": "/srv/elsewhere", "properties.atime": "on", "properties.recordsize": None},
        ),
        dataset(
            pool,
            {"properties.quota": GIB, "properties.reservation": GIB // 2, "properties.refquota": GIB // 2},
            {"properties.quota": GIB // 4, "properties.reservation": GIB // 8, "properties.refquota": None},
        ),
        dataset(pool, {"properties.canmount": "noauto", "properties.copies": 2}, {"properties.canmount": "on"}),
        dataset(pool, {"properties.utf8only": "on", "properties.casesensitivity": "mixed"}, {"properties.devices": "off"}),
    ]


def volumes(pool: str) -> list[Sample]:
    name = ObjectName("Volume", f"{pool}/checked")
    return [
        Sample(name, {"size": GIB}, {"size": 2 * GIB}),
        Sample(
            name,
            {"size": GIB, "sparse": True, "blockSize": 16384, "backing": "zvol", "properties.compression": "lz4"},
            {"size": 2 * GIB, "properties.compression": None, "properties.org.example:disk": "0"},
        ),
        Sample(name, {"size": GIB, "properties.refreservation": None}, {"properties.copies": 2}),
    ]


def test_probes_keep_the_contract(tryout_host: TryoutHost) -> None:
    check_probes(PROVIDER, backend_of(tryout_host))


def test_answers_are_read_strictly(tryout_host: TryoutHost) -> None:
    tryout_host.do("zfs", "create", f"{tryout_host.pool}/a")
    tryout_host.do("zfs", "snapshot", f"{tryout_host.pool}/a@s")

    check_reading(PROVIDER, backend_of(tryout_host), tryout_host.run)


def test_failures_are_explained(tryout_host: TryoutHost) -> None:
    check_explanations(PROVIDER, backend_of(tryout_host), Command(("zfs", "create", "tank/a")))


@pytest.mark.parametrize("stop_after", CUTS)
@pytest.mark.parametrize("number", range(6))
def test_a_dataset_lives_as_stated_even_when_each_change_is_cut_short(
    tryout_host: TryoutHost, number: int, stop_after: int | None
) -> None:
    backend = backend_of(tryout_host)

    check_life(PROVIDER, backend, tryout_host.run, samples(tryout_host.pool)[number], stop_after=stop_after)


@pytest.mark.parametrize("stop_after", CUTS)
@pytest.mark.parametrize("number", range(3))
def test_a_volume_lives_as_stated_even_when_each_change_is_cut_short(
    smartos: TryoutHost, number: int, stop_after: int | None
) -> None:
    check_life(PROVIDER, backend_of(smartos), smartos.run, volumes("zones")[number], stop_after=stop_after)


def test_parents_that_are_made_along_stay_unmarked(tryout_host: TryoutHost) -> None:
    sample = Sample(ObjectName("Dataset", f"{tryout_host.pool}/new/web"), {}, created_with={"createParents": True})

    check_life(PROVIDER, backend_of(tryout_host), tryout_host.run, sample)

    (parent,) = (found for found in seen(tryout_host) if found.name.name == f"{tryout_host.pool}/new")
    assert parent.mark is None


def test_a_clone_refers_to_what_it_was_made_from(tryout_host: TryoutHost) -> None:
    pool = tryout_host.pool
    tryout_host.do("zfs", "create", f"{pool}/golden")
    tryout_host.do("zfs", "snapshot", f"{pool}/golden@v1")
    backend = backend_of(tryout_host)
    sample = dataset(pool, {"origin": f"{pool}/golden@v1", "properties.atime": "off"}, {"properties.atime": None})
    tryout_host.do("zfs", "clone", f"{pool}/golden@v1", f"{pool}/other")

    check_life(PROVIDER, backend, tryout_host.run, sample)

    (other,) = (found for found in seen(tryout_host, REMOVAL) if found.name.name == f"{pool}/other")
    assert other.references == (ObjectName("Dataset", f"{pool}/golden"),)


def seen(host: TryoutHost, field: str = EVERY_FIELD) -> tuple[Observed, ...]:
    return look(backend_of(host), host.run, PROVIDER.kinds, (field,))


def test_the_number_of_commands_does_not_grow_with_the_number_of_objects(tryout_host: TryoutHost) -> None:
    seen(tryout_host)
    before = len(tryout_host.emulated.transcript())
    for number in range(20):
        tryout_host.emulated.drift(["zfs", "create", f"{tryout_host.pool}/d{number}"])
    tryout_host.emulated.clear_transcript()

    found = seen(tryout_host)

    assert len(tryout_host.emulated.transcript()) == before
    assert sum(1 for observed in found if "/d" in observed.name.name) >= 20


def test_a_removal_names_the_snapshots_that_it_was_told_of(tryout_host: TryoutHost) -> None:
    name = f"{tryout_host.pool}/a"
    for command in (("create", name), ("snapshot", f"{name}@one"), ("snapshot", f"{name}@two")):
        tryout_host.do("zfs", *command)
    backend = backend_of(tryout_host)
    (observed,) = (found for found in seen(tryout_host, REMOVAL) if found.name.name == name)
    change = Change(Key("hv01", "Dataset", name), Verb.DELETE, observed=observed)

    check_steps(PROVIDER, backend, change)

    assert [step.command.argv[-1] for step in backend.steps(change)] == [f"{name}@one", f"{name}@two", name]
    assert backend.confirmed(change, tryout_host.run(backend.confirm(change).command)) == observed


def test_a_daemon_that_is_down_makes_the_host_unreadable(tryout_host: TryoutHost) -> None:
    backend = backend_of(tryout_host)
    said = "Please make sure that the zfs-fuse daemon is running.\n"
    tryout_host.emulated.inject(Fault(kind=FaultKind.FAIL, tool="zfs", stderr=said))

    failed = tryout_host.run(backend.probes({"Dataset": frozenset()})[0].command)

    assert backend.explain(failed).retry is RetryClass.LATER


@pytest.mark.real
@pytest.mark.parametrize("stop_after", [None, 1])
def test_a_dataset_lives_as_stated_on_a_real_zfs(pool, stop_after: int | None) -> None:  # type: ignore[no-untyped-def]
    def run(command: Command) -> Completed:
        done: subprocess.CompletedProcess[bytes] = pool.daemon.run(*command.argv)
        if b"busy" in done.stderr:
            time.sleep(0.05)
        return Completed(command, Ending.EXITED, done.returncode, done.stdout.decode(), done.stderr.decode())

    backend = backend_for(PROVIDER, HostFacts("Linux", "", "", "boot", {}), run)
    check_reading(PROVIDER, backend, run)

    for sample in samples(pool.name):
        at = {"properties.mountpoint": f"{pool.mountpoint}/elsewhere"}
        fields = {**sample.fields, **(at if "properties.mountpoint" in sample.fields else {})}
        changed = {name: value for name, value in sample.changed.items() if name != "properties.mountpoint"}
        check_life(PROVIDER, backend, run, replace(sample, fields=fields, changed=changed), stop_after=stop_after)
