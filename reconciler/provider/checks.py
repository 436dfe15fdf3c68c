"""The contract as checks that a plugin's author runs in tests, with a host to try things on.

Each check collects everything it finds and raises one ContractError. A host is any function from a command to its end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from reconciler.model.change import REMOVALS, Change, Verb
from reconciler.model.command import Command, Completed, Ending, RetryClass
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.model.value import Scalar
from reconciler.provider.contract import Backend, Provider, Served
from reconciler.provider.field import FieldRule
from reconciler.provider.kind import Kind
from reconciler.provider.registry import KNOWN_KINDS, RESERVED_KINDS

Run = Callable[[Command], Completed]
"""Runs a command on the host that the checks may change."""

_ODD_VALUES: tuple[Scalar, ...] = (
    True,
    0,
    -1,
    1.5,
    "",
    " ",
    "\n",
    "\x00",
    "none",
    "10GiB",
    "a" * 5000,
    "ä",
    "🙂",
    "-x",
    "../x",
)
SYSTEMS = ("SunOS", "Linux")
"""Kinds of system that there are backends for, as `uname -s` names them."""

_RUBBISH = "\x00\ufffd\x1b[31mgarbage\t\t\n\x00\n"
_SAID = "something that no tool has ever said"


class ContractError(AssertionError):
    """A provider breaks the contract; the text lists how."""


def backend_for(provider: Provider, facts: HostFacts, run: Run) -> Backend:
    """The provider's backend for a host, chosen as the engine does it; ContractError when none or more than one serves it."""
    probed = {probe.name: run(probe.command) for probe in provider.fact_probes(facts.system)}
    whole = replace(facts, probed=probed)
    backends = provider.backends(facts.system)
    serving = [backend for backend in backends if backend.serves(whole).served is Served.YES]
    if len(serving) != 1:
        said = "; ".join(f"{backend.__name__}: {backend.serves(whole)}" for backend in backends)
        raise ContractError(f"{len(serving)} backends of {provider.name} serve {facts.system} ({said})")
    return serving[0](whole)


def check_kinds(provider: Provider) -> None:
    """Every kind and field is described, refers to kinds that exist, and judges any value by InvalidValue alone."""
    raise_for(provider.name, (finding for kind in provider.kinds for finding in _kind_findings(kind, provider)))


def check_probes(provider: Provider, backend: Backend) -> None:
    """Probes only look, have names of their own, and depend on nothing but the fields asked for."""
    raise_for(provider.name, _probe_findings(provider, backend))


def check_reading(provider: Provider, backend: Backend, run: Run) -> None:
    """Answers are read alike each time; cut off or replaced by garbage they are a ReadError, never fewer objects."""
    raise_for(provider.name, _reading_findings(provider, backend, run))


def check_explanations(provider: Provider, backend: Backend, command: Command) -> None:
    """Every way for a command to fail has a cause, a remedy and the retry class that it must have."""
    raise_for(provider.name, _explanation_findings(backend, command))


def check_steps(provider: Provider, backend: Backend, change: Change) -> None:
    """The steps of a change are the same each time, and only those of a removal destroy."""
    raise_for(provider.name, step_findings(backend, change))


def look(backend: Backend, run: Run, kinds: Iterable[Kind], fields: Iterable[str] = (EVERY_FIELD,)) -> tuple[Observed, ...]:
    """What the backend sees of these kinds. ContractError when a probe fails, ReadError when an answer can't be read."""
    wanted = {kind.name: frozenset(fields) for kind in kinds}
    return backend.read(_answers(backend, run, wanted), wanted)


def _answers(backend: Backend, run: Run, wanted: Mapping[str, frozenset[str]]) -> Mapping[str, Completed]:
    """The answers to the probes by name; ContractError when one fails."""
    outputs = {probe.name: run(probe.command) for probe in backend.probes(wanted)}
    for answer in outputs.values():
        if not answer.succeeded:
            raise ContractError(f"`{answer.command}` exited with {answer.exit_code}: {answer.stderr.strip()}")
    return outputs


