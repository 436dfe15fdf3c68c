"""The host lock of an emulated host: a note that says who has it and until when, renewed as long as we work."""

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from reconciler.hosts.lease import Holder, LockHeldError, holder_from, holder_text, is_dead, undisturbed
from reconciler.model.errors import ReconcilerError

EXPIRY_S = 30.0
"""After this long without a renewal the lock may be broken, whoever has it."""

_RENEWAL_S = EXPIRY_S / 3

ChangeNote = Callable[[str, Callable[[str], str]], None]
"""Replaces the note of that name by what the function makes of it, as one step for all processes."""


class EmulatedLease:
    """Ours until it is released, or until we were silent for so long that another took it."""

    def __init__(self, change_note: ChangeNote, name: str, ours: Holder, before: Holder | None) -> None:
        self.lost = asyncio.Event()
        self._change_note, self._name = change_note, name
        self._ours, self._before = ours, before
        self._renewing = asyncio.create_task(self._renew())
        self._renewing.add_done_callback(self._note_end)

    def is_undisturbed_since(self, uptime: float) -> bool:
        return undisturbed(self._before, self._ours, uptime)

    async def release(self) -> None:
        self._renewing.cancel()
        ended = replace(self._ours, ended=time.time(), uptime=time.monotonic())
        # Where that can't be written the lock expires by itself, and what was done is told all the same.
        with suppress(ReconcilerError):
            self._change_note(self._name, lambda text: lock_text(ended, 0.0) if self._is_ours(text) else text)

    async def _renew(self) -> None:
        while not self.lost.is_set():
            await asyncio.sleep(_RENEWAL_S)
            self.renew()

    def _note_end(self, renewing: "asyncio.Task[None]") -> None:
        """A lock that can't be renewed is as good as lost."""
        if not renewing.cancelled() and renewing.exception() is not None:
            self.lost.set()

    def renew(self) -> None:
        """Puts the expiry off, or finds that the lock is another's by now."""

        def renewed(text: str) -> str:
            if self._is_ours(text):
                return lock_text(self._ours, time.time() + EXPIRY_S)
            self.lost.set()
            return text

        self._change_note(self._name, renewed)

    def _is_ours(self, text: str) -> bool:
        return _holder(text)[0] == self._ours


def take_emulated_lease(change_note: ChangeNote, name: str, ours: Holder) -> EmulatedLease:
    """Takes the lock; LockHeldError when a process has it that may be alive and has renewed it lately."""
    before: Holder | None = None

    def taken(text: str) -> str:
        nonlocal before
        before, until = _holder(text)
        if before is not None and before.ended is None and time.time() < until and not is_dead(before, ours):
            raise LockHeldError(before)
        return lock_text(ours, time.time() + EXPIRY_S)

    change_note(name, taken)
    return EmulatedLease(change_note, name, ours, before)


def lock_text(holder: Holder, until: float) -> str:
    """The note: who has the lock, and until when (seconds since the epoch)."""
    return json.dumps({"holder": holder_text(holder), "until": until})


def _holder(text: str) -> tuple[Holder | None, float]:
    if not text:
        return None, 0.0
    try:
        document = json.loads(text)
        return holder_from(document["holder"]), float(document["until"])
    except (ValueError, LookupError, TypeError):
        # Somebody had it, and nobody can tell until when.
        return Holder(0), 0.0
