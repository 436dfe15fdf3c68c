"""How much a source reads, and how long it may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one source; all times in seconds.

    `blob_bytes`: a larger blob is reported, not read. `command_s`: the longest that one git command may run, and that a fetch
    waits for another process's fetch. `patience_s`: for how long a fetch that failed for a passing reason is tried again; 0:
    once.
    """

    blob_bytes: int = 4 << 20
    command_s: float = 120.0
    patience_s: float = 0.0


DEFAULTS = Limits()
