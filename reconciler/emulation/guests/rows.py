"""Guests as rows of the state: one row of JSON each. No rules of vmadm here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from reconciler.emulation.state import Row, State

# Payloads are untrusted JSON, and stored objects have the shape that vmadm prints.
Json: TypeAlias = dict[str, Any]

GUEST_SCHEMA = """
CREATE TABLE guest (
    uuid TEXT PRIMARY KEY, stored TEXT NOT NULL, status TEXT NOT NULL, running TEXT
) WITHOUT ROWID;
CREATE TABLE guest_event (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, event TEXT NOT NULL);
"""


@dataclass(slots=True)
class Guest:
    """One guest."""

    uuid: str
    stored: Json
    """Its configuration as vmadm prints it, without what follows from its state and its datasets."""
    status: Json
    """`state`, `zone_state`, `boots`, `zonedid`; where they apply `zoneid`, `pid`, `boot_timestamp` and so on."""
    running: Json | None = field(default=None)
    """What it was booted with and what was changed live since; None when it is not running."""

    @property
    def state(self) -> str:
        return str(self.status["state"])

    @property
    def zone_state(self) -> str:
        return str(self.status["zone_state"])


def all_guests(state: State) -> list[Guest]:
    """All guests by uuid."""
    return [_guest(row) for row in state.rows("SELECT uuid, stored, status, running FROM guest ORDER BY uuid")]


def all_without_running(state: State) -> list[Guest]:
    """All guests by uuid, `running` left out: enough for what vmadm shows, and read in half the time."""
    return [_guest((*row, None)) for row in state.rows("SELECT uuid, stored, status FROM guest ORDER BY uuid")]


def guest_with(state: State, uuid: str) -> Guest | None:
    """The guest of that uuid."""
    row = state.row("SELECT uuid, stored, status, running FROM guest WHERE uuid = ?", uuid)
    return _guest(row) if row else None


def stored_of_others(state: State, uuid: str) -> list[Json]:
    """The configurations of all guests but one."""
    return [json.loads(stored) for (stored,) in state.rows("SELECT stored FROM guest WHERE uuid <> ?", uuid)]


def is_mentioned(state: State, text: str) -> bool:
    """Whether a text stands anywhere in the configuration of a guest."""
    return state.row("SELECT 1 FROM guest WHERE instr(stored, ?)", text) is not None


def _guest(row: Row) -> Guest:
    uuid, stored, status, running = row
    return Guest(uuid, json.loads(stored), json.loads(status), json.loads(running) if running else None)


def save(state: State, guest: Guest) -> None:
    """Writes a guest, new or known."""
    texts = [
        None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        for value in (guest.stored, guest.status, guest.running)
    ]
    state.write(
        "INSERT INTO guest VALUES (?, ?, ?, ?) ON CONFLICT (uuid) DO UPDATE SET "
        "stored = excluded.stored, status = excluded.status, running = excluded.running",
        guest.uuid, *texts,
    )  # fmt: skip


def forget(state: State, guest: Guest) -> None:
    """Removes a guest's row."""
    state.write("DELETE FROM guest WHERE uuid = ?", guest.uuid)


def disks_of(guest: Guest) -> Sequence[Json]:
    """Its stored disks; none for a guest without hardware of its own."""
    return guest.stored.get("disks") or []
