"""`reconciler why`: what was decided about one object, and what stands in its way; no host is contacted."""

from pathlib import Path

import click

from reconciler.cli.options import output_option, state_directory, state_option


@click.command("why")
@click.argument("key", metavar="KEY")
@state_option
@output_option
def command(key: str, state: Path | None, output: str) -> int:
    """Explain one object (KEY: host/Kind/name): its manifest, the last decision about it, what blocks it, the last attempts.

    Read from the state directory, as the last pass left it; no host is contacted. Ends with 1 when nothing is known of it.

    \b
    Examples:
      reconciler why hv01/Dataset/tank/web
      reconciler why hv01/Zone/web1 --output json
    """
    from reconciler.cli.why_text import explain

    return explain(key, state_directory(state), output=output)
