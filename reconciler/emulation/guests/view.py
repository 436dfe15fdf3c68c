"""Looking at what runs on an emulated host, and doing what no command does, for tests: no text in between."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reconciler.emulation.errors import EmulationError
from reconciler.emulation.guests import lifecycle
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.rows import Guest, all_guests, guest_with
from reconciler.emulation.guests.stored import full_object
from reconciler.emulation.session import Session
from reconciler.emulation.state import State
from reconciler.emulation.systems import System


@dataclass(frozen=True, slots=True)
class GuestView:
    """One guest as the host has it."""

    uuid: str
    alias: str | None
    state: str
    zone_state: str
    boots: int
    """How often it was started since it was made: a change that restarts a guest adds one."""
    booted_at: str | None
    """When it was last started, as `boot_timestamp`."""
    stored: Mapping[str, object]
    """What `vmadm get` prints."""
    running: Mapping[str, object] | None
    """What it was booted with and what has reached it since: memory, vcpus, nics, disks …; None when it is halted."""


class Guests:
    """The guests of one host."""

    def __init__(self, state: State, system: System, clock: Callable[[], float]) -> None:
        self._state = state
        self._system = system
        self._clock = clock

    def uuids(self) -> tuple[str, ...]:
        """All guests, in order."""
        with self._state.reading():
            return tuple(guest.uuid for guest in all_guests(self._state))

    def guest(self, uuid: str) -> GuestView:
        """All about one guest; raises EmulationError when there is none."""
        with self._state.reading():
            found = self._found(uuid)
            return GuestView(
                uuid=uuid,
                alias=found.stored.get("alias"),
                state=found.state,
                zone_state=found.zone_state,
                boots=found.status["boots"],
                booted_at=found.status.get("boot_timestamp"),
                stored=full_object(self._state, found),
                running=found.running,
            )

    def halt(self, uuid: str) -> None:
        """Lets a guest end by itself, as after a shutdown from inside: it is stopped and autoboot stays as it is."""
        with self._state.changing():
            found = self._found(uuid)
            if found.running is None:
                raise EmulationError(f"guest {uuid} does not run; remedy: start it first")
            before = full_object(self._state, found)
            lifecycle.halt(self._session(), found)
            record(self._session(), before, full_object(self._state, found))

    def _session(self) -> Session:
        return Session(state=self._state, system=self._system, now=self._clock())

    def _found(self, uuid: str) -> Guest:
        found = guest_with(self._state, uuid)
        if found is None:
            raise EmulationError(f"the emulated host has no guest {uuid!r}; remedy: create it first")
        return found
