"""The commands of each change of a guest on SmartOS, in an order that may be cut anywhere.

What one payload can hold is one command, mark and notes included, so it is done or not. Where a change takes several, a note
on the guest says so before the first of them, and is taken off by the last (vmadm_marks): the next look finds it, and what it
asks for is planned again. Steps that were done already do nothing when they are repeated: `stop` and `start` of a guest that is
stopped or runs, an update to what is there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import assert_never

from providers.tools import vmadm, vmadm_fields, vmadm_marks, zfs
from providers.tools.vmadm_changes import item_changes, stated_items
from providers.tools.vmadm_create import create_payload, stated_fields
from providers.tools.vmadm_detaching import put_aside, put_back, volumes_aside
from providers.tools.vmadm_items import resolved_image
from providers.tools.vmadm_native import Json
from providers.tools.vmadm_reading import RUNNING
from providers.tools.vmadm_trash import from_trash, out_of_trash, to_trash, unlocked
from providers.tools.vmadm_update import (
    closing_notes,
    grown_volumes,
    note_payload,
    observed_brand,
    opening_notes,
    staged_notes,
    there,
    update_payload,
)
from reconciler.model.change import RESTART, STATE, Change, Effect, Verb
from reconciler.model.command import Command, Step
from reconciler.model.errors import ReconcilerError
from reconciler.provider.field import Acts
from reconciler.provider.guest import FINISHED

_AUTOBOOT = "autoboot"


def steps(change: Change, pools: frozenset[str] | None) -> tuple[Step, ...]:
    """The commands of a change in order. `pools` are those of the host, None where nobody could tell.

    ReconcilerError where nothing says in which pool a new guest is to lie, and for what the kvm of SmartOS has not got.
    """
    _refuse_for_kvm(change)
    return tuple(_steps(change, pools))


_KVM_MODELS = ("virtio", "scsi", "ide")


def _refuse_for_kvm(change: Change) -> None:
    """ReconcilerError for what is stated of a guest of kvm and only another engine can have."""
    stated = stated_fields(change)
    is_new = change.verb in (Verb.CREATE, Verb.REPLACE)
    engine = stated.get("engine") if is_new else there(change).fields.get("engine")
    if change.key.kind != "VirtualMachine" or change.resource is None or engine != "kvm":
        return
    if "firmware" in stated:
        raise ReconcilerError("kvm has no choice of firmware", remedy="remove firmware, or write engine: bhyve")
    disks = stated_items(change, "disks")
    for name, disk in disks.items():
        if (model := disk.get("model")) is not None and model not in _KVM_MODELS:
            remedy = f"write one of {', '.join(_KVM_MODELS)}"
            raise ReconcilerError(f"disk {name}: kvm has no disks of model {model}", remedy=remedy)
    for name in disks if is_new else item_changes(change, "disks").added:
        if {"image", "size"} <= disks[name].keys():
            cause = f"disk {name}: kvm can't grow a disk made of an image"
            raise ReconcilerError(cause, remedy="remove size, or write engine: bhyve")


def _steps(change: Change, pools: frozenset[str] | None) -> Iterator[Step]:
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, pools)
        case Verb.UPDATE:
            yield from _update(replace(change, verb=Verb.UPDATE))
        case Verb.ADOPT:
            yield from _adopt(change)
        case Verb.FORGET:
            yield from _forget(change)
        case Verb.TRASH:
            yield from to_trash(change)
        case Verb.RESTORE:
            yield from _restore(change)
        case Verb.DELETE:
            yield from _delete(change)
        case Verb.REPLACE if change.trashing is not None:
            yield from to_trash(change)
            yield from _create(change, pools)
        case Verb.REPLACE if _is_made_anew(change):
            yield from _reprovision(change)
        case Verb.REPLACE:
            yield from _delete(change)
            yield from _create(change, pools)
        case _:
            assert_never(change.verb)


def _create(change: Change, pools: frozenset[str] | None) -> Iterator[Step]:
    """One payload makes the whole guest, marked as ours from its first moment; vmadm refuses to make it twice.

    Where autoboot is stated otherwise than the state makes it, an update follows; cut between, the next look finds that it
    differs. A guest that was not made to its end is marked, and its state tells.
    """
    payload = create_payload(change, pools)
    yield Step(vmadm.validate_create(payload))
    yield Step(vmadm.create(payload))
    stated = change.resource.fields.get(_AUTOBOOT) if change.resource is not None else None
    if isinstance(stated, bool) and stated is not payload[_AUTOBOOT]:
        yield Step(vmadm.update(change.identity, {_AUTOBOOT: stated}))


def _update(change: Change, *, with_mark: bool = False) -> Iterator[Step]:
    """Changes of a guest that is there.

    On one that runs, what can't be done then is done between a stop and a start of ours. `reconciler:resume` is written before
    the stop or reboot and taken off when it runs again: a guest that is found stopped with it is to be started. What acts at
    the next boot is noted with the boot that it waits for, in the payload that stores it; so a reboot that never came is
    known.
    """
    observed, state = there(change), change.field(STATE)
    runs = observed.running is True
    runs_after = runs if state is None else state.after == RUNNING
    halts = runs and (not runs_after or _needs_halt(change))
    starts = runs_after and (halts or not runs)
    aside = volumes_aside(change)
    reboots = runs_after and not starts and _restarts(change)
    resume = {vmadm_marks.RESUME: RUNNING} if reboots or (halts and runs_after) else {}
    begun = {**aside.notes, **(resume if halts else {}), **opening_notes(change)}
    unfinished = bool(observed.interrupted) or change.field(FINISHED) is not None
    closing: dict[str, str | None] = dict.fromkeys({**aside.notes, **resume})
    if unfinished:
        closing |= dict.fromkeys((vmadm_marks.RESUME, vmadm_marks.AWAY))
    if reboots or (unfinished and not observed.pending_restart):
        closing[vmadm_marks.STAGED] = None
    closing |= closing_notes(change, all_lists=unfinished)
    notes = {**staged_notes(change), **(resume if reboots else {})} if runs and not halts else None
    payload = update_payload(change, with_mark=with_mark, notes=notes)
    if halts and not runs_after:
        payload = {**_autoboot(change, after_stop=True), **payload}
    uuid = observed.identity
    if payload:
        yield Step(vmadm.validate_update(observed_brand(change), payload))
    # Whether data may go is looked at once more before anything is done, not when the guest is down already.
    looks = aside.destroys
    for step in _told(uuid, note_payload(begun)):
        yield replace(step, look_first=looks)
        looks = False
    if halts:
        yield Step(vmadm.stop(uuid), look_first=looks)
    yield from put_aside(change, aside)
    for volume, size in grown_volumes(change).items():
        yield Step(Command(zfs.set_properties(volume, {"volsize": size})))
    yield from _told(uuid, payload, destructive=aside.destroys)
    yield from put_back(aside)
    if starts:
        yield Step(vmadm.start(uuid))
    elif reboots:
        yield Step(vmadm.reboot(uuid))
    yield from _told(uuid, {**note_payload(closing), **(_autoboot(change, after_stop=False) if starts else {})})


def _told(uuid: str, payload: Mapping[str, Json], *, destructive: bool = False) -> Iterator[Step]:
    if payload:
        yield Step(vmadm.update(uuid, payload), destructive=destructive)


def _autoboot(change: Change, *, after_stop: bool) -> dict[str, Json]:
    """vmadm clears autoboot when it stops a guest and sets it when it starts one; a manifest may state it otherwise."""
    stated = change.resource.fields.get(_AUTOBOOT) if change.resource is not None else None
    return {_AUTOBOOT: after_stop} if stated is after_stop else {}


def _needs_halt(change: Change) -> bool:
    """Whether something can't be changed at all while the guest runs."""
    observed, brand = there(change), observed_brand(change)
    return any(
        entry.effect is Effect.RESTART and vmadm_fields.acts(entry, brand, observed.fields) is Acts.RESTART
        for entry in change.fields
    )


