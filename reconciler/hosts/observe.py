"""One look at one host: every provider's probes side by side, read strictly."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.hosts.by_name import by_name
from reconciler.hosts.facts import FactsUnreadableError, WrongHostError, how_it_ended, read_facts
from reconciler.hosts.transport import Transport
from reconciler.model.command import Completed, Outputs, Probe
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import Inventory, Observed, Unreadable
from reconciler.provider.contract import Backend, Provider, Served
from reconciler.provider.registry import Registry

Wanted = Mapping[str, frozenset[str]]
"""Kind to the field names that a pass needs."""


@dataclass(frozen=True, slots=True)
class Look:
    """An inventory and who can act on it. `unserved` says why a kind does not exist on this system."""

    inventory: Inventory
    backends: Mapping[str, Backend] = field(default_factory=dict)
    unserved: Mapping[str, str] = field(default_factory=dict)
    facts_are_new: bool = False


@dataclass(frozen=True, slots=True)
class _Chosen:
    backend: Backend | None = None
    unserved: str = ""
    unreadable: Unreadable | None = None


async def observe(
    host: str,
    transport: Transport,
    registry: Registry,
    wanted: Wanted,
    *,
    identity: Mapping[str, str],
    kept_facts: Callable[[str], HostFacts | None],
    now: Callable[[], datetime],
) -> Look:
    """Looks at all objects of the kinds in `wanted`. What can't be read is in the inventory as unreadable, never raised."""
    everything = tuple(kind for kind in registry.kinds)
    try:
        facts, anew = await read_facts(transport, registry.providers, identity, kept_facts)
    except WrongHostError as trouble:
        return Look(Inventory(host, now(), None, wrong_host=trouble.cause))
    except FactsUnreadableError as trouble:
        blind = Unreadable("host", everything, trouble.cause, trouble.remedy)
        return Look(Inventory(host, now(), None, unreadable=(blind,)))
    chosen = {provider.name: _choose(provider, facts) for provider in registry.providers}
    backends: dict[str, Backend] = {}
    unserved: dict[str, str] = {}
    for provider in registry.providers:
        choice = chosen[provider.name]
        for kind in provider.kinds:
            if choice.backend is not None:
                backends[kind.name] = choice.backend
            elif choice.unserved:
                unserved[kind.name] = choice.unserved
    began = now()
    objects, unreadable = await _read_all(transport, registry.providers, chosen, wanted)
    inventory = Inventory(host, began, facts, objects, unreadable)
    return Look(inventory, backends, unserved, anew)


def _choose(provider: Provider, facts: HostFacts) -> _Chosen:
    refusals = []
    for backend in provider.backends(facts.system):
        support = backend.serves(facts)
        if support.served is Served.YES:
            return _Chosen(backend(facts))
        if support.served is Served.UNREADABLE:
            kinds = tuple(kind.name for kind in provider.kinds)
            return _Chosen(unreadable=Unreadable(provider.name, kinds, support.cause, support.remedy))
        refusals.append(support.cause)
    return _Chosen(unserved=refusals[0] if refusals else f"provider {provider.name} has no backend for {facts.system}")


async def _read_all(
    transport: Transport, providers: Sequence[Provider], chosen: Mapping[str, _Chosen], wanted: Wanted
) -> tuple[dict[ObjectName, Observed], tuple[Unreadable, ...]]:
    asked: dict[str, tuple[Probe, ...]] = {}
    needs: dict[str, Wanted] = {}
    for provider in providers:
        backend = chosen[provider.name].backend
        need = {kind.name: wanted[kind.name] for kind in provider.kinds if kind.name in wanted}
        if backend is not None and need:
            needs[provider.name] = need
            asked[provider.name] = backend.probes(need)
    # Equal probes of two providers run once.
    commands = {probe.command: None for probes in asked.values() for probe in probes}
    answers = dict(zip(commands, await asyncio.gather(*(transport.run(command) for command in commands)), strict=True))
    objects: list[Observed] = []
    unreadable = []
    for provider in providers:
        choice = chosen[provider.name]
        if choice.unreadable is not None:
            unreadable.append(choice.unreadable)
        if choice.backend is None or provider.name not in asked:
            continue
        outputs = {probe.name: answers[probe.command] for probe in asked[provider.name]}
        read = _read(provider, choice.backend, outputs, needs[provider.name])
        if isinstance(read, Unreadable):
            unreadable.append(read)
        else:
            objects.extend(read)
    return by_name(objects), tuple(unreadable)


def _read(provider: Provider, backend: Backend, outputs: Outputs, need: Wanted) -> tuple[Observed, ...] | Unreadable:
    kinds = tuple(kind.name for kind in provider.kinds)
    for answer in outputs.values():
        if not answer.succeeded:
            failure = backend.explain(answer)
            cause = f"`{answer.command}` {how_it_ended(answer)}"
            return Unreadable(provider.name, kinds, cause, failure.remedy)
    try:
        return backend.read(outputs, need)
    except ReadError as trouble:
        return Unreadable(provider.name, kinds, f"{_commands(outputs)}: {trouble.cause}", "run the command by hand and look")


def _commands(outputs: Mapping[str, Completed]) -> str:
    return " and ".join(f"`{answer.command}`" for answer in outputs.values())
