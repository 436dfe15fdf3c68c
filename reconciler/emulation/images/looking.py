"""`imgadm list`, `get`, `avail`, `show` and `ancestry`."""

from collections.abc import Sequence

from reconciler.emulation.dashdash import table
from reconciler.emulation.images.asking import available, every_source, sought, together
from reconciler.emulation.images.errors import ImgadmError, not_installed, usage
from reconciler.emulation.images.installed import IS_UUID, InstalledImage, installed_images, installed_on
from reconciler.emulation.images.printing import COLUMNS, ORDER, Item, chosen, print_items, print_json
from reconciler.emulation.session import Session
from reconciler.emulation.zfs import datasets

DEFAULT_POOL = "zones"

_LISTED = table(["-j --json", "-H --noheader", "--docker"], ["-o", "-s"])
_ONE = table(["-r"], ["-P"])
_SHOWN = table(["-j"], ["-S"])
_LINE = table(["-j --json", "-H --noheader"], ["-P", "-o"])


def checked_uuid(text: str) -> str:
    """The argument when it is a uuid; raises ImgadmError (InvalidUUID)."""
    if not IS_UUID.fullmatch(text):
        raise ImgadmError("InvalidUUID", f'invalid uuid: "{text}"')
    return text


def one_uuid(operands: Sequence[str]) -> str:
    """The one uuid that a subcommand takes; raises ImgadmError."""
    if len(operands) != 1:
        raise usage("no image uuid given" if not operands else f"unexpected number of args: {' '.join(operands)}")
    return checked_uuid(operands[0])


def as_item(image: InstalledImage) -> dict[str, object]:
    """An installed image as `list -j` and `get` print it."""
    item: dict[str, object] = {"manifest": image.manifest, "zpool": image.pool}
    if image.source is not None:
        item["source"] = image.source
    return {**item, "clones": image.clones}


def list_images(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm list [-j] [-H] [-o FIELDS] [-s FIELDS] [FILTER…]`."""
    given = _LISTED.read(arguments)
    items = chosen((as_item(image) for image in installed_images(session.state)), given.operands)
    _print(session, items, given.flags, given.last("o"), given.last("s"))
    return 0


def avail(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm avail [-j] [-H] [-o FIELDS] [-s FIELDS] [FILTER…]`: what is got is printed, whoever did not answer."""
    given = _LISTED.read(arguments)
    found, troubles = available(session.state)
    items: list[Item] = chosen(({"manifest": manifest, "source": source.url} for source, manifest in found), given.operands)
    _print(session, items, given.flags, given.last("o"), given.last("s"))
    if troubles:
        raise together(troubles)
    return 0


def _print(session: Session, items: list[Item], flags: frozenset[str], columns: str | None, order: str | None) -> None:
    if "json" in flags:
        print_json(session, items)
        return
    print_items(session, items, columns=columns or COLUMNS, order=order or ORDER, header="noheader" not in flags)


def get(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm get [-r] [-P POOL] UUID`."""
    given = _ONE.read(arguments)
    uuid, pool = one_uuid(given.operands), given.last("P") or DEFAULT_POOL
    image = installed_on(session.state, pool, uuid)
    if image is None:
        raise not_installed(pool, uuid)
    item = as_item(image)
    if "r" in given.flags:
        item["children"] = {"clones": clone_names(session, image)}
    print_json(session, item)
    return 0


def clone_names(session: Session, image: InstalledImage) -> list[str]:
    """The datasets that were made from an image."""
    rows = session.state.rows(
        "SELECT clone.name FROM dataset AS clone JOIN dataset AS snapshot ON snapshot.id = clone.origin "
        "JOIN dataset AS image ON image.id = snapshot.parent WHERE image.name = ? ORDER BY clone.name",
        image.dataset,
    )
    return [str(row[0]) for row in rows]


def show(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm show UUID`."""
    given = _SHOWN.read(arguments)
    uuid = one_uuid(given.operands)
    found = sought(session.state, uuid, every_source(session.state))
    if found is None:
        raise ImgadmError("ImageNotFound", f'image "{uuid}" was not found')
    print_json(session, found[1])
    return 0


def ancestry(session: Session, arguments: Sequence[str]) -> int:
    """`imgadm ancestry [-j] [-P POOL] UUID`: an image, its origin, and so on."""
    given = _LINE.read(arguments)
    uuid, pool = one_uuid(given.operands), given.last("P") or DEFAULT_POOL
    line: list[Item] = []
    image = installed_on(session.state, pool, uuid)
    if image is None:
        raise not_installed(pool, uuid)
    while image is not None:
        line.append(as_item(image))
        dataset = datasets.dataset_named(session.state, image.dataset)
        if dataset is None or dataset.origin is None:
            break
        above = datasets.dataset_with_id(session.state, dataset.origin).filesystem_name
        image = installed_on(session.state, pool, above.rpartition("/")[2])
    if "json" in given.flags:
        print_json(session, line)
        return 0
    columns = given.last("o") or "uuid,name,version,published_at"
    print_items(session, line, columns=columns, order=None, header="noheader" not in given.flags)
    return 0
