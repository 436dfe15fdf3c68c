"""Limits on what one revision may take away."""

import sys
from dataclasses import dataclass

NO_LIMIT = sys.maxsize
"""More than can ever be exceeded; as a share, 100 is that."""


@dataclass(frozen=True, slots=True)
class Guardrails:
    """A repository's guardrails with the defaults of the contract; a limit trips when it is exceeded.

    `removals_bytes` and `removals_total` hold over the whole tree. `removals_share_percent` counts from 10 managed objects
    upward. `protect` holds globs over keys. `ceiling` names the file of a controller that these are the ceilings of; it is
    empty for a repository's own.
    """

    removals_per_host: int = 10
    removals_share_percent: int = 30
    removals_total: int = 30
    removals_bytes: int = 1 << 40
    restarts_per_host: int = 5
    protect: tuple[str, ...] = ()
    forbid_kinds: tuple[str, ...] = ()
    forbid_verbs: tuple[str, ...] = ()
    ceiling: str = ""
