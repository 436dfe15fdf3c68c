"""The guests' share of a host's state, and what becomes of guests when the host boots."""

from reconciler.emulation.guests import lifecycle
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.rows import GUEST_SCHEMA, all_guests, save
from reconciler.emulation.parts import Part
from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.systems import System


def _fill(state: State, system: System, now: float) -> None:
    """A host begins without guests."""
    del state, system, now


def _boot(state: State, system: System, now: float) -> None:
    """All guests are halted; those with autoboot that can start do, with what is stored by now."""
    session = Session(state=state, system=system, now=now)
    for guest in all_guests(state):
        if guest.running is not None:
            lifecycle.halt(session, guest)
        elif guest.state == lifecycle.PROVISIONING:
            # What was in the middle of its provisioning does not go on with it.
            guest.status["state"] = lifecycle.FAILED
            save(state, guest)
        if guest.stored["autoboot"] and guest.state == lifecycle.STOPPED:
            try:
                lifecycle.boot(session, guest)
            except Failed:
                continue


GUESTS = Part(GUEST_SCHEMA, _fill, _boot)
