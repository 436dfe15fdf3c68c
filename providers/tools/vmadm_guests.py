"""Guests of one kind on a SmartOS host: what to ask for, and what the answers say."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from providers.tools import vmadm, vmadm_errors, zfs_errors
from providers.tools.failures import failure
from providers.tools.vmadm_marks import notes_of
from providers.tools.vmadm_objects import Guest, read_guest, read_guests
from providers.tools.vmadm_reading import kind_of, observed
from providers.tools.vmadm_storage import LIST_STORAGE, LIST_VOLUMES, Storage, read_storage, read_volumes
from reconciler.model.change import Change, Verb
from reconciler.model.command import Completed, Failure, Outputs, Probe, probe
from reconciler.model.errors import ReadError
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.provider.guest import FINISHED

GUESTS, STORAGE, VOLUMES = "vmadm.guests", "vmadm.storage", "vmadm.volumes"
"""Names of the probes. Both providers of guests ask the same, so that each command runs once."""


def guest_probes(kind: str, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
    """One command for all guests; one more for what removals cost, and one for disks that may be on their way."""
    if kind not in fields:
        return ()
    asked = fields[kind]
    found = [Probe(GUESTS, vmadm.ALL_GUESTS)]
    if asked & {REMOVAL, EVERY_FIELD}:
        found.append(probe(STORAGE, *LIST_STORAGE))
    if kind == "VirtualMachine" and (
        asked & {EVERY_FIELD, FINISHED, REMOVAL} or any(name.startswith("disks") for name in asked)
    ):
        found.append(probe(VOLUMES, *LIST_VOLUMES))
    return tuple(found)


def guests_in(outputs: Outputs) -> tuple[Guest, ...]:
    """All guests of the host, of either kind, in the answers; ReadError for any other shape."""
    return read_guests(outputs[GUESTS].stdout) if GUESTS in outputs else ()


def read_kind(
    kind: str, guests: Iterable[Guest], outputs: Outputs, fields: Mapping[str, frozenset[str]]
) -> tuple[Observed, ...]:
    """Those guests that are of that kind, with what else the answers say of them; ReadError for any other shape."""
    if kind not in fields:
        return ()
    storage = read_storage(outputs[STORAGE].stdout) if STORAGE in outputs else None
    volumes = read_volumes(outputs[VOLUMES].stdout) if VOLUMES in outputs else None
    return tuple(observed(guest, fields[kind], storage, volumes) for guest in guests if kind_of(guest) == kind)


def confirm(change: Change) -> Probe:
    """A look at the guest of a change, or at the old and the new one where one takes the place of the other."""
    there = change.observed.identity if change.observed is not None else ""
    if there and change.identity and change.identity != there:
        return Probe("vmadm.confirm", vmadm.find(there, change.identity))
    return Probe("vmadm.confirm", vmadm.get(there or change.identity))


def confirmed(change: Change, answer: Completed) -> Observed | None:
    """The guest in the answer to `confirm`; None when it is certain that there is none, or that it lies in the trash.

    Of two, the old one counts as long as it was not put into the trash. ReadError where nothing is certain.
    """
    if vmadm_errors.says_gone(answer):
        return None
    if not answer.succeeded:
        raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
    several = answer.command.argv[1] == "lookup"
    guests = read_guests(answer.stdout) if several else (read_guest(answer.stdout),)
    asked = change.resource.fields if change.resource is not None else {}
    # What a removal takes was read for the plan; here only what stands against it counts.
    storage = Storage() if change.observed is not None and change.observed.removal is not None else None
    found = {guest.uuid: _as_noted(guest, observed(guest, asked, storage)) for guest in guests}
    if change.observed is not None:
        old = found.get(change.observed.identity)
        if old is not None and not (change.verb in (Verb.TRASH, Verb.REPLACE) and old.is_in_trash):
            return old
    return found.get(change.identity)


def _as_noted(guest: Guest, found: Observed) -> Observed:
    """The volumes of the host were not looked at; as long as a note says that some are away, the guest is not whole."""
    return replace(found, fields={**found.fields, FINISHED: False}) if notes_of(guest).away else found


def explain(failed: Completed) -> Failure:
    """Cause, remedy and retry class of a command that did not exit 0, by the tool that said it."""
    return failure(failed, zfs_errors.TABLE) if failed.command.argv[0] == "zfs" else vmadm_errors.failure(failed)
