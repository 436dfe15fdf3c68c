"""The guests' share of a host's state."""

from reconciler.emulation.guests.rows import GUEST_SCHEMA
from reconciler.emulation.parts import Part
from reconciler.emulation.state import State
from reconciler.emulation.systems import System


def _fill(state: State, system: System, now: float) -> None:
    """A host begins without guests."""
    del state, system, now


def _boot(state: State, system: System, now: float) -> None:
    del state, system, now


GUESTS = Part(GUEST_SCHEMA, _fill, _boot)
