"""`vmadm create` and `vmadm validate`."""

from collections.abc import Mapping, Sequence

from reconciler.emulation.guests import disks as disk_rules
from reconciler.emulation.guests import lifecycle, memory, nics, settings
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.commands.reading_payload import payload_from
from reconciler.emulation.guests.conflicts import refuse_conflicts
from reconciler.emulation.guests.datasets import gib, set_indestructible, zfs
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.ids import random_uuid
from reconciler.emulation.guests.images import manifest_of
from reconciler.emulation.guests.payload import accepted, complaints
from reconciler.emulation.guests.printing import printed
from reconciler.emulation.guests.properties import PROPERTIES, Acts, default_privileges
from reconciler.emulation.guests.routes import check_routes
from reconciler.emulation.guests.rows import Guest, Json, guest_with, save
from reconciler.emulation.guests.stored import full_object, root_of
from reconciler.emulation.guests.times import stamp
from reconciler.emulation.session import Interrupted, Session

_MAPS = ("customer_metadata", "internal_metadata", "routes", "tags")
_DOCKER_NAMESPACE = "docker"
_CLOUD_INIT = "org.smartos:cloudinit_datasource"
# What is not simply copied from the payload into what is stored.
_OTHERWISE = frozenset({"uuid", "zonename", "nics", "disks", "delegate_dataset", "mdata_exec_timeout", "nowait", *_MAPS})


