"""Times as vmadm prints them."""

from datetime import UTC, datetime


def stamp(seconds: float) -> str:
    """Seconds since the epoch as `2026-11-21T16:15:25.000Z`."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
