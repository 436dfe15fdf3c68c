"""Names for actions and plans that any machine computes alike."""

import hashlib
import json
from collections.abc import Sequence

from reconciler.model.change import Change
from reconciler.model.command import Command, Step
from reconciler.model.value import Value


def neutral(change: Change, command: Command) -> tuple[list[str], str | None]:
    """A command's arguments and input without what differs between two plans of one change: their times and revisions."""
    if change.trashing is None:
        return list(command.argv), command.stdin
    stdin = change.trashing.neutral(command.stdin) if command.stdin is not None else None
    return [change.trashing.neutral(text) for text in command.argv], stdin


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no blanks, for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def action_id(change: Change, steps: Sequence[Step]) -> str:
    """16 hex digits of SHA-256 over key, verb, fields and commands."""
    fields: list[tuple[str, Value, Value]] = [(field.name, field.before, field.after) for field in change.fields]
    commands = [neutral(change, step.command) for step in steps]
    return hashlib.sha256(canonical_json([str(change.key), change.verb, fields, commands])).hexdigest()[:16]
