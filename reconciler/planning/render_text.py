"""A plan as text for people: what will run, what is refused and why, and what can't be brought back."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from reconciler.model.change import REMOVALS, STATE, Change, Effect, FieldChange, Verb
from reconciler.model.errors import InvalidValue
from reconciler.model.plan import Action, AtRisk, Blocked, HostPlan, Plan, Reason
from reconciler.model.quantity import approximate_size, format_duration
from reconciler.model.value import Value
from reconciler.planning.commands_text import CommandText
from reconciler.planning.items import Keeping, becomes_of, size_of_item
from reconciler.planning.words import WRONG_HOST_REMEDY, counted, listed, moment, printable, shown
from reconciler.provider.kind import Kind


class Style(StrEnum):
    """How a terminal may set a line off; plain text loses nothing without."""

    PLAIN = "plain"
    HEADING = "heading"
    ADDS = "adds"
    CHANGES = "changes"
    DESTROYS = "destroys"
    BLOCKED = "blocked"
    QUIET = "quiet"


class Line(NamedTuple):
    style: Style
    text: str


_SIGN = {
    Verb.CREATE: ("+", "create", Style.ADDS),
    Verb.UPDATE: ("~", "update", Style.CHANGES),
    Verb.REPLACE: ("!", "replace", Style.CHANGES),
    Verb.TRASH: ("-", "trash", Style.CHANGES),
    Verb.DELETE: ("-", "destroy", Style.CHANGES),
    Verb.RESTORE: ("+", "restore", Style.ADDS),
    Verb.ADOPT: ("=", "adopt", Style.CHANGES),
    Verb.FORGET: ("=", "forget", Style.CHANGES),
}
"""A verb's sign, word and style. What runs and can't be undone is written in capitals, as destruction: nothing else is."""

LONGEST_VALUE = 400
"""Characters of one value that are shown."""

_AROUND = 20
"""Characters shown before and after the part of a text that changes."""

_BECOMES = {Keeping.ASIDE: "are kept aside", Keeping.TRASH: "go to the trash", Keeping.NOT_AT_ALL: "are DESTROYED"}

_EFFECTS = {Effect.STAGED: "  (at its next boot)", Effect.RESTART: "  (by a restart)"}

MOST_LISTED = 4
"""Objects refused for what concerns their whole host that are still named one by one."""

_OF_THE_HOST = frozenset({Reason.UNREADABLE, Reason.WRONG_HOST, Reason.HELD})
"""Reasons that may concern all objects of a host alike."""


def plan_lines(plan: Plan, kinds: Mapping[str, Kind], *, with_scripts: bool = False) -> Iterator[Line]:
    """The plan line by line; the last line is the summary. Nothing that a host said can begin a line of its own."""
    return (Line(style, printable(text)) for style, text in _lines(plan, kinds, with_scripts=with_scripts))


def _lines(plan: Plan, kinds: Mapping[str, Kind], *, with_scripts: bool) -> Iterator[Line]:
    narrowed = "" if plan.source.whole else ", narrowed: nothing is removed"
    what = f"plan for {plan.source.path}" if plan.source.path else "plan"  # the top of a repository has no path
    yield Line(Style.QUIET, f"{what} at {short_revision(plan.source.revision)}{narrowed}")
    commands = CommandText()
    for host in plan.hosts:
        yield from _host_lines(host, kinds, commands, f": {_tally([host])}" if len(plan.hosts) > 1 else "")
    for name in plan.forgotten:
        yield Line(Style.PLAIN, "")
        yield Line(Style.HEADING, name)
        yield Line(Style.QUIET, "  forgotten: it has no Host manifest any more, and everything on it is left as it is")
    yield from _script_lines(commands, whole=with_scripts)
    yield Line(Style.PLAIN, "")
    yield from _lost_lines(plan)
    yield Line(Style.HEADING, summary_text(plan))


def _script_lines(commands: CommandText, *, whole: bool) -> Iterator[Line]:
    """The scripts that commands named: each once, or only that they are fixed, and where their text is."""
    if not commands.scripts:
        return
    yield Line(Style.PLAIN, "")
    if not whole:
        yield Line(
            Style.QUIET, "  names in <> are scripts that are always the same; `plan --scripts` and --output json show them"
        )
    for line in commands.script_lines() if whole else ():
        yield Line(Style.QUIET, f"  {line}")


def _lost_lines(plan: Plan) -> Iterator[Line]:
    """All that is destroyed, once more by itself: above it may be anywhere between harmless lines."""
    lost = [action for host in plan.hosts for action in host.actions if _destroys(action)]
    if lost:
        yield Line(Style.DESTROYS, "can't be brought back once this has run:")
    for action in lost:
        yield Line(Style.DESTROYS, f"  {action.key}  {_data(_lost(action))}")


def _destroys(action: Action) -> bool:
    """Whether running the plan loses something for good by this action."""
    return not action.report_only and not action.reversible


def _word(action: Action) -> str:
    word = _SIGN[action.verb][1]
    if action.verb is Verb.DELETE and action.reversible:
        return "delete"
    return word.upper() if _destroys(action) else word


def summary_text(plan: Plan) -> str:
    """`2 to create, 1 to DESTROY; DATA LOSS: 3 GiB; 1 blocked`, or that there is nothing to do."""
    parts = [_tally(plan.hosts)]
    if unread := [host.host for host in plan.hosts if host.unreadable or host.wrong_host]:
        parts.append(f"could not look everywhere on {', '.join(unread)}")
    if missed := sum(len(host.misses) for host in plan.hosts):
        parts.append(f"{counted(missed, 'expectation')} not met")
    if plan.forgotten:
        parts.append(f"forgotten: {listed(list(plan.forgotten))}")
    return "; ".join(parts)


def _tally(hosts: Sequence[HostPlan]) -> str:
    """What runs, is lost, is only reported and is refused on these hosts, in numbers."""
    actions = sorted((action for host in hosts for action in host.actions), key=lambda one: list(Verb).index(one.verb))
    runs = Counter(_word(action) for action in actions if not action.report_only)
    shows = Counter(_word(action) for action in actions if action.report_only)
    blocked = sum(len(host.blocked) for host in hosts)
    unread = any(host.unreadable or host.wrong_host for host in hosts)
    parts = [_counts(runs) or ("nothing will be run" if shows or blocked or unread else "nothing to do")]
    if kept := [_trashed(action) for action in actions if action.change.trashing is not None and not action.report_only]:
        parts.append(f"kept in the trash: {_total(kept)}")
    if lost := [_lost(action) for action in actions if _destroys(action)]:
        parts.append(f"DATA LOSS: {_total(lost)}")
    if shows:
        parts.append(f"only reported: {_counts(shows)}")
    if blocked:
        parts.append(f"{blocked} blocked")
    return "; ".join(parts)


def _counts(words: Mapping[str, int]) -> str:
    return ", ".join(f"{count} to {word}" for word, count in words.items())


def short_revision(revision: str) -> str:
    """Enough of a revision to know it by."""
    return revision[:19] if revision.startswith("sha256:") else revision[:12]


def _host_lines(host: HostPlan, kinds: Mapping[str, Kind], commands: CommandText, tally: str) -> Iterator[Line]:
    quiet = host.is_empty and not (host.released or host.misses)
    unseen = host.wrong_host or (host.unreadable and not (host.managed or host.unmanaged))
    counts = "nothing could be seen" if unseen else f"{host.managed} managed, {host.unmanaged} unmanaged"
    yield Line(Style.PLAIN, "")
    yield Line(Style.HEADING, f"{host.host}: as wanted ({counts})" if quiet else f"{host.host} ({counts}){tally}")
    if host.wrong_host:
        yield Line(Style.BLOCKED, f"  ? WRONG HOST  {host.wrong_host}; nothing was looked at")
        yield Line(Style.BLOCKED, f"      remedy: {WRONG_HOST_REMEDY}")
    for trouble in host.unreadable:
        yield Line(Style.BLOCKED, f"  ? UNREADABLE  provider {trouble.provider}: {trouble.cause}")
        yield Line(Style.BLOCKED, f"      remedy: {trouble.remedy}")
    for hold in host.holds:
        yield Line(
            Style.BLOCKED, f"  # held  {hold.name or 'the whole host'} by {hold.who} until {moment(hold.until)}: {hold.why}"
        )
    told = frozenset({host.wrong_host, *(trouble.cause for trouble in host.unreadable)})
    yield from _work_lines(host, kinds, commands, told)
    for released in host.released:
        value = shown_field(kinds.get(released.key.kind), released.field, released.value)
        yield Line(
            Style.QUIET,
            f"  . released  {released.key.object}  {released.field} stays {value}: no manifest states it any more",
        )
    restarted = {action.key for action in host.actions if action.effect is Effect.RESTART and not action.report_only}
    for key, fields in host.pending_restart:
        if key in restarted:
            continue
        acts = "acts" if len(fields) == 1 else "act"
        yield Line(Style.QUIET, f"  . pending restart  {key.object}  {listed(list(fields))} {acts} at its next boot")
    for miss in host.misses:
        yield Line(Style.BLOCKED, f"  ! expected  {miss.key.object}  {miss.cause}{_place(miss.origin)}")


def work_lines(host: HostPlan, kinds: Mapping[str, Kind]) -> Iterator[Line]:
    """What one host's plan does and refuses, without what it says of the host besides."""
    commands = CommandText()
    return (Line(style, printable(text)) for style, text in _work_lines(host, kinds, commands))


