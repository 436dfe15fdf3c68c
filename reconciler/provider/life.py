"""The life of a sample object on a host, from its making to its removal, as a check for a plugin's tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import RetryClass, Step
from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, ObjectName
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.observed import REMOVAL, Mark, Observed
from reconciler.model.origin import Origin
from reconciler.model.resource import Resource
from reconciler.model.trash import Trashing
from reconciler.model.value import Fields
from reconciler.provider.checks import Run, look, raise_for, step_findings
from reconciler.provider.contract import Backend, Provider
from reconciler.provider.derived import derived_uuid
from reconciler.provider.field import Changing, Null
from reconciler.provider.kind import Kind

_OWNER = "checks"
_ATTEMPTS = 40
"""How often a command that fails for a passing reason is run."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An object that may be made, changed and removed: its fields, and what to state afterwards in one update.

    `system` is that of the host, as `uname -s` names it, for a kind that carries a mark only on some. `identities` are as in
    `Change`.
    """

    name: ObjectName
    fields: Fields
    changed: Fields = field(default_factory=dict)
    created_with: Fields | None = None
    system: str = ""
    identities: Mapping[ObjectName, str] = field(default_factory=dict)


def check_life(provider: Provider, backend: Backend, run: Run, sample: Sample, *, stop_after: int | None = None) -> None:
    """A sample is made, changed, put into the trash and back where its kind has one, and removed; each time the host shows it.

    With `stop_after` the first commands of each change are all that is run before a new look, as after a crash: what is
    left must be brought about from there.
    """
    raise_for(provider.name, _Life(provider, backend, run, sample, stop_after).findings())


@dataclass(frozen=True)
class _Life:
    """One sample from its making to its removal."""

    provider: Provider
    backend: Backend
    run: Run
    sample: Sample
    stop_after: int | None

    def findings(self) -> Iterator[str]:
        if self._here() is not None:
            yield f"{self.sample.name} is there before it is made"
            return
        yield from self._brought_about(self.sample.fields)
        if self.sample.changed:
            yield from self._brought_about({**self.sample.fields, **self.sample.changed})
        if self._kind.has_trash:
            yield from self._kept_in_trash()
        if self._here() is not None:
            yield from self._removed()

    @property
    def _kind(self) -> Kind:
        return next(kind for kind in self.provider.kinds if kind.name == self.sample.name.kind)

    def _resource(self, fields: Fields) -> Resource:
        key = Key("checked", *self.sample.name)
        return Resource(key, fields, Origin("sample.yaml", 1, 1), created_with=self.sample.created_with)

    @property
    def _mark(self) -> Mark | None:
        if not self._kind.carries_mark_of(self.sample.system):
            return None
        return Mark(_OWNER, self.sample.name, "host-id", on_removal=OnRemoval.DELETE)

    def _here(self) -> Observed | None:
        fields = {*self.sample.fields, *self.sample.changed, *self._kind.completion, REMOVAL}
        seen = look(self.backend, self.run, (self._kind,), fields)
        return next((observed for observed in seen if observed.name == self.sample.name), None)

    def _change(self, fields: Fields) -> Change | None:
        """What is left to do for these fields; None when the host shows them all."""
        resource, observed = self._resource(fields), self._here()
        if observed is None:
            made = tuple(FieldChange(name, None, value) for name, value in fields.items() if value is not None)
            identity = derived_uuid(_OWNER, resource.key) if self._kind.chooses_identity else ""
            change = Change(resource.key, Verb.CREATE, made, resource, None, self._mark, identity=identity, owner=_OWNER)
            return replace(change, identities=self.sample.identities)
        whole = {name: value for name, value in self._kind.completion.items() if name in observed.fields}
        wanted = {**fields, **whole}
        left = tuple(
            FieldChange(name, observed.fields.get(name), value)
            for name, value in wanted.items()
            if not _holds(self._kind, name, fields.get(name, value), observed)
        )
        change = Change(resource.key, Verb.UPDATE, left, resource, observed, self._mark, owner=_OWNER)
        return replace(change, identities=self.sample.identities) if left else None

    def _brought_about(self, fields: Fields) -> Iterator[str]:
        change = self._change(fields)
        if change is None:
            return
        yield from step_findings(self.backend, change)
        steps = self.backend.steps(change)
        if self.stop_after is not None:
            yield from self._carried_out(steps[: self.stop_after])
            change = self._change(fields)
            steps = self.backend.steps(change) if change is not None else ()
        yield from self._carried_out(steps)
        if (left := self._change(fields)) is not None:
            names = ", ".join(f"{entry.name} {entry.before!r} -> {entry.after!r}" for entry in left.fields)
            yield f"{self.sample.name}: after its commands, {left.verb} is still needed: {names}"
            return
        observed = self._here()
        if observed is not None and observed.mark != self._mark:
            yield f"{self.sample.name}: the mark on the host is {observed.mark}"
        yield from self._confirmation(Change(self._resource(fields).key, Verb.UPDATE, (), self._resource(fields), observed))

    def _kept_in_trash(self) -> Iterator[str]:
        """Into the trash and back: there it has left its name and is known by its mark, and it comes back as it was."""
        before, name = self._here(), self.sample.name
        yield from self._taken(self._trash_change)
        if self._here() is not None:
            yield f"{name} is still there after it went into the trash"
        if self._in_trash() is None:
            yield f"{name}: nothing in the trash bears its mark"
            return
        yield from self._taken(self._restore_change)
        after = self._here()
        if before is None or after is None:
            yield f"{name} is not there after it came back from the trash"
            return
        for what in ("identity", "mark", "trashed", "stated_here", "running", "own_items"):
            if getattr(before, what) != getattr(after, what):
                yield f"{name}: back from the trash, {what} is {getattr(after, what)!r}, and was {getattr(before, what)!r}"
        for field_name in sorted(before.fields.keys() | after.fields.keys()):
            was, now = before.fields.get(field_name), after.fields.get(field_name)
            if was != now and self._is_stated(field_name):
                yield f"{name}: back from the trash, {field_name} is {now!r}, and was {was!r}"

    def _is_stated(self, name: str) -> bool:
        """Whether a manifest can state the field, or an action of ours must see to it; others tell of the moment."""
        try:
            self._kind.rule(name)
        except InvalidValue:
            return False
        return True

    def _taken(self, change_now: Callable[[], Change | None]) -> Iterator[str]:
        """Carries a change out, cut off and begun anew where that is asked for."""
        change = change_now()
        if change is None:
            return
        yield from step_findings(self.backend, change)
        steps = self.backend.steps(change)
        if self.stop_after is not None:
            yield from self._carried_out(steps[: self.stop_after])
            change = change_now()
            steps = self.backend.steps(change) if change is not None else ()
        yield from self._carried_out(steps)

    def _trash_change(self) -> Change | None:
        observed = self._here()
        trashing = Trashing("20260102T030405.000Z", "checks", None)
        return Change(Key("checked", *self.sample.name), Verb.TRASH, observed=observed, trashing=trashing) if observed else None

    def _restore_change(self) -> Change | None:
        here = self._here()
        observed = here if here is not None else self._in_trash()
        if observed is None or observed.trashed is None:
            return None
        return Change(Key("checked", *self.sample.name), Verb.RESTORE, observed=observed, mark=self._mark)

    def _in_trash(self) -> Observed | None:
        seen = look(self.backend, self.run, (self._kind,), {REMOVAL})
        return next(
            (one for one in seen if one.is_in_trash and one.mark is not None and one.mark.name == self.sample.name), None
        )

    def _removed(self) -> Iterator[str]:
        key, observed = Key("checked", *self.sample.name), self._here()
        change = Change(key, Verb.DELETE, observed=observed, owner=_OWNER)
        yield from step_findings(self.backend, change)
        yield from self._confirmation(change)
        yield from self._carried_out(self.backend.steps(change))
        if self._here() is not None:
            yield f"{self.sample.name} is still there after its removal"
        if self._confirmed(change) is not None:
            yield f"{self.sample.name}: confirm still shows it after its removal"

    def _confirmation(self, change: Change) -> Iterator[str]:
        found = self._confirmed(change)
        if found is None or (change.observed is not None and found.mark != change.observed.mark):
            yield f"{self.sample.name}: confirm does not show the object and mark that the whole look shows"

    def _confirmed(self, change: Change) -> Observed | None:
        return self.backend.confirmed(change, self.run(self.backend.confirm(change).command))

    def _carried_out(self, steps: Iterable[Step]) -> Iterator[str]:
        for step in steps:
            answer = self.run(step.command)
            for _ in range(_ATTEMPTS):
                if answer.succeeded or self.backend.explain(answer).retry is not RetryClass.NOW:
                    break
                answer = self.run(step.command)
            if not answer.succeeded:
                yield f"`{step.command}` exited with {answer.exit_code}: {answer.stderr.strip()}"


def _holds(kind: Kind, name: str, value: object, observed: Observed) -> bool:
    rule = kind.rule(name)
    if rule.changing is Changing.AT_CREATION:
        return True
    if name not in observed.fields:
        return False
    return name not in observed.stated_here if value is None and rule.null is Null.UNSET else observed.fields[name] == value
