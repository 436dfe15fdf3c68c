"""Guests into the trash and back (kinds.md, "What trash means").

What a guest was stands in a note on it, written first and taken off last. In between it is stopped, and then one payload
takes its name, its nics and its autoboot; so at any moment it has its own name and all that belongs to it, or is in the trash.
"""

from collections.abc import Iterator, Mapping

from providers.tools import vmadm
from providers.tools.vmadm_detaching import Aside, put_aside, put_back, volumes_aside
from providers.tools.vmadm_marks import RESUME, STAGED, TRASH, trash_note
from providers.tools.vmadm_native import Json
from providers.tools.vmadm_nics import nics_saved_in
from providers.tools.vmadm_reading import RUNNING, STOPPED
from providers.tools.vmadm_update import note_payload, observed_brand, there
from reconciler.model.change import STATE, Change
from reconciler.model.command import Step
from reconciler.model.observed import Removal
from reconciler.model.trash import Trashed
from reconciler.provider.guest import TRASH_ALIAS

_FLAGS = ("indestructible_zoneroot", "indestructible_delegated")


def to_trash(change: Change) -> Iterator[Step]:
    """Puts the guest that is there into the trash. One that was on its way already keeps what was saved then.

    Where a successor is to come, Volumes of their own are taken from the old guest, for the new one has them.
    """
    observed, trashing = there(change), change.trashing
    assert trashing is not None
    removal, begun = observed.removal or Removal(0), observed.trashed
    saved = {**removal.saved, **(begun.saved if begun is not None else {})}
    trashed = Trashed(trashing.at, trashing.group, trashing.ttl_s, trashing.replaced, saved=saved)
    payload: dict[str, Json] = {
        "alias": f"{TRASH_ALIAS}{trashing.at}.{change.key.name}",
        "autoboot": False,
        **dict.fromkeys(_flags(change), True),
        **note_payload({STAGED: None, RESUME: None}),
    }
    if macs := sorted(_macs(change)):
        payload["remove_nics"] = list(macs)
    aside = volumes_aside(change) if trashing.replaced else Aside()
    if aside.paths:
        payload["remove_disks"] = list(aside.paths)
    uuid = observed.identity
    yield Step(vmadm.validate_update(observed_brand(change), payload))
    yield Step(vmadm.update(uuid, note_payload({TRASH: trash_note(trashed), **aside.notes})), look_first=True)
    if observed.fields.get(STATE) != STOPPED:
        yield Step(vmadm.stop(uuid))
    yield from put_aside(change, aside)
    yield Step(vmadm.update(uuid, payload))
    yield from put_back(aside)
    if aside.notes:
        yield Step(vmadm.update(uuid, note_payload(dict.fromkeys(aside.notes))))


def from_trash(change: Change) -> Iterator[Step]:
    """Gives the guest its name, nics and autoboot back. It is not started yet, and the note stays: see `out_of_trash`."""
    observed = there(change)
    saved = _saved(change)
    payload: dict[str, Json] = {"alias": change.key.name, "autoboot": saved.get("autoboot") == "true", **unlocked(change)}
    present = _macs(change)
    if nics := [nic for nic in nics_saved_in(saved.get("nics") or "") if str(nic["mac"]) not in present]:
        payload["add_nics"] = list(nics)
    yield Step(vmadm.validate_update(observed_brand(change), payload))
    yield Step(vmadm.update(observed.identity, payload))


def out_of_trash(change: Change) -> Iterator[Step]:
    """Starts the guest if it ran before, and takes the note off."""
    observed, saved = there(change), _saved(change)
    stated = change.resource.fields.get(STATE) if change.resource is not None else None
    starts = saved.get(STATE) == RUNNING and stated != STOPPED and change.field(STATE) is None
    payload: dict[str, Json] = dict(note_payload({TRASH: None}))
    if starts and observed.fields.get(STATE) == STOPPED:
        yield Step(vmadm.start(observed.identity))
        if saved.get("autoboot") == "false":
            payload["autoboot"] = False
    yield Step(vmadm.update(observed.identity, payload))


def unlocked(change: Change) -> dict[str, Json]:
    """What lets a guest in the trash be deleted again. Only there are the flags ours."""
    return dict.fromkeys(_flags(change), False)


def _flags(change: Change) -> tuple[str, ...]:
    return _FLAGS if there(change).fields.get("delegatedDataset") is True else _FLAGS[:1]


def _saved(change: Change) -> Mapping[str, str | None]:
    trashed = there(change).trashed
    assert trashed is not None
    return trashed.saved


def _macs(change: Change) -> set[str]:
    fields = there(change).fields
    names = fields.get("nics")
    return {str(fields[f"nics.{name}.mac"]) for name in (names if isinstance(names, tuple) else ())}