def _work_lines(
    host: HostPlan, kinds: Mapping[str, Kind], commands: CommandText, told: frozenset[str] = frozenset()
) -> Iterator[Line]:
    """Actions, then refusals, those with one cause and remedy together; a cause that is `told` is not said again."""
    names = {action.id: str(action.key.object) for action in host.actions}
    for action in host.actions:
        yield from _action_lines(action, kinds[action.key.kind], names, commands)
    alike: dict[tuple[Reason, str, str], list[Blocked]] = {}
    for item in host.blocked:
        alike.setdefault((item.reason, item.cause, item.remedy), []).append(item)
    for items in alike.values():
        yield from _blocked_lines(items, told)


def _action_lines(action: Action, kind: Kind, names: Mapping[str, str], commands: CommandText) -> Iterator[Line]:
    sign, _, style = _SIGN[action.verb]
    destroys = _destroys(action)
    mode = "  (only reported, will not run)" if action.report_only else ""
    yield Line(
        Style.DESTROYS if destroys else style, f"  {sign} {_word(action)}  {action.key.object}{mode}{_place(action.origin)}"
    )
    yield Line(Style.PLAIN, f"      because {action.why}")
    yield from _cost_lines(action)
    if action.verb is Verb.REPLACE and not kind.needs_no_trash:
        yield Line(Style.PLAIN, "      the new one starts without that data")
    yield from _field_lines(action, kind)
    if action.after:
        yield Line(Style.QUIET, f"      waits for {listed([names[earlier] for earlier in action.after])}")
    said: str | None = None
    for step in action.steps:
        yield Line(Style.QUIET if not step.command.changes else Style.PLAIN, f"      $ {commands.line(step.command)}")
        if step.command.stdin is not None and step.command.stdin == said:
            yield Line(Style.QUIET, "      | (the same input)")
        elif step.command.stdin is not None:
            said = step.command.stdin
            for line in commands.input_lines(said, str(action.key.object)):
                yield Line(Style.PLAIN, f"      | {line}")


