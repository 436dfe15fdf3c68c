"""`reconciler providers`: what is installed, and what each kind can say."""

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

import click
from pydantic import BaseModel

from reconciler.controller.installed import installed_registry
from reconciler.model.errors import ExitCode
from reconciler.provider.field import Acts, Changing, FieldRule, Items, Null
from reconciler.provider.kind import Kind, model_in

_COSTS = {
    Changing.LIVE.value: "acts at once",
    Acts.STAGED.value: "stored at once, acts at the next boot; with lifecycle.disruption: restart it is restarted for it",
    Acts.RESTART.value: "only while it is stopped: blocked unless lifecycle.disruption: restart permits that",
    Acts.FIRST_BOOT.value: "stored; only a first boot reads it",
    Changing.GROWS.value: "upward only; what would cut data off is refused",
    Changing.REPLACE.value: "a new object takes its place: blocked unless lifecycle.disruption: replace permits that",
    Changing.REMAKE.value: "its content is made anew: blocked unless lifecycle.disruption: replace permits that",
    Changing.NEVER.value: "chosen when it is made; another value is refused",
    Changing.AT_CREATION.value: "only read when it is made",
    Changing.REMEMBERED.value: "says what shall become of it later",
}
_NULLS = {
    Null.NONE: "null: none   `null` means explicitly none",
    Null.UNSET: "null: unset  `null` means not set here: what is inherited or default counts",
}


@click.command("providers")
@click.argument("kind", required=False)
def command(kind: str | None) -> int:
    """List providers and their kinds, or the fields of one KIND with what changing them costs.

    \b
    Examples:
      reconciler providers
      reconciler providers Zone
      reconciler providers VirtualMachine | grep 'disks\\[\\]'
    """
    registry = installed_registry()
    if kind is None:
        for provider in registry.providers:
            click.echo(f"{provider.name}: {provider.summary}")
            for one in provider.kinds:
                click.echo(f"  {one.name}: {one.summary}")
        return ExitCode.CONVERGED
    if kind not in registry.kinds:
        raise click.UsageError(f"no provider for kind {kind} is installed; kinds are: {', '.join(sorted(registry.kinds))}")
    for line in _field_lines(registry.kinds[kind]):
        click.echo(line)
    return ExitCode.CONVERGED


def _field_lines(kind: Kind) -> Iterator[str]:
    yield f"{kind.name}: {kind.summary}"
    rows = kind.every_rule
    width = max(map(len, rows), default=0)
    for name, rule in rows.items():
        null = "" if rule.null is Null.REFUSED else f", null: {rule.null.value}"
        words = " | ".join(_words(kind.spec, name))
        yield f"  {name:<{width}}  {', '.join(_costs(rule))}{null}  {rule.summary}{f' [{words}]' if words else ''}".rstrip()
    if kind.observed_only:
        return
    yield ""
    met = {cost for rule in rows.values() for cost in _costs(rule)}
    yield from (f"{cost:<10}  {meaning}" for cost, meaning in _COSTS.items() if cost in met)
    yield from (meaning for null, meaning in _NULLS.items() if any(rule.null is null for rule in rows.values()))
    if any(rule.acts is not Acts.LIVE for rule in rows.values()):
        yield "Where systems and brands differ the plan shows what is true there."


def _costs(rule: FieldRule) -> Iterator[str]:
    """What a change costs, in the words of `_COSTS`; to run has no meaning for what never changes."""
    if rule.changing is not Changing.LIVE:
        yield rule.changing.value
    if rule.changing is Changing.LIVE or (rule.changing is Changing.GROWS and rule.acts is not Acts.LIVE):
        yield rule.acts.value


def _words(model: type[BaseModel] | None, name: str) -> Iterator[str]:
    """The closed set of words that a field takes, if it is one; `name` as in the table: `disks[].model`."""
    first, _, rest = name.partition(".")
    info = model.model_fields.get(first.removesuffix("[]")) if model is not None else None
    if info is None:
        return
    if not rest:
        yield from _literals(info.annotation)
        return
    items = next((part for part in info.metadata if isinstance(part, Items)), None)
    yield from _words(items.item if items is not None else model_in(info.annotation), rest)


def _literals(annotation: object) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from map(str, get_args(annotation))
        return
    for part in get_args(annotation):
        yield from _literals(part)
