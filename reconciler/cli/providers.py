"""`reconciler providers`: what is installed, and what each kind can say."""

import click

from reconciler.controller.installed import installed_registry
from reconciler.model.errors import ExitCode
from reconciler.provider.field import Acts
from reconciler.provider.kind import Kind


@click.command("providers")
@click.argument("kind", required=False)
def command(kind: str | None) -> int:
    """List providers and their kinds, or the fields of one KIND with what changing them costs."""
    registry = installed_registry()
    if kind is None:
        for provider in registry.providers:
            click.echo(f"{provider.name}: {provider.summary}")
            for one in provider.kinds:
                click.echo(f"  {one.name}: {one.summary}")
        return ExitCode.CONVERGED
    if kind not in registry.kinds:
        raise click.UsageError(f"no provider for kind {kind} is installed; kinds are: {', '.join(sorted(registry.kinds))}")
    _print_fields(registry.kinds[kind])
    return ExitCode.CONVERGED


def _print_fields(kind: Kind) -> None:
    click.echo(f"{kind.name}: {kind.summary}")
    rows = kind.every_rule
    width = max(map(len, rows), default=0)
    for name, rule in rows.items():
        null = "" if rule.null.value == "refused" else f", null: {rule.null.value}"
        costs = rule.changing.value if rule.acts is Acts.LIVE else f"{rule.changing.value}, {rule.acts.value}"
        click.echo(f"  {name:<{width}}  {costs}{null}  {rule.summary}".rstrip())