def _cost_lines(action: Action) -> Iterator[Line]:
    """What it does to what runs, and to data."""
    if action.effect is Effect.RESTART:
        yield Line(Style.CHANGES, f"      RESTARTS {action.key.object}, which runs")
    elif _stops(action):
        yield Line(Style.CHANGES, f"      STOPS {action.key.object}, which runs")
    if (trashing := action.change.trashing) is not None:
        items = [name for name, becomes in _left_out(action.change).items() if becomes is Keeping.TRASH]
        going = "the old one goes" if action.verb is Verb.REPLACE else f"{listed(items)} goes" if items else "goes"
        expiry = f"takes it after {format_duration(trashing.ttl_s)}" if trashing.ttl_s is not None else "never takes it"
        kept = f"{going} to the trash with {_data(_trashed(action))}"
        yield Line(Style.CHANGES, f"      {kept}; stays until purged (`trash purge --expired` {expiry})")
    if _destroys(action):
        yield Line(Style.DESTROYS, f"      DATA LOSS: {_data(_lost(action))} can't be brought back")
    elif not action.reversible:
        yield Line(Style.PLAIN, f"      would lose {_data(_lost(action))} for good")


def _stops(action: Action) -> bool:
    observed = action.change.observed
    if observed is None or not observed.running:
        return False
    return action.verb in REMOVALS or any(field.name == STATE and field.after == "stopped" for field in action.change.fields)


def _field_lines(action: Action, kind: Kind) -> Iterator[Line]:
    left_out = _left_out(action.change)
    for field in sorted((*action.change.fields, *_made_with(action)), key=lambda field: field.name):
        if action.verb is Verb.CREATE:
            yield Line(Style.PLAIN, f"      {field.name}: {_shortened(shown_field(kind, field.name, field.after))}")
        else:
            when = _EFFECTS.get(field.effect, "") if action.verb is not Verb.REPLACE else ""
            when = "  (only a first boot reads it)" if field.first_boot_only else when
            if (becomes := left_out.get(field.name)) is not None:
                style = Style.DESTROYS if becomes is Keeping.NOT_AT_ALL else Style.CHANGES
                size = approximate_size(size_of_item(action.change.observed, field.name)) if action.change.observed else ""
                yield Line(style, f"      {field.name}: left out; its {size} {_BECOMES[becomes]}{when}")
            else:
                yield Line(Style.PLAIN, f"      {field.name}: {_from_to(kind, field)}{when}")


