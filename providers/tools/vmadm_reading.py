"""From a guest as vmadm prints it to an observed object in canonical fields (smartos-vmadm.md 7).

What is derived, volatile or an old form of something else has no field, so that it can't show as drift.
"""

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping

from providers.tools import vmadm_fields, vmadm_native
from providers.tools.vmadm_disks import read_disks
from providers.tools.vmadm_marks import Notes, mark_of, notes_of
from providers.tools.vmadm_mounts import read_mounts
from providers.tools.vmadm_nics import read_nics, saved_nics
from providers.tools.vmadm_objects import Guest
from providers.tools.vmadm_settings import HVM, MAPS, SETTINGS
from providers.tools.vmadm_stated import AWAY, BOOTED, TAKEN_PLACES, worth_stating
from providers.tools.vmadm_storage import Storage, Volumes
from reconciler.model.change import STATE
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import FINISHED, OWN_METADATA
from reconciler.provider.nic import CARRIERS

CLOUD_INIT: Mapping[str, str] = {f"cloudInit.{name}": key for name, key in vmadm_fields.CLOUD_INIT.items()}
"""Fields that are carried in customer_metadata, and the key there."""

RUNNING, STOPPED = "running", "stopped"
_HALTING = "stopping"

_UNSETTLED = frozenset({"provisioning", "receiving", "failed", "incomplete", "configured", "shutting_down", "down"})
"""States in which vmadm does not let a guest be changed."""

_FLAG_SNAPSHOT = "@indestructible"


def kind_of(guest: Guest) -> str:
    """Brands that nobody has heard of share the kernel, as all but two do."""
    return "VirtualMachine" if guest.brand in HVM else "Zone"


def name_of(guest: Guest) -> ObjectName:
    """The alias; the uuid of a guest that has none."""
    return ObjectName(kind_of(guest), guest.text("alias") or guest.uuid)


def observed(guest: Guest, asked: Collection[str], storage: Storage | None = None, volumes: Volumes | None = None) -> Observed:
    """The object.

    `asked` names entries of maps to tell the absence of; what somebody chose is only told where everything is asked for.
    `storage` is there when removals are asked for, `volumes` (the names of all on the host) when disks are.
    """
    notes, running = notes_of(guest), guest.state in (RUNNING, _HALTING)
    fields, own = _fields(guest, notes)
    for name in asked:
        if name not in fields and name.partition(".")[0] in MAPS and "." in name:
            fields[name] = None
    booted = guest.raw.get("boot_timestamp")
    if running and booted is not None:
        fields[BOOTED] = str(booted)
    _tell_unfinished(guest, fields, notes, volumes)
    stuck, unsticking = _trouble(guest.state, guest.uuid, _taken_volumes(fields))
    return Observed(
        name_of(guest),
        fields,
        frozenset(worth_stating(fields, guest.uuid)) if EVERY_FIELD in asked else frozenset(),
        mark_of(guest),
        guest.uuid,
        tuple(_references(fields)),
        _removal(guest, fields, storage) if storage is not None else None,
        trashed=notes.trashed,
        own_items=frozenset(own),
        running=running,
        pending_restart=notes.staged if running and notes.staged and notes.staged_at == str(booted) else (),
        interrupted=RUNNING if notes.resume == RUNNING and guest.state == STOPPED and notes.trashed is None else "",
        stuck=stuck,
        unsticking=unsticking,
    )


def _fields(guest: Guest, notes: Notes) -> tuple[dict[str, Value], list[str]]:
    """All fields, and the items of lists that are ours."""
    kind, own = kind_of(guest), list[str]()
    fields: dict[str, Value] = {name: setting.read(guest) for name, setting in SETTINGS[kind].items()}
    fields[STATE] = guest.state
    fields["routes"] = _routes(guest.entries("routes"))
    fields.update(vmadm_native.read(guest.raw, guest.brand))
    for head, prop in MAPS.items():
        entries = guest.entries(prop)
        ours = OWN_METADATA if head == "internalMetadata" else None
        fields.update({f"{head}.{key}": value for key, value in entries.items() if not (ours and key.startswith(ours))})
    lists = [("nics", read_nics(guest.objects("nics"), notes.nics))]
    if kind == "VirtualMachine":
        lists.append(("disks", read_disks(guest.objects("disks"), notes.disks, guest.uuid)))
        fields.update(_cloud_init(guest))
    else:
        lists.append(("mounts", read_mounts(guest.objects("filesystems"), notes.mounts)))
        fields["datasets"] = ()
        fields["delegatedDataset"] = bool(guest.texts("datasets"))
    for head, items in lists:
        names = []
        for name, item, is_ours in items:
            names.append(name)
            fields.update({f"{head}.{name}.{inner}": value for inner, value in item.items()})
            if is_ours:
                own.append(f"{head}.{name}")
        fields[head] = tuple(sorted(names))
    return fields, own


def _routes(routes: Fields) -> Value:
    """Each as `to via`, the destination with its prefix, in the order of the manifest's canonical form."""
    found = {}
    for to, via in routes.items():
        try:
            destination = str(ipaddress.ip_network(to, strict=False))
        except ValueError:
            destination = to
        found[destination] = f"{destination} {via}"
    return tuple(found[to] for to in sorted(found)) or None


