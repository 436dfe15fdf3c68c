"""What an object in the trash remembers, and what a change that puts one there must write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

UTC_MARK, REVISION_MARK = "<utc>", "<revision>"
"""What stands for a plan's own time and revision where ids and digests are taken, so that they don't depend on them."""

_SHORT_REVISION = 12


@dataclass(frozen=True, slots=True)
class Trashed:
    """When an object went into the trash, with what else, for how long, and what it needs when it comes back.

    Objects of one `group` were removed in one revision. `at` is UTC as `trash_time` writes it. `ttl_s` None means for ever:
    it says after how many seconds `trash purge --expired` may take the object; nothing is purged by itself. A `replaced` one
    made way for its successor and does not block its key. `saved` is the provider's: values that were changed on the way in,
    by its own names, None where nothing was set on the object itself. An object that is `Trashed` but still (or again) has
    its own name was caught half-way.
    """

    at: str
    group: str
    ttl_s: int | None
    replaced: bool = False
    was_mounted: bool = False
    saved: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trashing:
    """How a change puts an object into the trash; `entry` is the name it takes there."""

    at: str
    group: str
    ttl_s: int | None
    number: int = 1
    replaced: bool = False

    @property
    def entry(self) -> str:
        return f"{self.at}-{self.number}"

    def neutral(self, text: str) -> str:
        """A command's argument without the plan's own time and revision."""
        timeless = text.replace(self.at, UTC_MARK)
        return timeless.replace(self.group, REVISION_MARK) if self.group else timeless


def trash_time(moment: datetime) -> str:
    """`20261121T130405.123Z`: sorts by time and can be part of a dataset's name. `moment` is in UTC."""
    return moment.strftime("%Y%m%dT%H%M%S.") + f"{moment.microsecond // 1000:03d}Z"


def moment_of(text: str) -> datetime | None:
    """The moment that `trash_time` wrote; None for anything else."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def trash_group(revision: str) -> str:
    """The group of what is removed in a revision: the start of its digest, long enough to name it by."""
    return revision.removeprefix("sha256:")[:_SHORT_REVISION]
