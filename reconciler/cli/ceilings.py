"""The ceilings of this machine, from what the user named."""

from pathlib import Path

from reconciler.desired.ceilings import read_ceilings
from reconciler.model.errors import ReconcilerError
from reconciler.model.guardrails import Guardrails
from reconciler.provider.registry import Registry


def loaded_ceilings(file: Path | None, registry: Registry) -> Guardrails | None:
    """The ceilings in a file; None where none was named. ReconcilerError when it can't be read or is invalid."""
    if file is None:
        return None
    try:
        data = file.read_bytes()
    except OSError as trouble:
        cause = f"{file}: {(trouble.strerror or str(trouble)).lower()}; without its ceilings nothing is planned"
        raise ReconcilerError(cause, remedy="correct --ceilings or RECONCILER_CEILINGS") from trouble
    return read_ceilings(data, str(file), registry)
