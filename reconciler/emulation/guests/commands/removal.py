"""`vmadm delete` and `vmadm reprovision`: storage that goes (smartos-vmadm.md 1)."""

from collections.abc import Sequence

from reconciler.emulation.guests import datasets, disks, lifecycle
from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.commands.create import make_root
from reconciler.emulation.guests.commands.reading_payload import payload_from
from reconciler.emulation.guests.datasets import zfs
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.finding import guest_named, uuid_argument
from reconciler.emulation.guests.forms import Form, is_good
from reconciler.emulation.guests.images import check_images
from reconciler.emulation.guests.reading import Datasets
from reconciler.emulation.guests.rows import Guest, Json, disks_of, forget, save
from reconciler.emulation.guests.stored import full_object, root_of
from reconciler.emulation.session import Interrupted, Session

_ATTEMPTS = 10
_GIB = 1 << 30


def delete(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm delete UUID`."""
    uuid, _ = uuid_argument(arguments, "delete")
    try:
        guest = guest_named(session, uuid)
        for flag in ("indestructible_zoneroot", "indestructible_delegated"):
            if guest.stored.get(flag):
                raise Failed(f"{flag} is set, cannot delete")
        before = full_object(session.state, guest)
        after: Json | None = before
        try:
            session.begin_part()
            if guest.running is not None:
                lifecycle.halt(session, guest)
            session.begin_part()
            _destroy_all(session, guest)
            session.begin_part()
            forget(session.state, guest)
            after = None
        finally:
            record(session, before, after and full_object(session.state, guest))
    except Failed as failed:
        raise Failed(f"Failed to delete VM {uuid}: {failed}") from failed
    session.complain(f"Successfully deleted VM {uuid}")
    return 0


def _destroy_all(session: Session, guest: Guest) -> None:
    try:
        for disk in disks_of(guest):
            disks.remove(session, disk)
        datasets.destroy(session, root_of(guest))
    except Failed as failed:
        raise Failed(f"delete failed after {_ATTEMPTS} attempts. (check the log for details)") from failed


def reprovision(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm reprovision UUID [-f FILE]` with `{"image_uuid": …}`."""
    uuid, rest = uuid_argument(arguments, "reprovision")
    payload = payload_from(session, rest)
    try:
        guest = guest_named(session, uuid)
        image = _checked_image(session, guest, payload)
        before = full_object(session.state, guest)
        try:
            _replace(session, guest, image)
        finally:
            record(session, before, full_object(session.state, guest))
    except Failed as failed:
        raise Failed(f"Failed to reprovision VM {uuid}: {failed}") from failed
    session.complain(f"Successfully reprovisioned VM {uuid}")
    return 0


def _checked_image(session: Session, guest: Guest, payload: Json) -> str:
    brand = BRANDS[guest.stored["brand"]]
    if brand.name == "kvm":
        raise Failed('brand "kvm" does not yet support reprovision')
    if guest.stored.get("indestructible_zoneroot"):
        raise Failed("indestructible_zoneroot is set, cannot reprovision")
    delegated = guest.stored.get("datasets", [])
    if len(delegated) > 1:
        raise Failed("cannot reprovision VM with multiple delegated datasets")
    if any(not name.endswith("/data") for name in delegated):
        raise Failed("cannot reprovision VM with a delegated dataset not named .../data")
    if "image_uuid" not in payload:
        raise Failed("missing image_uuid in payload")
    image = payload["image_uuid"]
    asked: Json = {"zpool": guest.stored["zpool"], "image_uuid": image}
    if brand.name == "bhyve":
        if not disks_of(guest):
            raise Failed("cannot reprovision VM without disks")
        asked = {"zpool": guest.stored["zpool"], "disks": [{"image_uuid": image}]}
    if not is_good(Form.UUID, image) or check_images(session.state, brand.name, asked):
        raise Failed("Invalid value(s) for: image_uuid")
    return str(image)


def _replace(session: Session, guest: Guest, image: str) -> None:
    """Gives a guest a new root (bhyve: a new first disk); one that is stopped meanwhile stays in state failed."""
    runs = guest.running is not None or (guest.state == lifecycle.FAILED and bool(guest.stored["autoboot"]))
    try:
        session.begin_part()
        if guest.running is not None:
            lifecycle.halt(session, guest, state=lifecycle.PROVISIONING)
        if guest.stored["brand"] == "bhyve":
            _replace_disk(session, guest, image)
        else:
            _replace_root(session, guest, image)
        guest.status.pop("first_boot", None)
        guest.status["state"] = lifecycle.STOPPED
        save(session.state, guest)
        session.begin_part()
        if runs:
            lifecycle.boot(session, guest)
    except (Failed, Interrupted):
        guest.status["state"] = lifecycle.FAILED
        save(session.state, guest)
        raise


def _replace_root(session: Session, guest: Guest, image: str) -> None:
    root = root_of(guest)
    aside = f"{root}-reprovisioning-data"
    data = f"{root}/data"
    quota = Datasets(session.state, [root]).size(root, "quota")
    if datasets.exists(session, data):
        zfs(session, "set", "zoned=off", data)
        zfs(session, "set", "mountpoint=none", data)
        zfs(session, "rename", data, aside)
    datasets.destroy(session, root)
    session.begin_part()
    guest.stored["image_uuid"] = image
    make_root(session, guest, 0)
    zfs(session, "set", f"quota={quota or 'none'}", root)
    if datasets.exists(session, aside):
        zfs(session, "rename", aside, data)
        zfs(session, "set", f"mountpoint=/{data}", data)
        zfs(session, "set", "zoned=on", data)


def _replace_disk(session: Session, guest: Guest, image: str) -> None:
    first = disks_of(guest)[0]
    name = str(first["zfs_filesystem"])
    size = Datasets(session.state, [name]).size(name, "volsize")
    datasets.destroy(session, name)
    session.begin_part()
    zfs(session, "clone", f"{guest.stored['zpool']}/{image}@final", name)
    if size:
        zfs(session, "set", f"volsize={size}", name)
    first["image_uuid"] = image
