"""The checks that we ship to plugin authors notice a provider that breaks the contract."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from providers.zfs import PROVIDER
from providers.zfs.backend import ZfsBackend
from providers.zfs.kinds import DATASET
from reconciler.model.change import Change, Verb
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, RetryClass, Step
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed
from reconciler.model.value import Scalar, Value
from reconciler.provider import checks
from reconciler.provider.checks import ContractError, backend_for
from reconciler.provider.contract import Backend, Provider
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import Kind
from reconciler.provider.life import Sample, check_life
from tests.providers.conftest import TryoutHost

SAMPLE = Sample(ObjectName("Dataset", "zones/checked"), {"properties.atime": "off"}, {"properties.atime": None})


def with_backend(backend: type[Backend]) -> Provider:
    return replace(PROVIDER, backends=lambda _system: (backend,))


def with_kind(kind: Kind) -> Provider:
    return replace(PROVIDER, kinds=(kind,))


def crashes(_: Scalar) -> Value:
    raise KeyError("a bug")


def drifts(value: Scalar) -> Value:
    return f"{value}!"


class OneField(DATASET.spec):  # type: ignore[name-defined,misc]
    unruled: int = 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (replace(DATASET, summary=""), "no summary"),
        (replace(DATASET, name="dataset"), "capitalised"),
        (replace(DATASET, contained_in=("Folder",)), "nobody has: Folder"),
        (replace(DATASET, completion={"origin": True}), "a field and a completion"),
        (replace(DATASET, spec=OneField), "unruled: it has no rule"),
    ],
)
def test_a_kind_that_is_not_described_is_noticed(kind: Kind, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        checks.check_kinds(with_kind(kind))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (FieldRule(canonical=crashes, summary="x"), "raises KeyError"),
        (FieldRule(canonical=drifts, summary="x"), "becomes"),
        (FieldRule(), "no summary"),
        (FieldRule(refers_to=("Folder",), summary="x"), "nobody has: Folder"),
    ],
)
def test_a_rule_that_can_not_be_relied_on_is_noticed(rule: FieldRule, said: str) -> None:
    kind = replace(DATASET)
    kind.__dict__["rules"] = {**DATASET.rules, "origin": rule}

    with pytest.raises(ContractError, match=said):
        checks.check_kinds(with_kind(kind))


class ReadsWhatItCan(ZfsBackend):
    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        try:
            return super().read(outputs, fields)
        except ReadError:
            return ()


class AsksByChance(ZfsBackend):
    asked = 0

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        type(self).asked += 1
        return (Probe(f"zfs.{self.asked}", Command(("/sbin/zfs", "list"))),)


class ExplainsNothing(ZfsBackend):
    def explain(self, failed: Completed) -> Failure:
        return Failure("it failed", "", RetryClass.NOW)


class SaysNothingDestroys(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        return tuple(replace(step, destructive=False) for step in super().steps(change))


class ForgetsTheMark(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        if change.verb is Verb.CREATE:
            return (Step(Command(("zfs", "create", "-o", "atime=off", change.key.name))),)
        return super().steps(change)


class LeavesItThere(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        looks = Command(("zfs", "list"))
        return tuple(replace(step, command=looks) if step.destructive else step for step in super().steps(change))


class DestroysInsteadOfKeeping(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        return super().steps(replace(change, verb=Verb.DELETE) if change.verb is Verb.TRASH else change)


class LeavesItOutOfTheTrash(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        return tuple(
            step for step in super().steps(change) if change.verb is not Verb.TRASH or "rename" not in step.command.argv
        )


class GivesNothingBack(ZfsBackend):
    def steps(self, change: Change) -> tuple[Step, ...]:
        return super().steps(change)[:1] if change.verb is Verb.RESTORE else super().steps(change)


def backend_of(backend: type[Backend], host: TryoutHost) -> Backend:
    return backend_for(with_backend(backend), host.facts, host.run)


def test_a_reader_that_makes_do_with_less_is_noticed(smartos: TryoutHost) -> None:
    backend = backend_of(ReadsWhatItCan, smartos)

    with pytest.raises(ContractError, match="is read as 0 objects"):
        checks.check_reading(PROVIDER, backend, smartos.run)


@pytest.mark.parametrize("said", ["differ from call to call", "bare name of a tool", "is a probe and says"])
def test_probes_that_are_no_probes_are_noticed(smartos: TryoutHost, said: str) -> None:
    backend = backend_of(AsksByChance, smartos)

    with pytest.raises(ContractError, match=said):
        checks.check_probes(PROVIDER, backend)


@pytest.mark.parametrize("said", ["without cause or remedy", "leaves out what the tool said", "must be lookAgain"])
def test_failures_that_are_not_explained_are_noticed(smartos: TryoutHost, said: str) -> None:
    backend = backend_of(ExplainsNothing, smartos)

    with pytest.raises(ContractError, match=said):
        checks.check_explanations(PROVIDER, backend, Command(("zfs", "list")))


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        (SaysNothingDestroys, "no step is marked destructive"),
        (ForgetsTheMark, "the mark on the host is None"),
        (LeavesItThere, "still there after its removal"),
        (DestroysInsteadOfKeeping, "destroys what goes into the trash"),
        (DestroysInsteadOfKeeping, "no step takes one more look first"),
        (DestroysInsteadOfKeeping, "nothing in the trash bears its mark"),
        (LeavesItOutOfTheTrash, "still there after it went into the trash"),
        (GivesNothingBack, "back from the trash, trashed is"),
    ],
)
def test_a_life_that_does_not_go_as_planned_is_noticed(smartos: TryoutHost, backend: type[Backend], said: str) -> None:
    broken = backend_of(backend, smartos)

    with pytest.raises(ContractError, match=said):
        check_life(PROVIDER, broken, smartos.run, SAMPLE)


def test_a_probe_that_fails_is_no_empty_host(smartos: TryoutHost) -> None:
    backend = backend_of(ZfsBackend, smartos)

    def fails(command: Command) -> Completed:
        return replace(smartos.run(command), exit_code=1, stderr="no\n")

    with pytest.raises(ContractError, match="exited with 1"):
        checks.look(backend, fails, PROVIDER.kinds)


def test_a_host_that_no_backend_serves_is_said_so(smartos: TryoutHost) -> None:
    def nothing_installed(command: Command) -> Completed:
        return replace(smartos.run(command), exit_code=127, stdout="", stderr="not found\n")

    with pytest.raises(ContractError, match="0 backends of zfs serve SunOS"):
        backend_for(PROVIDER, HostFacts("SunOS", "5.11", "", "boot", {}), nothing_installed)
