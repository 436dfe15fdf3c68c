"""Reading tools that print a list of objects as JSON."""

import json
from collections.abc import Mapping, Sequence

from reconciler.model.errors import ReadError


def read_list(text: str, what: str) -> Sequence[Mapping[str, object]]:
    """The objects of a list that was printed whole, with the end of its last line. ReadError otherwise; `what` names them."""
    try:
        found = json.loads(text)
    except ValueError:
        raise ReadError(0, f"a JSON list of {what}", text[:80]) from None
    if not isinstance(found, list) or not text.endswith("\n"):
        raise ReadError(0, f"a JSON list of {what}, whole", text[-80:])
    for one in found:
        if not isinstance(one, dict):
            raise ReadError(0, f"{what} as JSON objects", str(one)[:80])
    return found
