"""One look: absent, present and unreadable are three answers, and looking does not cost more where there is more to see."""

import asyncio
from collections.abc import Mapping

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.observe import Look, observe
from reconciler.model.change import Change
from reconciler.model.command import Completed, Failure, Outputs, Probe, RetryClass, Step, probe
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Provider, Refusal, Served, Support
from reconciler.provider.kind import Kind, Spec
from reconciler.provider.registry import Registry
from tests.hosts.conftest import Opener
from tests.hosts.fakes import Emulated, look_at, no_kept_facts
from tests.planning.world import NOW


def test_everything_on_the_host_is_seen(emulated: Opener) -> None:
    transport = emulated("smartos")
    transport.host.drift(["zfs", "create", "-o", "quota=1g", "zones/data"])
    transport.host.drift(["zfs", "create", "-V", "1g", "zones/disk"])

    inventory = asyncio.run(look_at(transport)).inventory

    assert inventory.is_complete
    assert inventory.objects[ObjectName("Dataset", "zones/data")].fields["properties.quota"] == 1 << 30
    assert inventory.objects[ObjectName("Volume", "zones/disk")].fields["size"] == 1 << 30
    assert ObjectName("Pool", "zones") in inventory.objects
    assert transport.changing == []


TROUBLE = [
    (
        Fault(FaultKind.FAIL, argv="^zfs get -Hp", stderr="I/O is currently suspended\n"),
        "exited with 1: I/O is currently suspended",
    ),
    (Fault(FaultKind.HANG, argv="^zfs get -Hp"), "did not end within 60 s"),
    (Fault(FaultKind.TRUNCATE, argv="^zfs get -Hp"), "output cut short"),
    (Fault(FaultKind.GARBAGE, argv="^zfs get -Hp"), "output line 1"),
    (Fault(FaultKind.LOST_REPLY, argv="^zfs get -Hp", exit_code=0), "at least the root of pool rpool"),
    (Fault(FaultKind.LOST_REPLY, argv="^zfs get -Hp", exit_code=-9), "was ended by a signal"),
]


@pytest.mark.parametrize(("fault", "cause"), TROUBLE)
def test_what_could_not_be_read_is_unreadable_and_names_the_whole_command(emulated: Opener, fault: Fault, cause: str) -> None:
    transport = emulated()
    transport.host.inject(fault)

    inventory = asyncio.run(look_at(transport)).inventory

    (trouble,) = inventory.unreadable
    assert cause in trouble.cause
    spoiled = next(command for command in transport.commands if str(command).startswith("zfs get -Hp"))
    assert f"`{spoiled}`" in trouble.cause
    assert trouble.provider == "zfs"
    assert trouble.kinds == ("Pool", "Dataset", "Volume")
    assert trouble.remedy
    assert inventory.objects == {}, "half of an answer is none"


def test_a_host_without_facts_has_every_kind_unreadable(emulated: Opener) -> None:
    transport = emulated()
    transport.host.inject(Fault(FaultKind.HANG, tool="uname"))

    inventory = asyncio.run(look_at(transport)).inventory

    (trouble,) = inventory.unreadable
    assert (inventory.facts, trouble.kinds) == (None, ("Pool", "Dataset", "Volume"))


def test_a_zfs_that_does_not_answer_is_unreadable_and_not_absent(emulated: Opener) -> None:
    transport = emulated()
    transport.host.inject(
        Fault(FaultKind.FAIL, argv="^zfs", times=None, stderr="internal error: failed to initialize ZFS library\n")
    )

    look = asyncio.run(look_at(transport))

    assert [trouble.provider for trouble in look.inventory.unreadable] == ["zfs"]
    assert look.unserved == {}


def commands_for(transport: Emulated) -> list[str]:
    transport.commands.clear()
    asyncio.run(look_at(transport))
    return transport.argvs


