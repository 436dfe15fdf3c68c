"""What faults got after there were hosts without it: how many parts of a command a HALF lets be done."""

from reconciler.emulation.parts import Part
from reconciler.emulation.state import State
from reconciler.emulation.systems import System


def _nothing(state: State, system: System, now: float) -> None:
    """Faults begin with none, and a boot leaves them armed."""
    del state, system, now


FAULTS = Part("ALTER TABLE fault ADD COLUMN parts INTEGER NOT NULL DEFAULT 1;", _nothing, _nothing)