def _cloud_init(guest: Guest) -> Fields:
    metadata = guest.entries("customer_metadata")
    keys = metadata.get(CLOUD_INIT["cloudInit.sshKeys"])
    lines = tuple(line for line in str(keys).split("\n") if line) if keys is not None else None
    return {"cloudInit.userData": metadata.get(CLOUD_INIT["cloudInit.userData"]), "cloudInit.sshKeys": lines}


def _references(fields: Fields) -> Iterable[ObjectName]:
    """What must stay while the guest does. Images go by their uuid: whoever knows their name can tell."""
    found = set()
    if isinstance(image := fields.get("image"), str):
        found.add(ObjectName("Image", image))
    for head, field_name, kinds in (
        ("nics", "over", CARRIERS[:2]),
        ("disks", "volume", ("Volume",)),
        ("disks", "image", ("Image",)),
    ):
        names = fields.get(head)
        for name in names if isinstance(names, tuple) else ():
            if isinstance(value := fields.get(f"{head}.{name}.{field_name}"), str):
                found.update(ObjectName(kind, value) for kind in kinds)
    return sorted(found)


def _tell_unfinished(guest: Guest, fields: dict[str, Value], notes: Notes, volumes: Volumes | None) -> None:
    """Whether volumes are away can only be told beside the host's volumes; where they were not read, nothing is said."""
    if volumes is None and notes.away:
        return
    away = sorted(place for place in notes.away if volumes is not None and place in volumes.names)
    runs_on = guest.state == RUNNING and notes.resume != ""
    macs = {nic.text("mac") for nic in guest.objects("nics")}
    targets = {mount.text("target") for mount in guest.objects("filesystems")}
    noted = set(notes.nics.values()) <= macs and notes.mounts <= targets
    fields[FINISHED] = not away and not runs_on and (noted or notes.trashed is not None)
    if volumes is not None:
        fields[AWAY] = tuple(f"{place}\t{notes.away[place]}" for place in away)
        fields[TAKEN_PLACES] = tuple(name for name in volumes.detached if f"/{guest.uuid}-" in name)


def _removal(guest: Guest, fields: Fields, storage: Storage) -> Removal:
    """What goes with the guest: its root, its delegated datasets, and the disks that were made for it."""
    own = storage.by_guest.get(guest.uuid, ())
    # vmadm keeps the indestructible flags as held snapshots of that name; they come and go with the flags.
    found = (snapshot for name in own for snapshot in storage.snapshots.get(name, ()))
    snapshots = [(name, is_held) for name, is_held in found if not name.endswith(_FLAG_SNAPSHOT)]
    obstacles = [f"snapshot {name} is held (see `zfs holds {name}`)" for name, is_held in snapshots if is_held]
    if guest.state == _HALTING:
        obstacles.append(": ".join(_trouble(guest.state, guest.uuid)))
    for name in own:
        clones = [clone for clone in storage.clones.get(name, ()) if clone not in own]
        obstacles += [f"{clone} is a clone of {name}" for clone in clones]
    if notes_of(guest).trashed is None:
        for flag in ("indestructible_zoneroot", "indestructible_delegated"):
            if guest.flag(flag):
                obstacles.append(f"{flag} is set on it, and not by us (clear it with `vmadm update {guest.uuid} {flag}=false`)")
    return Removal(
        sum(storage.used[name] for name in own),
        tuple(name for name, _ in snapshots),
        tuple(obstacles),
        saved={
            "alias": guest.text("alias"),
            "autoboot": "true" if fields["autoboot"] is True else "false",
            "nics": saved_nics(guest.objects("nics")),
            "state": RUNNING if guest.state == RUNNING else STOPPED,
        },
    )


def _taken_volumes(fields: Fields) -> Iterator[str]:
    names = fields.get("disks")
    for name in names if isinstance(names, tuple) else ():
        if isinstance(volume := fields.get(f"disks.{name}.volume"), str):
            yield volume


def _trouble(state: str, uuid: str, volumes: Iterable[str] = ()) -> tuple[str, str]:
    """Cause and remedy where vmadm lets nothing be done with a guest in its state; empty elsewhere.

    `volumes` are those that it only took: `vmadm delete` would destroy them as well.
    """
    if state == "failed":
        taken = "".join(
            f" (before that `zfs rename {name} {name}-kept`, and back after: it destroys all disks)" for name in volumes
        )
        remedy = (
            f"look into /var/log/vm/logs on the host; then `vmadm delete {uuid}` if it never ran{taken},"
            f" else `vmadm reprovision {uuid}` with its image, which keeps its delegated data"
        )
        return "vmadm gave it up (state failed): it was not made to its end, or not made anew to its end", remedy
    if state == _HALTING:
        remedy = f"wait, and run again; if it stays so, end it with `vmadm stop {uuid} -F` on the host"
        return "it is being stopped (state stopping)", remedy
    if state in _UNSETTLED:
        return (
            f"it is on its way to another state (state {state})",
            "wait, and run again; if it stays so, look at /var/log/vm/logs and `zoneadm list -cv` on the host",
        )
    return "", ""
