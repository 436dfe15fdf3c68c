"""Values as people read them."""

from datetime import UTC, datetime

from reconciler.model.guardrails import Guardrails
from reconciler.model.quantity import format_size
from reconciler.model.value import Value
from reconciler.provider.field import FieldRule, Null


def shown(rule: FieldRule | None, value: Value) -> str:
    """A canonical value as a manifest would write it."""
    if rule is not None and rule.written is not None and value is not None:
        return str(rule.written(value))
    match value:
        case None:
            return "not set" if rule is not None and rule.null is Null.UNSET else "none"
        case bool():
            return "true" if value else "false"
        case int():
            return format_size(value) if rule is not None and rule.is_size else str(value)
        case str():
            # Blanks at an end, and nothing at all, can't be seen without quotes.
            return printable(value) if value and value == value.strip() else f'"{printable(value)}"'
        case _:
            return ", ".join(printable(item) for item in value) or "none"


def whose(limits: Guardrails) -> str:
    """Who set the limits: `the repository's guardrails`, or `the controller's ceilings (FILE)`."""
    return f"the controller's ceilings ({limits.ceiling})" if limits.ceiling else "the repository's guardrails"


def way_out(limits: Guardrails, do: str, limit: str, when: str = "") -> str:
    """How to `do` something about one of the limits: in a commit, or, where no commit can, on the controller."""
    if limits.ceiling:
        return f"{do} {limit} in {limits.ceiling} on the controller (no commit can)"
    return f"{do} spec.guardrails.{limit} in repository.yaml{when}"


def printable(text: str) -> str:
    """The text on one line: what a host or a manifest said may hold newlines and control characters, and forge a plan."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()


WRONG_HOST_REMEDY = "correct spec.identity of the Host, or what its transport points at"


def moment(time: datetime) -> str:
    """`2026-01-02 03:04:05 UTC`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def told_moment(timestamp: str) -> str:
    """A document's timestamp (ISO 8601), as people read it."""
    return moment(datetime.fromisoformat(timestamp))


def counted(count: int, noun: str) -> str:
    """`1 snapshot`, `3 snapshots`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: list[str], most: int = 4) -> str:
    """The first few names and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
