"""What the guests of a SmartOS host are called, by uuid."""

from collections import Counter
from collections.abc import Mapping

from providers.tools.vmadm_marks import mark_of
from providers.tools.vmadm_objects import Guest, read_guests
from providers.tools.vmadm_reading import name_of
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName


def read_names(text: str) -> Mapping[str, ObjectName]:
    """Kind and name by uuid, from all guests as `vmadm lookup -j` prints them; ReadError for anything else.

    Of several guests with one alias it is the name of the one whose mark says so, if that is one; the others are told apart
    by their uuids, as the engine does it.
    """
    if not text.endswith("\n"):
        raise ReadError(1, "a whole array of guests", text[-80:])
    guests = read_guests(text)
    names = {guest.uuid: name_of(guest) for guest in guests}
    shared = {name for name, count in Counter(names.values()).items() if count > 1}
    marked = Counter(names[guest.uuid] for guest in guests if names[guest.uuid] in shared and _says(guest, names[guest.uuid]))
    for guest in guests:
        name = names[guest.uuid]
        if name in shared and not (marked[name] == 1 and _says(guest, name)):
            names[guest.uuid] = name._replace(name=f"{name.name}@{guest.uuid}")
    return names


def _says(guest: Guest, name: ObjectName) -> bool:
    mark = mark_of(guest)
    return mark is not None and mark.name == name