def raise_for(provider: str, findings: Iterable[str]) -> None:
    """One ContractError that lists all findings; nothing where there are none."""
    if found := list(findings):
        raise ContractError(f"provider {provider} breaks the contract:\n" + "\n".join(found))


def _kind_findings(kind: Kind, provider: Provider) -> Iterator[str]:
    known = {*KNOWN_KINDS, *RESERVED_KINDS, *(other.name for other in provider.kinds)}
    if not (kind.name[:1].isupper() and kind.name.isalnum()):
        yield f"{kind.name}: a kind's name is one capitalised word"
    if not kind.summary:
        yield f"{kind.name}: it has no summary"
    if unknown := set(kind.contained_in) - known:
        yield f"{kind.name}: it lies in kinds that nobody has: {', '.join(sorted(unknown))}"
    ruled = kind.rules.keys() | kind.entries.keys() | kind.items.keys()
    for name in kind.spec.model_fields.keys() - {name.partition(".")[0] for name in ruled}:
        yield f"{kind.name}.{name}: it has no rule"
    for name in kind.completion.keys() & ruled:
        yield f"{kind.name}.{name}: it is a field and a completion"
    for name, items in kind.items.items():
        below = kind.item_rules[name].keys() | kind.item_entries[name].keys()
        for field_name in items.item.model_fields.keys() - {items.key} - {one.partition(".")[0] for one in below}:
            yield f"{kind.name}.{name}[].{field_name}: it has no rule"
    for name, rule in kind.every_rule.items():
        for finding in _rule_findings(rule, known):
            yield f"{kind.name}.{name}: {finding}"


def _rule_findings(rule: FieldRule, known: set[str]) -> Iterator[str]:
    if not rule.summary:
        yield "it has no summary"
    if unknown := set(rule.refers_to) - known:
        yield f"it refers to kinds that nobody has: {', '.join(sorted(unknown))}"
    if rule.canonical is None:
        return
    for value in _ODD_VALUES:
        try:
            once = rule.canonical(value)
        except InvalidValue as refusal:
            if not (refusal.cause and refusal.remedy):
                yield f"{value!r} is refused without cause or remedy"
            continue
        except Exception as trouble:  # noqa: BLE001 - any other error is the finding: a provider may raise InvalidValue alone
            yield f"{value!r} raises {type(trouble).__name__} and not InvalidValue"
            continue
        if once is None or isinstance(once, tuple):
            continue
        if rule.canonical(once) != once:
            yield f"{value!r} becomes {once!r}, and that becomes {rule.canonical(once)!r}"


def _probe_findings(provider: Provider, backend: Backend) -> Iterator[str]:
    for asked in (frozenset({EVERY_FIELD}), frozenset({REMOVAL}), frozenset[str]()):
        wanted = {kind.name: asked for kind in provider.kinds}
        probes = backend.probes(wanted)
        if probes != backend.probes(dict(reversed(wanted.items()))):
            yield f"the probes for {sorted(asked)} differ from call to call"
        if len({probe.name for probe in probes}) < len(probes):
            yield f"two probes for {sorted(asked)} have one name"
        for probe in probes:
            yield from _command_findings(probe.command)
            if probe.command.changes:
                yield f"`{probe.command}` is a probe and says that it changes something"
    for system in SYSTEMS:
        probes = provider.fact_probes(system)
        for probe in probes:
            yield from _command_findings(probe.command)
            if probe.command.changes:
                yield f"`{probe.command}` is a probe and says that it changes something"
        if len({probe.name for probe in probes}) < len(probes):
            yield f"two fact probes for {system} have one name"


def _command_findings(command: Command) -> Iterator[str]:
    if not command.argv or not command.argv[0] or "/" in command.argv[0]:
        yield f"`{command}` does not begin with the bare name of a tool"
    if command.deadline_s <= 0:
        yield f"`{command}` has no time to run"


