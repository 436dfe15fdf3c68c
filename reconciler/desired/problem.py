"""Something wrong inside a document, before its line is known."""

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.desired.yaml_places import Path
from reconciler.model.desired import Severity
from reconciler.model.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class Problem:
    """A path from the top of the document, what is wrong there and what to do; `of_key` points to the key, not its value."""

    path: Path
    cause: str
    remedy: str
    of_key: bool = False
    severity: Severity = Severity.ERROR


def refusal(path: Path, invalid: InvalidValue, *, of_key: bool = False) -> Problem:
    """A refused value at its path."""
    return Problem(path, invalid.cause, invalid.remedy, of_key)


def below(prefix: Path, problems: Iterable[Problem]) -> list[Problem]:
    """The same problems, of a value that lies at `prefix`."""
    return [
        Problem((*prefix, *problem.path), problem.cause, problem.remedy, problem.of_key, problem.severity)
        for problem in problems
    ]