def test_the_commands_of_a_look_do_not_grow_with_the_objects(emulated: Opener) -> None:
    transport = emulated()
    for number in range(3):
        transport.host.drift(["zfs", "create", f"tank/d{number}"])
    few = commands_for(transport)

    for number in range(3, 300):
        transport.host.drift(["zfs", "create", "-o", "canmount=off", f"tank/d{number}"])
        if number % 30 == 0:
            transport.host.drift(["zfs", "snapshot", f"tank/d{number}@s"])
    many = commands_for(transport)

    assert many == few


class Shape(Spec):
    """Nothing to say."""


class Asking:
    """A backend that looks at things by one command of the emulated host, under a name of its own."""

    kind = "Thing"
    name = "things.list"
    reads = ("hostname",)

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        del facts
        return Support(Served.YES)

    def __init__(self, facts: HostFacts) -> None:
        del facts

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        del fields
        return (probe(self.name, *self.reads),)

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        del fields
        return (Observed(ObjectName(self.kind, outputs[self.name].stdout.strip()), {}),)

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        del kind, field, value
        return None

    def steps(self, change: Change) -> tuple[Step, ...]:
        del change
        return ()

    def pool(self, name: str) -> str:
        del name
        return ""

    def confirm(self, change: Change) -> Probe:
        return probe("confirm", *self.reads, change.key.name)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        raise ReadError(0, str(change.key), answer.stdout)

    def explain(self, failed: Completed) -> Failure:
        return Failure(f"{failed.command} failed", "look", RetryClass.LATER)


class AskingToo(Asking):
    kind, name = "Other", "others.list"


class Absent(Asking):
    kind, name = "Absent", "absent.list"

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        del facts
        return Support(Served.NO, "this system has no such thing", "move it")


class Mute(Asking):
    kind, name = "Mute", "mute.list"

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        del facts
        return Support(Served.UNREADABLE, "its daemon does not answer", "start it")


def provider(backend: type[Asking]) -> Provider:
    kind = Kind(backend.kind, Shape, "a thing")
    return Provider(backend.kind.lower(), "things", (kind,), lambda _system: (backend,))


def look_with(transport: Emulated, *backends: type[Asking]) -> Look:
    registry = Registry.of([provider(backend) for backend in backends])
    wanted = {kind: frozenset[str]() for kind in registry.kinds}
    return asyncio.run(observe("hv01", transport, registry, wanted, identity={}, kept_facts=no_kept_facts, now=lambda: NOW))


def test_equal_probes_of_two_providers_run_once(emulated: Opener) -> None:
    transport = emulated()

    look = look_with(transport, Asking, AskingToo)

    assert look.inventory.objects.keys() == {ObjectName("Thing", "hv01"), ObjectName("Other", "hv01")}
    assert transport.argvs.count("hostname") == 1


def test_a_kind_that_the_system_lacks_is_unserved_with_the_reason(emulated: Opener) -> None:
    look = look_with(emulated(), Asking, Absent)

    assert look.unserved == {"Absent": "this system has no such thing"}
    assert look.backends.keys() == {"Thing"}
    assert look.inventory.is_complete


def test_a_provider_that_cannot_tell_leaves_its_kinds_unreadable_and_the_others_alone(emulated: Opener) -> None:
    look = look_with(emulated(), Asking, Mute)

    (trouble,) = look.inventory.unreadable
    assert (trouble.kinds, trouble.cause, trouble.remedy) == (("Mute",), "its daemon does not answer", "start it")
    assert look.inventory.objects.keys() == {ObjectName("Thing", "hv01")}


def test_kinds_that_nobody_asks_for_are_not_looked_at(emulated: Opener) -> None:
    transport = emulated()
    registry = Registry.of([provider(Asking), provider(AskingToo)])

    look = asyncio.run(observe("hv01", transport, registry, {}, identity={}, kept_facts=no_kept_facts, now=lambda: NOW))

    assert look.inventory.objects == {}
    assert "hostname" not in transport.argvs
