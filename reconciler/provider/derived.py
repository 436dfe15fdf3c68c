"""What we choose for objects that the host would name by itself: derived, so that they are known as ours again."""

import hashlib
import uuid

from reconciler.model.key import Key


def derived_mac(owner: str, key: Key, nic: str = "") -> str:
    """The address of a link that states none: `02:` and 40 bits of SHA-256 over owner, full key and, in a guest, its name."""
    text = f"{owner}/{key}#{nic}" if nic else f"{owner}/{key}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ":".join(("02", *(digest[place : place + 2] for place in range(0, 10, 2))))


def derived_uuid(owner: str, key: Key, taken: frozenset[str] = frozenset()) -> str:
    """uuid5 of owner and key; while it is taken (by what lies in the trash) that of the key with `#2`, `#3` ... appended."""
    space = uuid.uuid5(uuid.NAMESPACE_URL, f"reconciler:{owner}")
    number, found = 1, str(uuid.uuid5(space, str(key)))
    while found in taken:
        number += 1
        found = str(uuid.uuid5(space, f"{key}#{number}"))
    return found
