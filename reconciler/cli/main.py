"""Entry point: the lazy list of commands, and how an error becomes a message and an exit code."""

import gc
import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from reconciler.model.errors import ExitCode, ReconcilerError

_COMMANDS = {
    "validate": "Check a desired-state tree and report every error in it.",
    "render": "Print the resources of a tree as they are after selection and variables.",
    "plan": "Show exactly which commands would run on which host.",
    "apply": "Make hosts as the source says: plan, ask, run.",
    "run": "The controller: keep hosts as the source says.",
    "observe": "Show what is on a host.",
    "adopt": "Write manifests for what is on a host and nobody manages.",
    "status": "Show what the controller last saw and did.",
    "trash": "List, restore or purge what was removed.",
    "why": "Explain one object: the last decision and what stands in its way.",
    "history": "Show what was run, when, by which revision, and how it ended.",
    "hold": "Keep our hands off an object or a host for a while.",
    "schema": "Print the JSON Schema of manifests, for editors.",
    "providers": "List providers, their kinds and fields.",
    "doctor": "Say what is missing on this machine and how to get it.",
    "emulate": "Write an emulated host's tools as executables.",
}


_NEW_OBJECTS = 500_000
"""New objects before Python first looks for cycles. What is imported and loaded stays: looking through it again and again, as
Python does after every 700, is a tenth of a start. `run` sets another measure once it has begun."""


class _LazyGroup(click.Group):
    """Finds a command's module by the command's name, when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(f"reconciler.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Also says which command may have been meant; click itself knows only of commands that are loaded."""
        if args[0] in _COMMANDS or args[0].startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        from difflib import get_close_matches

        close = " or ".join(repr(name) for name in get_close_matches(args[0], _COMMANDS))
        raise click.UsageError(f"No such command {args[0]!r}." + (f" Did you mean {close}?" if close else ""), ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="reconciler", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep hosts (datasets, volumes, zones, virtual machines, links) as a git repository of YAML says.

    \b
    A first look, on emulated hosts:
      reconciler validate desired-state
      reconciler plan desired-state
      reconciler apply desired-state

    \b
    Exit codes: 0 converged, 1 error, 2 changes pending (plan --exit-code), 3 something is blocked,
    4 saved plan is stale, 5 an action failed, 6 another writer, 7 a host is unreadable, 64 wrong usage.
    """


def main() -> NoReturn:
    """Runs the command line and exits."""
    gc.set_threshold(_NEW_OBJECTS)
    signal.signal(signal.SIGTERM, _terminated)
    code = run(sys.argv[1:])
    _drop_unwritten()
    # All that ran has ended and all files are closed. Python would take its time to take itself apart, and a signal that came
    # meanwhile would end us by its own name instead of our exit code.
    os._exit(code)


def _drop_unwritten() -> None:
    """Lets go of what can't be written, or Python would try again at its end and complain in its own way."""
    for name in ("stdout", "stderr"):
        try:
            if (stream := getattr(sys, name)) is not None:
                stream.flush()
        except OSError:
            setattr(sys, name, None)


def _terminated(_sign: int, _frame: FrameType | None) -> NoReturn:
    """Leaves through every `finally`, so that no child of ours goes on alone."""
    raise SystemExit(ExitCode.TERMINATED)


def run(arguments: list[str]) -> int:
    """Runs one command line and gives its exit code; no error leaves as a traceback."""
    try:
        code = cli.main(args=arguments, prog_name="reconciler", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except click.UsageError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        error.show()
        return ExitCode.ERROR
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except ReconcilerError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our output went away; what it did not read is its own business.
        return ExitCode.ERROR
    except Exception as error:
        if os.environ.get("RECONCILER_TRACEBACK"):
            raise
        click.echo(_system_error(error) if isinstance(error, OSError) else _internal_error(error), err=True)
        return ExitCode.ERROR
    return code if isinstance(code, int) else ExitCode.CONVERGED


def _system_error(error: OSError) -> str:
    """What the system refused, where no part of the program knew more about it."""
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    remedy = "check that it is there, that this user may use it, and the space on its disk"
    return f"error: {where}{(error.strerror or str(error)).lower()}\n  remedy: {remedy}"


def _internal_error(error: Exception) -> str:
    return (
        f"internal error, nothing more was done: {type(error).__name__}: {error}\n  remedy: please report it, with what "
        "RECONCILER_TRACEBACK=1 shows"
    )