def validate(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm validate create [-f FILE]`, `vmadm validate update BRAND [-f FILE]`."""
    action, *rest = arguments or [""]
    if action not in {"create", "update"}:
        raise Misused("validate needs an action: create or update")
    brand: object = None
    if action == "update":
        if not rest or rest[0].startswith("-"):
            raise Misused("validate update needs a brand")
        brand = rest.pop(0)
    payload = payload_from(session, rest)
    if action == "create":
        brand = payload.get("brand")
    if brand not in tuple(BRANDS):
        session.complain(printed({"bad_brand": "undefined" if brand is None else brand}))
        return 1
    found = complaints(session.state, str(brand), action, payload)
    if found.any():
        session.complain(printed(found.shown()))
        return 1
    session.complain(f"VALID '{action}' payload for {brand} brand VMs.")
    return 0


def create(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm create [-f FILE]`."""
    payload = payload_from(session, arguments)
    brand = payload.get("brand")
    if brand not in tuple(BRANDS):
        raise Failed(f"Unsupported brand: {'undefined' if brand is None else brand}")
    wanted = accepted(session.state, str(brand), "create", payload)
    guest, new_disks = _planned(session, str(brand), wanted)
    _make_datasets(session, guest, wanted, new_disks)
    session.begin_part()
    boots = bool(guest.stored["autoboot"])
    guest.status |= {"state": lifecycle.PROVISIONING if boots else lifecycle.STOPPED, "zone_state": lifecycle.INSTALLED}
    save(session.state, guest)
    try:
        if boots:
            session.begin_part()
            _provision(session, guest)
    finally:
        record(session, None, full_object(session.state, guest))
    session.complain(f"Successfully created VM {guest.uuid}")
    return 0


def _planned(session: Session, brand: str, wanted: Json) -> tuple[Guest, list[tuple[Json, Json]]]:
    """The guest that a payload describes and its disks; nothing is made yet. Raises Failed."""
    state = session.state
    uuid = wanted.get("uuid") or random_uuid(state)
    if guest_with(state, uuid) is not None:
        raise Failed(f"VM with UUID {uuid} already exists")
    settings.check(wanted)
    stored = _stored(session, brand, uuid, wanted)
    guest = Guest(uuid, stored, {"state": "", "zone_state": "", "boots": 0, "zonedid": state.next_number("zonedid")})
    made = nics.added(state, brand, stored, wanted.get("nics", []))
    primary = [nic["mac"] for nic in made if nic.get("primary")]
    stored["nics"] = nics.in_order(brand, nics.with_primary(made, primary))
    refuse_conflicts(state, uuid, stored["nics"], stored.get("vnc_port"))
    check_routes(stored["routes"], stored["nics"])
    new_disks: list[tuple[Json, Json]] = []
    if BRANDS[brand].hvm:
        new_disks = disk_rules.planned(state, brand, uuid, stored, wanted.get("disks", []))
        stored["disks"] = [disk for disk, _ in new_disks]
        settings.check_flexible_size(stored)
    return guest, new_disks


def _stored(session: Session, brand: str, uuid: str, wanted: Json) -> Json:
    stored: Json = {"zonename": wanted.get("zonename") or uuid, "autoboot": True, "brand": brand}
    stored |= {"limit_priv": default_privileges(brand), "v": 1, "create_timestamp": stamp(session.now)}
    for name, one in PROPERTIES.items():
        if brand not in one.brands or name in _OTHERWISE or Acts.DATASET in {one.os, one.hvm}:
            continue
        value = wanted.get(name)
        if value is None or (name == "cpu_cap" and value == 0):
            value = one.default
        if value is not None and "c" in one.actions and value is not one.kept_unless:
            stored[name] = value
    if brand == "kvm":
        stored.setdefault("boot", "order=cd")
    stored.pop("ram", None)
    stored |= memory.first_values(brand, {name: wanted.get(name) for name in settings.MEMORY})
    stored["cpu_shares"] = min(stored["cpu_shares"], settings.MOST_CPU_SHARES)
    stored.setdefault("hostname", stored["zonename"])
    stored.setdefault("resolvers", [])
    for name in _MAPS:
        stored[name] = dict(wanted.get(name) or {})
    _add_what_images_say(session, wanted, stored)
    if wanted.get("docker"):
        stored["internal_metadata"].setdefault("docker:id", (uuid.replace("-", "") * 2))
        names = stored.setdefault("internal_metadata_namespaces", [])
        if _DOCKER_NAMESPACE not in names:
            names.append(_DOCKER_NAMESPACE)
    if wanted.get("delegate_dataset"):
        stored["datasets"] = [f"{stored['zpool']}/{uuid}/data"]
    stored["nics"] = []
    stored["last_modified"] = stored["create_timestamp"]
    return stored


def _add_what_images_say(session: Session, wanted: Json, stored: Json) -> None:
    uuids = [wanted.get("image_uuid"), *(disk.get("image_uuid") for disk in wanted.get("disks", ()))]
    for uuid in uuids:
        tags = (manifest_of(session.state, stored["zpool"], uuid) or {}).get("tags")
        if isinstance(tags, Mapping) and _CLOUD_INIT in tags:
            stored["internal_metadata"].setdefault("cloudinit_datasource", tags[_CLOUD_INIT])


def _make_datasets(session: Session, guest: Guest, wanted: Json, new_disks: Sequence[tuple[Json, Json]]) -> None:
    session.begin_part()
    make_root(session, guest, wanted.get("quota"))
    session.begin_part()
    for name in guest.stored.get("datasets", ()):
        zfs(session, "create", "-o", "zoned=on", "-o", f"mountpoint=/{name}", name)
    for disk, item in new_disks:
        disk_rules.make(session, disk, item)
    settings.apply_to_datasets(session, guest, {name: value for name, value in wanted.items() if name != "quota"})
    settings.settle_flexible_size(session, guest)
    for name, dataset in settings.indestructible_datasets(guest).items():
        set_indestructible(session, dataset, wanted=bool(guest.stored.get(name)))


def make_root(session: Session, guest: Guest, quota: object) -> None:
    """Makes a guest's root: a clone of its image, or an empty filesystem."""
    brand = BRANDS[guest.stored["brand"]]
    limit = "refquota" if brand.name == "bhyve" else "quota"
    options = ("-o", f"{limit}={gib(brand.quota if quota is None else quota)}", "-o", "devices=off")
    if "image_uuid" in guest.stored:
        zfs(session, "clone", *options, f"{guest.stored['zpool']}/{guest.stored['image_uuid']}@final", root_of(guest))
    else:
        zfs(session, "create", *options, root_of(guest))


def _provision(session: Session, guest: Guest) -> None:
    """The first boot. When it can't boot, or is stopped meanwhile by a fault, the guest stays in state failed."""
    try:
        lifecycle.boot(session, guest, state=lifecycle.PROVISIONING)
        session.begin_part()
    except Failed:
        guest.status["state"] = lifecycle.FAILED
        save(session.state, guest)
        raise
    except Interrupted as interrupted:
        guest.status["state"] = lifecycle.FAILED
        save(session.state, guest)
        raise Failed(f"timed out waiting for /var/svc/provisioning to move for {guest.uuid}") from interrupted
    guest.status["state"] = lifecycle.RUNNING
    save(session.state, guest)
