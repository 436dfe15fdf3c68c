"""What vmadm has zfs do: the same commands that anybody may run, in the same host."""

from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets
from reconciler.emulation.zfs.tool import ZFS

MIB = 1 << 20
_INDESTRUCTIBLE = "indestructible"
_HOLD = "do_not_destroy"


def zfs(session: Session, *arguments: str) -> None:
    """Runs a zfs command; raises Failed with what it says."""
    inner = Session(state=session.state, system=session.system, now=session.now)
    if ZFS.run(inner, arguments) != 0:
        raise Failed(f"Command failed: {''.join(inner.err).strip()}")


def exists(session: Session, name: str) -> bool:
    """Whether there is such a dataset or snapshot."""
    return datasets.dataset_named(session.state, name) is not None


def origin_of(session: Session, name: str) -> str | None:
    """The snapshot that a dataset was cloned from."""
    found = datasets.dataset_named(session.state, name)
    if found is None or found.origin is None:
        return None
    return datasets.dataset_with_id(session.state, found.origin).name


def destroy(session: Session, name: str) -> None:
    """Destroys a dataset with what lies below it, if it is there; an origin that is no image goes too."""
    if not exists(session, name):
        return
    origin = origin_of(session, name)
    zfs(session, "destroy", "-r", "-f", name)
    if origin is not None and not origin.endswith("@final"):
        zfs(session, "destroy", origin)


def set_in_use(session: Session, name: str, *, in_use: bool) -> None:
    """Says that a running guest has a dataset open, or no longer."""
    found = datasets.dataset_named(session.state, name)
    if found is not None:
        datasets.update_dataset(session.state, found, in_use=int(in_use))


def set_indestructible(session: Session, name: str, *, wanted: bool) -> None:
    """Puts a held snapshot on a dataset, which then can't be destroyed, or takes it away."""
    snapshot = f"{name}@{_INDESTRUCTIBLE}"
    if wanted and not exists(session, snapshot):
        zfs(session, "snapshot", snapshot)
        zfs(session, "hold", _HOLD, snapshot)
    if not wanted and exists(session, snapshot):
        zfs(session, "release", _HOLD, snapshot)
        zfs(session, "destroy", snapshot)


def gib(value: object) -> str:
    """A quota in GiB as zfs takes it."""
    return f"{value}G" if value else "none"