def _made_with(action: Action) -> Iterator[FieldChange]:
    """What counts only when an object, or an item of it, is made: it is compared with nothing, and no field change."""
    resource, verb = action.change.resource, action.verb
    if resource is None or verb not in (Verb.CREATE, Verb.UPDATE):
        return
    added = tuple(f"{field.name}." for field in action.change.fields if field.before is None and field.after is not None)
    for name, value in (resource.created_with or {}).items():
        if value is not None and (verb is Verb.CREATE or name.startswith(added)):
            yield FieldChange(name, None, value)


def _from_to(kind: Kind, field: FieldChange) -> str:
    """What a field is and what it becomes; of long texts the part that differs."""
    before, after = field.before, field.after
    if not (isinstance(before, str) and isinstance(after, str)) or max(len(before), len(after)) <= LONGEST_VALUE:
        old, new = (_shortened(shown_field(kind, field.name, value)) for value in (before, after))
        return f"{old} -> {new}"
    alike = _alike(before, after)
    tail = _alike(before[alike:][::-1], after[alike:][::-1])
    old, new = (_part(text, alike, len(text) - tail) for text in (before, after))
    line = before.count("\n", 0, alike) + 1
    return f"{len(before)} -> {counted(len(after), 'character')}, different from line {line} on: {old} -> {new}"


def _alike(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    return next((at for at, (mine, its) in enumerate(zip(one, other, strict=False)) if mine != its), min(len(one), len(other)))


def _part(text: str, start: int, end: int) -> str:
    """A part of a text with a little of what stands around it."""
    start, end = max(0, start - _AROUND), min(len(text), end + _AROUND)
    cut = min(end, start + LONGEST_VALUE)
    return f'"{"..." if start else ""}{text[start:cut]}{"..." if cut < len(text) else ""}"'


def _shortened(value: str) -> str:
    """A value, unless nobody would read it to its end."""
    if len(value) <= LONGEST_VALUE:
        return value
    return f"{value[:LONGEST_VALUE]}... ({len(value)} characters; all of it with --output json)"


def _lost(action: Action) -> AtRisk:
    """What an action destroys; it may put other parts of the same object into the trash."""
    return _of_items(action, Keeping.NOT_AT_ALL) if action.verb is Verb.UPDATE else action.at_risk


def _trashed(action: Action) -> AtRisk:
    return _of_items(action, Keeping.TRASH) if action.verb is Verb.UPDATE else action.at_risk


def _of_items(action: Action, keeping: Keeping) -> AtRisk:
    observed = action.change.observed
    names = (name for name, becomes in _left_out(action.change).items() if becomes is keeping)
    return AtRisk(sum(size_of_item(observed, name) for name in names)) if observed is not None else AtRisk()


def _left_out(change: Change) -> Mapping[str, Keeping]:
    """Items with data that an update takes out of the object, and what becomes of each."""
    fields = change.observed.fields if change.verb is Verb.UPDATE and change.observed is not None else {}
    going = (field.name for field in change.fields if field.after is None and f"{field.name}.size" in fields)
    return {name: becomes_of(change, name) for name in going}


def _total(risks: list[AtRisk]) -> str:
    return _data(AtRisk(sum(risk.bytes for risk in risks), sum(risk.snapshots for risk in risks)))


def _data(risk: AtRisk) -> str:
    return approximate_size(risk.bytes) + (f" and {counted(risk.snapshots, 'snapshot')}" if risk.snapshots else "")


def _blocked_lines(alike: list[Blocked], told: frozenset[str]) -> Iterator[Line]:
    """Refusals with one cause; it is said once, below the last. Many for their host's sake are counted, not listed."""
    whole = alike[0].reason in _OF_THE_HOST and len(alike) > MOST_LISTED
    if whole:
        names = listed([str(item.key.object) for item in alike])
        yield Line(Style.BLOCKED, f"  x BLOCKED {counted(len(alike), 'object')}: {alike[0].reason}  {names}")
    for item in () if whole else alike:
        yield Line(Style.BLOCKED, f"  x BLOCKED {item.verb}  {item.key.object}: {item.reason}{_place(item.origin)}")
    if alike[0].reason in (Reason.UNREADABLE, Reason.WRONG_HOST) and alike[0].cause in told:
        return
    yield Line(Style.PLAIN, f"      {alike[0].cause}")
    yield Line(Style.PLAIN, f"      remedy: {alike[0].remedy}")


def _place(origin: object) -> str:
    return f"  [{origin}]" if origin is not None else ""


def shown_field(kind: Kind | None, name: str, value: Value) -> str:
    """A field's value as a manifest would write it; fields that no rule knows are shown as they are."""
    if kind is None:
        return shown(None, value)
    try:
        return shown(kind.rule(name), value)
    except InvalidValue:
        return shown(None, value)
