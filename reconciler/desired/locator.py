"""Problems as findings: the line and column of what is at fault, found by parsing the blob again."""

from reconciler.desired.entry import ReadBlobs, TooLarge
from reconciler.desired.problem import Problem
from reconciler.desired.words import printable
from reconciler.desired.yaml_places import Place, places
from reconciler.model.desired import Finding, Severity
from reconciler.model.key import Key
from reconciler.model.origin import Origin


class Locator:
    """Remembers the places of the blob that was asked for last: the problems of one file come together."""

    def __init__(self, read: ReadBlobs) -> None:
        self._read = read
        self._blob = ""
        self._places: tuple[Place, ...] = ()

    def finding(self, origin: Origin, blob: str, problem: Problem, subject: str, key: Key | None = None) -> Finding:
        """The finding of a problem in the document that begins at the origin."""
        line, column = self._document(origin, blob).position(problem.path, of_key=problem.of_key)
        cause, remedy = printable(problem.cause), printable(problem.remedy)
        return Finding(origin.path, line, column, problem.severity, cause, remedy, subject, key)

    def finding_at(self, origin: Origin, blob: str, field: str, cause: str, remedy: str, key: Key) -> Finding:
        """An error at a dotted field of the resource whose document begins at the origin."""
        at = self.place(origin, blob, field)
        return Finding(*at, Severity.ERROR, cause, remedy, f"{key.kind} {key.name}", key)

    def place(self, origin: Origin, blob: str, field: str) -> Origin:
        """Where a dotted field of the document that begins at the origin stands, as far as it is written."""
        document = self._document(origin, blob)
        return Origin(origin.path, *document.position(document.path(field)))

    def _document(self, origin: Origin, blob: str) -> Place:
        if self._blob != blob:
            data = next(iter(self._read((blob,))))
            self._places = () if isinstance(data, TooLarge) else places(data)
            self._blob = blob
        start = (origin.line, origin.column)
        return next((place for place in self._places if place.at == start), Place(start))