def _reading_findings(provider: Provider, backend: Backend, run: Run) -> Iterator[str]:
    for asked in (EVERY_FIELD, REMOVAL):
        wanted = {kind.name: frozenset({asked}) for kind in provider.kinds}
        outputs = _answers(backend, run, wanted)
        if backend.read(outputs, wanted) != backend.read(outputs, wanted):
            yield "the same answers are read in two ways"
        for name, answer in outputs.items():
            for spoiled in _spoiled(answer.stdout):
                finding = _spoiled_finding(backend, {**outputs, name: replace(answer, stdout=spoiled)}, wanted)
                if finding:
                    yield f"`{answer.command}` that prints {spoiled[-60:]!r}: {finding}"


def _spoiled(text: str) -> Iterator[str]:
    """The output cut off inside lines at several places, and garbage instead of and behind it."""
    yield _RUBBISH
    yield text + _RUBBISH
    for part in range(1, 8):
        cut = text[: len(text) * part // 8].rstrip("\n")
        if cut and cut != text:
            yield cut


def _spoiled_finding(backend: Backend, outputs: Mapping[str, Completed], wanted: Mapping[str, frozenset[str]]) -> str:
    try:
        found = backend.read(outputs, wanted)
    except ReadError:
        return ""
    except Exception as trouble:  # noqa: BLE001 - any other error is the finding: a provider may raise ReadError alone
        return f"it raises {type(trouble).__name__} and not ReadError"
    return f"it is read as {len(found)} objects"


_ENDINGS: Mapping[Ending, RetryClass] = MappingProxyType(
    {
        Ending.SIGNALLED: RetryClass.LOOK_AGAIN,
        Ending.DEADLINE: RetryClass.LOOK_AGAIN,
        Ending.LOST: RetryClass.LOOK_AGAIN,
        Ending.TOO_MUCH: RetryClass.LOOK_AGAIN,
        Ending.NOT_FOUND: RetryClass.NEVER,
    }
)


def _explanation_findings(backend: Backend, command: Command) -> Iterator[str]:
    for code in (1, 2, 3, 127, 134, 255):
        failure = backend.explain(Completed(command, Ending.EXITED, code, stderr=f"{_SAID}\n"))
        if not (failure.cause and failure.remedy):
            yield f"exit code {code} is explained without cause or remedy"
        if _SAID not in failure.cause and code != 127:
            yield f"exit code {code}: the cause leaves out what the tool said"
    for ending, retry in _ENDINGS.items():
        failure = backend.explain(Completed(command, ending, None))
        if not (failure.cause and failure.remedy):
            yield f"ending {ending} is explained without cause or remedy"
        if failure.retry is not retry:
            yield f"ending {ending}: the retry class is {failure.retry} and must be {retry}"


def step_findings(backend: Backend, change: Change) -> Iterator[str]:
    """What is wrong with the steps of a change, none of which is run."""
    steps = backend.steps(change)
    if steps != backend.steps(change):
        yield f"{change.verb} {change.key}: the steps differ from call to call"
    for step in steps:
        yield from _command_findings(step.command)
        if step.destructive and not step.command.changes:
            yield f"`{step.command}` destroys and says that it changes nothing"
        if step.destructive and change.verb not in REMOVALS:
            yield f"`{step.command}` destroys although {change.verb} is no removal"
    if change.verb not in (Verb.ADOPT, Verb.FORGET) and not any(step.command.changes for step in steps):
        yield f"{change.verb} {change.key}: it has no commands"
    if change.trashing is not None:
        yield from (f"`{step.command}` destroys what goes into the trash" for step in steps if step.destructive)
        if not any(step.look_first for step in steps):
            yield f"{change.verb} {change.key}: no step takes one more look first"
    elif change.verb in (Verb.DELETE, Verb.REPLACE) and not any(step.destructive for step in steps):
        yield f"{change.verb} {change.key}: no step is marked destructive"
