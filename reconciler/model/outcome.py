"""What became of an action."""

from dataclasses import dataclass
from enum import StrEnum

from reconciler.model.command import Failure
from reconciler.model.key import Key


class OutcomeState(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one action; `command` is the full line of the command at fault, empty where none is."""

    action_id: str
    key: Key
    state: OutcomeState
    attempts: int = 0
    duration_s: float = 0.0
    failure: Failure | None = None
    command: str = ""
