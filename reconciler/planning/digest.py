"""Names for actions and plans that any machine computes alike."""

import hashlib
import json
from collections.abc import Sequence

from reconciler.model.change import Change
from reconciler.model.command import Step
from reconciler.model.value import Value


def neutral_arguments(change: Change, arguments: Sequence[str]) -> list[str]:
    """A command's arguments without what differs between two plans of the same change: their times and revisions."""
    return list(arguments) if change.trashing is None else [change.trashing.neutral(text) for text in arguments]


def canonical_json(value: object) -> bytes:
    """JSON with sorted keys and no blanks, for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def action_id(change: Change, steps: Sequence[Step]) -> str:
    """16 hex digits of SHA-256 over key, verb, fields and commands."""
    fields: list[tuple[str, Value, Value]] = [(field.name, field.before, field.after) for field in change.fields]
    commands = [(neutral_arguments(change, step.command.argv), step.command.stdin) for step in steps]
    return hashlib.sha256(canonical_json([str(change.key), change.verb, fields, commands])).hexdigest()[:16]
