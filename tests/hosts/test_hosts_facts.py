"""Facts: what machine this is. Its identity is checked before anything else runs there."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.emulation.faults import Fault, FaultKind
from reconciler.hosts.facts import FactsUnreadableError, WrongHostError, read_facts
from reconciler.model.command import Command, Completed
from reconciler.model.facts import HostFacts
from tests.hosts.conftest import Opener
from tests.hosts.fakes import REGISTRY, Emulated, look_at, no_kept_facts

Kept = Callable[[str], HostFacts | None]


def facts_of(transport: Emulated, kept: Kept = no_kept_facts, **identity: str) -> tuple[HostFacts, bool]:
    return asyncio.run(read_facts(transport, REGISTRY.providers, identity, kept))


@pytest.mark.parametrize(
    ("system", "kernel", "ids"),
    [
        ("omnios", "SunOS", {"hostname", "hostId"}),
        ("smartos", "SunOS", {"hostname", "hostId", "systemUuid"}),
        ("linux-zfs-fuse", "Linux", {"hostname", "machineId"}),
    ],
)
def test_facts_come_from_commands_on_the_host(emulated: Opener, system: str, kernel: str, ids: set[str]) -> None:
    transport = emulated(system)

    facts, anew = facts_of(transport)

    assert (facts.system, facts.identity["hostname"], anew) == (kernel, "hv01", True)
    assert facts.identity.keys() == ids
    assert facts.probed.keys() == {probe.name for probe in REGISTRY.providers[0].fact_probes(kernel)}
    assert facts.boot_id
    assert transport.changing == []


def test_linux_is_asked_for_the_id_that_takes_a_name_server_only_where_it_is_wanted(emulated: Opener) -> None:
    transport = emulated("linux-zfs-fuse")
    first, _ = facts_of(transport)
    assert "hostid" not in transport.argvs

    wanted = asyncio.run(transport.run(Command(("hostid",), changes=False))).stdout.strip()
    kept, anew = facts_of(transport, lambda _boot: first, hostId=wanted)

    assert anew
    assert kept.identity["hostId"] == wanted
    assert facts_of(transport, lambda _boot: kept, hostId=wanted) == (kept, False)


def test_a_host_of_another_name_is_refused_after_one_command(emulated: Opener) -> None:
    transport = emulated()

    with pytest.raises(WrongHostError, match=r"the machine's hostname is hv01, and spec\.identity says hv02"):
        facts_of(transport, hostname="hv02")

    assert transport.argvs == ["uname -snrv"]


@pytest.mark.parametrize(
    ("system", "name"),
    [("omnios", "hostId"), ("smartos", "systemUuid"), ("linux-zfs-fuse", "machineId"), ("omnios", "machineId")],
)
def test_a_host_of_another_id_is_refused_before_any_tool_of_a_provider_runs(emulated: Opener, system: str, name: str) -> None:
    transport = emulated(system)

    with pytest.raises(WrongHostError, match=f"the machine's {name} is "):
        facts_of(transport, **{name: "another"})

    assert {command.argv[0] for command in transport.commands} <= {"uname", "kstat", "cat", "hostid", "sysinfo"}


def test_ids_are_compared_whatever_their_case(emulated: Opener) -> None:
    transport = emulated()
    known = facts_of(transport)[0].identity["hostId"]

    assert facts_of(transport, hostId=known.upper(), hostname="HV01")[1]


def test_the_wrong_host_is_told_in_the_inventory_and_nothing_is_looked_at(emulated: Opener) -> None:
    transport = emulated()

    look = asyncio.run(look_at(transport, hostname="hv02"))

    assert look.inventory.wrong_host == "the machine's hostname is hv01, and spec.identity says hv02"
    assert not look.inventory.is_complete
    assert (look.inventory.objects, look.backends) == ({}, {})
    assert transport.argvs == ["uname -snrv"]


def test_facts_are_kept_within_a_boot(emulated: Opener) -> None:
    transport = emulated()
    known, _ = facts_of(transport)
    transport.commands.clear()

    again, anew = facts_of(transport, lambda boot_id: known if boot_id == known.boot_id else None)

    assert (again, anew) == (known, False)
    assert transport.argvs == ["uname -snrv", "kstat -p unix:0:system_misc:boot_time"]


def test_facts_are_not_kept_across_boots(emulated: Opener) -> None:
    transport = emulated()
    known, _ = facts_of(transport)
    transport.host.reboot()

    again, anew = facts_of(transport, lambda boot_id: known if boot_id == known.boot_id else None)

    assert anew
    assert again.boot_id != known.boot_id


def test_facts_of_another_machine_are_not_taken_for_this_ones(emulated: Opener) -> None:
    transport = emulated()
    known, _ = facts_of(transport)
    stranger = HostFacts(known.system, known.release, known.version, known.boot_id, {"hostname": "hv02"})

    assert facts_of(transport, lambda _boot_id: stranger)[0].identity["hostname"] == "hv01"


@pytest.mark.parametrize("identity", [{"hostId": "another"}, {"machineId": "one that this machine lacks"}])
def test_the_identity_is_checked_against_kept_facts_too(emulated: Opener, identity: dict[str, str]) -> None:
    transport = emulated()
    known, _ = facts_of(transport)

    with pytest.raises(WrongHostError):
        facts_of(transport, lambda _boot_id: known, **identity)


FAULTS = [
    ("omnios", Fault(FaultKind.FAIL, tool="uname", stderr="no\n"), "`uname -snrv` exited with 1: no"),
    ("omnios", Fault(FaultKind.HANG, tool="uname"), "`uname -snrv` did not end within 20 s"),
    ("omnios", Fault(FaultKind.GARBAGE, tool="uname"), "`uname -snrv` printed"),
    ("omnios", Fault(FaultKind.FAIL, tool="kstat"), "`kstat -p unix:0:system_misc:boot_time` exited with 1"),
    ("linux-zfs-fuse", Fault(FaultKind.HANG, argv="boot_id"), "`cat /proc/sys/kernel/random/boot_id` did not end"),
]


@pytest.mark.parametrize(("system", "fault", "cause"), FAULTS)
def test_a_machine_that_does_not_say_what_it_is_is_unreadable(emulated: Opener, system: str, fault: Fault, cause: str) -> None:
    transport = emulated(system)
    transport.host.inject(fault)

    with pytest.raises(FactsUnreadableError, match=cause):
        facts_of(transport)


@pytest.mark.parametrize(
    ("system", "fault", "reason"),
    [
        ("smartos", Fault(FaultKind.FAIL, tool="sysinfo", stderr="busy\n"), "its marks hold the system's uuid, not its hostid"),
        ("smartos", Fault(FaultKind.HANG, tool="sysinfo"), "no answer is no absence"),
        ("linux-zfs-fuse", Fault(FaultKind.FAIL, argv="machine-id", stderr="cat: Input/output error\n"), "nor is a bad disk"),
        ("omnios", Fault(FaultKind.FAIL, tool="hostid"), "it has one, and it could not be read"),
    ],
)
def test_an_id_that_could_not_be_read_does_not_pass_for_one_that_the_machine_lacks(
    emulated: Opener, system: str, fault: Fault, reason: str
) -> None:
    transport = emulated(system)
    transport.host.inject(fault)

    with pytest.raises(FactsUnreadableError) as failed:
        facts_of(transport)
    assert failed.value.remedy == "check the transport, and that the tool is on its PATH", reason


def test_an_id_that_the_machine_lacks_is_left_out(emulated: Opener) -> None:
    transport = emulated("linux-zfs-fuse")
    missing = "cat: /etc/machine-id: No such file or directory\n"
    transport.host.inject(Fault(FaultKind.FAIL, argv="machine-id", stderr=missing))

    assert "machineId" not in facts_of(transport)[0].identity


def test_a_system_that_describes_itself_in_no_json_is_unreadable(emulated: Opener) -> None:
    transport = emulated("smartos")
    transport.host.inject(Fault(FaultKind.TRUNCATE, tool="sysinfo"))

    with pytest.raises(FactsUnreadableError):
        facts_of(transport)

    transport.host.inject(Fault(FaultKind.TRUNCATE, tool="sysinfo"))
    (trouble,) = asyncio.run(look_at(transport)).inventory.unreadable
    assert "`sysinfo` printed" in trouble.cause


class Saying(Emulated):
    """Tools of which one prints something else."""

    def __init__(self, emulated: Emulated, tool: str, said: str) -> None:
        super().__init__(emulated.host)
        self.tool, self.said = tool, said

    async def run(self, command: Command) -> Completed:
        answer = await super().run(command)
        return replace(answer, stdout=self.said) if command.argv[0] == self.tool else answer


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("uname", "SunOS hv01 5.11 omnios\x1b[31m\n"),
        ("kstat", "unix:0:system_misc:boot\udca5\n"),
        ("hostid", "0000abcd\nrubbish\n"),
    ],
)
def test_a_fact_that_is_no_text_is_told_by_its_command(emulated: Opener, tool: str, said: str) -> None:
    with pytest.raises(FactsUnreadableError, match=f"^`{tool}.*` printed "):
        facts_of(Saying(emulated("omnios"), tool, said))
