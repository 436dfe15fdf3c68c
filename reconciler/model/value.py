"""Canonical field values, the one form in which what is wanted and what is there are compared."""

from collections.abc import Mapping
from typing import TypeAlias

Scalar: TypeAlias = bool | int | float | str
"""What a manifest can hold at a leaf, null apart."""

Value: TypeAlias = bool | int | str | tuple[str, ...] | None
"""A canonical value: sizes in bytes, durations in seconds, None for an explicit none."""

Written: TypeAlias = Scalar | list[dict[str, str]]
"""What a manifest says for a canonical value: one word, number or text, or a list of mappings."""

Fields: TypeAlias = Mapping[str, Value]
"""Field name (dotted, map keys and item names included) to canonical value."""
