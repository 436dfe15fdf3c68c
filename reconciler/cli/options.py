"""Options that several commands share. Kept light: completion and `--help` load nothing else."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from reconciler.model.errors import InvalidValue
from reconciler.model.key import Key, parse_key

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What the user gave to name a source."""

    directory: str | None
    repo: str | None
    ref: str | None
    path: str | None
    accept_rewrite: str | None = None

    @property
    def name(self) -> str:
        """The source as this command line gave it, to know it again by."""
        return "\n".join([str(Path.cwd()), self.directory or "", self.repo or "", self.ref or "", self.path or ""])


def source_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments that name a source. The command gets them together, as `choice`."""

    @wraps(function)
    def command(
        *,
        directory: str | None,
        repo: str | None,
        ref: str | None,
        path: str | None,
        accept_rewrite: str | None,
        **others: object,
    ) -> Any:
        return function(choice=SourceChoice(directory, repo, ref, path, accept_rewrite), **others)

    for option in reversed(
        (
            click.argument("directory", required=False, type=click.Path(path_type=str)),
            click.option("--repo", metavar="URL", help="Read a git repository: a path, ssh:// or https://."),
            click.option("--ref", metavar="REF", help="Branch, tag or commit of --repo [default: its HEAD]."),
            click.option("--path", "path", metavar="DIR", help="Directory of --repo that holds the desired state."),
            click.option(
                "--accept-rewrite", metavar="SHA", help="Take this commit although the history of --ref was rewritten."
            ),
        )
    ):
        command = option(command)
    return command


def narrowing_options(function: Function) -> Function:
    """The options that leave hosts or objects out; leaving objects out never removes them."""
    for option in reversed(
        (
            click.option("--host", "hosts", multiple=True, metavar="NAME", help="Only this host; may be repeated."),
            click.option("--kind", metavar="KIND", help="Only objects of this kind; nothing is removed."),
            click.option("--name", metavar="NAME", help="Only objects of this name; nothing is removed."),
        )
    ):
        function = option(function)
    return function


def default_state() -> Path:
    """`/var/lib/reconciler` for root, else below the user's state directory (XDG base directory specification)."""
    if os.geteuid() == 0:
        return Path("/var/lib/reconciler")
    if base := os.environ.get("XDG_STATE_HOME"):
        return Path(base) / "reconciler"
    try:
        return Path.home() / ".local" / "state" / "reconciler"
    except RuntimeError as trouble:
        raise click.UsageError("this user has no home directory for the state: name a directory with --state") from trouble


state_option = click.option(
    "--state",
    "state",
    type=click.Path(file_okay=False, readable=False, path_type=Path),
    envvar="RECONCILER_STATE",
    help="Directory for the state file, the git mirror and emulated hosts "
    "[default: /var/lib/reconciler for root, else ~/.local/state/reconciler].",
)


ceilings_option = click.option(
    "--ceilings",
    "ceilings",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar="RECONCILER_CEILINGS",
    help="Limits of this machine, written as spec.guardrails; the stricter of these and the repository's wins.",
)


def state_directory(given: Path | None) -> Path:
    return (given or default_state()).absolute()


def given_key(text: str) -> Key:
    """`host/Kind/name` from the command line; wrong usage when it is not."""
    try:
        return parse_key(text)
    except InvalidValue as wrong:
        raise click.UsageError(f"{wrong.cause}: {wrong.remedy}") from wrong


output_option = click.option(
    "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print the result."
)
