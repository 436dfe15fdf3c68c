"""The names under which we keep things of our own on a host."""

import hashlib

RUNTIME = "RECONCILER_RUNTIME_DIR"
"""The environment variable that names another directory for locks and notes (tests, containers)."""


def lock_name(owner: str, host_id: str, host: str) -> str:
    """The host lock; `host_id` is the host's own id, `host` the Host manifest's name."""
    return f"reconciler.{owner}.{_digest(host_id, host)}.lock"


def holds_name(owner: str, host_id: str, host: str) -> str:
    """The note of what is held there."""
    return f"holds.{owner}.{_digest(host_id, host)}.json"


def _digest(host_id: str, host: str) -> str:
    """12 hex digits that tell one host under one name from all others."""
    return hashlib.sha256(f"{host_id}/{host}".encode()).hexdigest()[:12]