def _restarts(change: Change) -> bool:
    return any(entry.effect is Effect.RESTART or entry.name == RESTART for entry in change.fields)


def _adopt(change: Change) -> Iterator[Step]:
    """Our mark, and which items of its lists the manifest knows by which name, in one payload; then what it may change.

    A guest without a mark that has a note of the trash was cut off while we gave it up: it is made whole as well.
    """
    if there(change).trashed is None:
        yield from _update(change, with_mark=True)
    else:
        yield from _restore(change)


def _restore(change: Change) -> Iterator[Step]:
    """Back from the trash, or from half the way there or back."""
    yield from from_trash(change)
    yield from _update(change, with_mark=True)
    yield from out_of_trash(change)


def _forget(change: Change) -> Iterator[Step]:
    """All that we wrote goes in one command; one that was on its way into the trash is made whole before."""
    observed = there(change)
    if observed.trashed is not None:
        yield from from_trash(change)
        yield from out_of_trash(change)
    payload = note_payload(dict.fromkeys(vmadm_marks.ALL_KEYS))
    yield Step(vmadm.validate_update(observed_brand(change), payload))
    yield Step(vmadm.update(observed.identity, payload))


def _delete(change: Change) -> Iterator[Step]:
    """`vmadm delete` destroys every disk of the guest, so those that are Volumes of their own are taken from it first."""
    observed, aside = there(change), volumes_aside(change)
    uuid = observed.identity
    before: list[Step] = []
    if aside.notes:
        before += _told(uuid, note_payload(aside.notes))
        before.append(Step(vmadm.stop(uuid)))
        before += put_aside(change, aside)
        before += _told(uuid, {"remove_disks": list(aside.paths)} if aside.paths else {})
        before += put_back(aside)
    if observed.trashed is not None:
        before += _told(uuid, unlocked(change))
    for place, step in enumerate(before):
        yield replace(step, look_first=place == 0)
    yield Step(vmadm.delete(uuid), destructive=True)


def _is_made_anew(change: Change) -> bool:
    """Whether only the image differs: then the guest stays, and its root goes."""
    replacing = {entry.name for entry in change.fields if entry.effect is Effect.REPLACE}
    return replacing == {"image"}


def _reprovision(change: Change) -> Iterator[Step]:
    """Nics, metadata and the delegated dataset stay. Cut off, the image still differs, or the guest's state tells."""
    uuid, image = there(change).identity, change.field("image")
    assert image is not None
    yield Step(vmadm.reprovision(uuid, resolved_image(change, image.after)), destructive=True)
    yield from _update(replace(change, verb=Verb.UPDATE))
