"""`imgadm delete` and `imgadm vacuum`."""

from collections.abc import Sequence

from reconciler.emulation.dashdash import table
from reconciler.emulation.images.errors import ImgadmError, not_installed
from reconciler.emulation.images.installed import InstalledImage, installed_images, installed_on
from reconciler.emulation.images.looking import DEFAULT_POOL, clone_names, one_uuid
from reconciler.emulation.images.storing import remove
from reconciler.emulation.session import Session

_DELETE = table([], ["-P"])
_VACUUM = table(["-n --dry-run", "-f --force"])


def delete(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm delete [-P POOL] UUID`."""
    given = _DELETE.read(arguments)
    uuid, pool = one_uuid(given.operands), given.last("P") or DEFAULT_POOL
    image = installed_on(session.state, pool, uuid)
    if image is None:
        raise not_installed(pool, uuid)
    if image.clones:
        names = ", ".join(clone_names(session, image))
        raise ImgadmError("ImageHasDependentClones", f'image "{uuid}" has dependent clones: {names}')
    session.begin_part()
    remove(session, pool, uuid)
    session.line(f"Deleted image {uuid}")
    return 0


def vacuum(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm vacuum [-n] [-f]`: removes what nothing was made from, then what that leaves unused."""
    given = _VACUUM.read(arguments)
    unused = _unused(session)
    if not unused:
        return 0
    if "dry-run" not in given.flags and "force" not in given.flags:
        session.line("This will delete the following images:")
        for image in unused:
            session.line(f"    {_label(image)}")
        session.out.append("Are you sure you want to continue? [y/N] ")
        if not (session.stdin or b"").strip().lower().startswith(b"y"):
            session.line("Aborting.")
            return 1
    for image in unused:
        if "dry-run" in given.flags:
            session.line(f"[dry-run] Deleted image {_label(image)}")
            continue
        session.begin_part()
        remove(session, image.pool, image.uuid)
        session.line(f"Deleted image {_label(image)}")
    return 0


def _unused(session: Session) -> list[InstalledImage]:
    """The images that can go, in the order in which they can: one that is based on another before that other."""
    left = {image.dataset: image for image in installed_images(session.state)}
    going: dict[str, InstalledImage] = {}
    while True:
        found = {
            name: image
            for name, image in left.items()
            if name not in going and all(clone in going for clone in clone_names(session, image))
        }
        if not found:
            return list(going.values())
        going |= found


def _label(image: InstalledImage) -> str:
    name = f" ({image.manifest['name']}@{image.manifest['version']})" if "name" in image.manifest else ""
    return f"{image.uuid}{name}"
