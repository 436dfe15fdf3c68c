"""Which names links may have (illumos-cli.md 3.1)."""

from __future__ import annotations

import re

from reconciler.emulation.links.errors import Died

_LONGEST = 31
_LARGEST_NUMBER = (1 << 32) - 2
_NAME = re.compile(r"[A-Za-z_.](?:[A-Za-z0-9_.]*[A-Za-z_.])?(0|[1-9][0-9]*)")


def is_link_name(text: str) -> bool:
    """Whether a new link may have this name: it ends in a number without leading zeros."""
    match = _NAME.fullmatch(text)
    return len(text) <= _LONGEST and match is not None and int(match[1]) <= _LARGEST_NUMBER


def check_new_name(text: str) -> None:
    """Raises Died for a name that no new link may have."""
    if len(text) > _LONGEST:
        raise Died(f"link name too long '{text}'")
    if not is_link_name(text):
        raise Died(f"invalid link name '{text}'")
