"""Facts: what machine this is, and what its tools can do. Identity is checked before anything else is run."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.errors import ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.provider.contract import Provider

FACT_DEADLINE_S = 20.0
_NO_SUCH_TOOL = 127


class WrongHostError(ReconcilerError):
    """The machine is not the one that the Host manifest names."""


class FactsUnreadableError(ReconcilerError):
    """The machine could not be asked what it is."""


async def read_facts(
    transport: Transport,
    providers: Iterable[Provider],
    expected: Mapping[str, str],
    kept: Callable[[str], HostFacts | None],
) -> tuple[HostFacts, bool]:
    """The host's facts, and whether they were read anew.

    `expected` is the Host's `spec.identity`; `kept` gives facts read earlier in the boot with that id. Raises WrongHostError
    or FactsUnreadableError.
    """
    system, hostname, release, version = await _uname(transport)
    known = {"hostname": hostname}
    _check(expected, known)
    boot_id = await _boot_id(transport, system)
    facts = kept(boot_id)
    if facts is not None and facts.identity.get("hostname") == hostname and expected.keys() <= facts.identity.keys():
        _check(expected, facts.identity, whole=True)
        return facts, False
    known |= await _ids(transport, system, version, expected)
    _check(expected, known, whole=True)
    probes = [probe for provider in providers for probe in provider.fact_probes(system)]
    answers = await asyncio.gather(*(transport.run(probe.command) for probe in probes))
    probed = {probe.name: answer for probe, answer in zip(probes, answers, strict=True)}
    return HostFacts(system, release, version, boot_id, known, probed), True


def _check(expected: Mapping[str, str], found: Mapping[str, str], *, whole: bool = False) -> None:
    """WrongHostError when a stated name differs, or (`whole`) when the machine has none."""
    for name, wanted in expected.items():
        there = found.get(name, "" if whole else None)
        if there is not None and there.lower() != wanted.lower():
            raise WrongHostError(
                f"the machine's {name} is {there or 'unknown'}, and spec.identity says {wanted}",
                remedy="correct spec.identity of the Host, or what its transport points at",
            )


async def _uname(transport: Transport) -> tuple[str, str, str, str]:
    answer = await _ask(transport, "uname", "-snrv")
    parts = answer.stdout.rstrip("\n").split(" ", 3)
    if len(parts) != 4 or not all(_is_plain(part) for part in parts):
        raise _no_fact(answer, "system, name, release and version")
    return parts[0], parts[1], parts[2], parts[3]


async def _boot_id(transport: Transport, system: str) -> str:
    if system == "Linux":
        answer = await _ask(transport, "cat", "/proc/sys/kernel/random/boot_id")
    else:
        answer = await _ask(transport, "kstat", "-p", "unix:0:system_misc:boot_time")
    boot_id = answer.stdout.split()[-1]
    if not _is_plain(boot_id):
        raise _no_fact(answer, "what tells one boot from another")
    return boot_id


async def _ids(transport: Transport, system: str, version: str, expected: Mapping[str, str]) -> dict[str, str]:
    """The ids that the machine has; one that it lacks is left out.

    Marks name the machine by one of these, so one that it has and that could not be read may not pass for one that it lacks.
    """
    if system == "Linux":
        found = await _asked_ids(transport, {"machineId": ("cat", "/etc/machine-id")})
        # `hostid` there looks the host's own name up, which takes many seconds where no name server answers.
        return found if found and "hostId" not in expected else found | await _asked_ids(transport, _HOST_ID)
    return await _asked_ids(transport, _HOST_ID | ({"systemUuid": ("sysinfo",)} if version.startswith("joyent") else {}))


_HOST_ID: dict[str, tuple[str, ...]] = {"hostId": ("hostid",)}


async def _asked_ids(transport: Transport, asked: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    answers = await asyncio.gather(*(transport.run(_command(*argv)) for argv in asked.values()))
    found = {}
    for name, answer in zip(asked, answers, strict=True):
        if answer.succeeded and (value := _system_uuid(answer) if name == "systemUuid" else answer.stdout.strip()):
            if not _is_plain(value):
                raise _no_fact(answer, "an id on one line")
            found[name] = value
        elif not answer.succeeded and not _says_absent(answer):
            raise _unreadable(answer)
    return found


def _says_absent(answer: Completed) -> bool:
    """Whether the machine has no such tool or file, as a shell or `cat` tells it."""
    missing_tool = answer.ending is Ending.NOT_FOUND or answer.exit_code == _NO_SUCH_TOOL
    return missing_tool or (answer.ending is Ending.EXITED and "No such file or directory" in answer.stderr)


def _system_uuid(answer: Completed) -> str:
    """`UUID` in the JSON of `sysinfo` (smartos-vmadm.md, 12)."""
    import json

    try:
        return str(json.loads(answer.stdout)["UUID"])
    except (ValueError, KeyError, TypeError) as trouble:
        raise _no_fact(answer, "JSON with a UUID") from trouble


async def _ask(transport: Transport, *argv: str) -> Completed:
    answer = await transport.run(_command(*argv))
    if not answer.succeeded or not answer.stdout.strip():
        raise _unreadable(answer)
    return answer


def _unreadable(answer: Completed) -> FactsUnreadableError:
    remedy = "check the transport, and that the tool is on its PATH"
    return FactsUnreadableError(f"`{answer.command}` {how_it_ended(answer)}", remedy=remedy)


def _is_plain(text: str) -> bool:
    """Whether this can be a name, an id or a version at all, and not what is left of a damaged answer."""
    return text.isascii() and text.isprintable()


def _no_fact(answer: Completed, expected: str) -> FactsUnreadableError:
    return FactsUnreadableError(
        f"`{answer.command}` printed {answer.stdout[:80]!r}, not {expected}",
        remedy=f"check what {answer.command.argv[0]} is on the host's PATH",
    )


def _command(*argv: str) -> Command:
    return Command(argv, changes=False, deadline_s=FACT_DEADLINE_S)


def how_it_ended(answer: Completed) -> str:
    """`exited with 1: text`, as the end of a sentence that begins with the command."""
    said = " / ".join(answer.stderr.strip().splitlines()[:3]) or "nothing on stderr"
    match answer.ending:
        case Ending.EXITED:
            return f"exited with {answer.exit_code}: {said}"
        case Ending.SIGNALLED:
            return f"was ended by a signal: {said}"
        case Ending.DEADLINE:
            return f"did not end within {answer.command.deadline_s:.0f} s"
        case Ending.LOST:
            return f"gave no answer: {said}"
        case Ending.TOO_MUCH:
            return "printed more than any listing can be"
        case Ending.NOT_FOUND:
            return f"could not be run: {said}"
