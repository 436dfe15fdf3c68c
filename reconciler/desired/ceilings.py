"""A controller's ceilings: guardrails in a file of its own, which no commit can raise."""

from reconciler.desired.locator import Locator
from reconciler.desired.problem import Problem
from reconciler.desired.repository import ceilings
from reconciler.desired.yaml_documents import documents
from reconciler.desired.yaml_error import YamlError
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.model.origin import Origin
from reconciler.provider.registry import KNOWN_KINDS, Registry


def read_ceilings(data: bytes, file: str, registry: Registry) -> Guardrails:
    """The ceilings in a file's bytes; ReconcilerError with the place of everything that is wrong."""
    try:
        found = documents(data)
    except YamlError as error:
        raise ReconcilerError(f"{file}:{error.line}:{error.column}  {error.cause}", remedy=error.remedy) from error
    if len(found) != 1:
        cause = f"{file}:1:1  expected one document with guardrails, found {len(found)}"
        raise ReconcilerError(cause, remedy="write for example removals: {perHost: {count: 5}}")
    document = found[0]
    made = ceilings(document.value, frozenset(registry.kinds) | frozenset(KNOWN_KINDS), file)
    if isinstance(made, list):
        raise _wrong(made, Origin(file, document.line, document.column), data)
    return made


def _wrong(problems: list[Problem], origin: Origin, data: bytes) -> ReconcilerError:
    locator = Locator(lambda blobs: (data for _ in blobs))
    findings = [locator.finding(origin, origin.path, problem, "") for problem in problems]
    told = "\n".join(str(finding) for finding in findings)
    return ReconcilerError(f"the ceilings are invalid; nothing was planned\n{told}")
