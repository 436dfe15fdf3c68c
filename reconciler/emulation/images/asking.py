"""Asking all sources at once: what one of them answers counts, also when another is down."""

from reconciler.emulation.images.errors import ImgadmError
from reconciler.emulation.images.sites import Manifest, Source, manifest_at, offered, sources
from reconciler.emulation.state import State


def every_source(state: State) -> list[Source]:
    """The configured sources; raises ImgadmError (NoSources)."""
    found = sources(state)
    if not found:
        raise ImgadmError("NoSources", "imgadm has no configured sources")
    return found


def available(state: State) -> tuple[list[tuple[Source, Manifest]], list[ImgadmError]]:
    """What the sources offer, each image once, and what went wrong with some of them."""
    found: dict[str, tuple[Source, Manifest]] = {}
    troubles = []
    for source in every_source(state):
        try:
            for manifest in offered(state, source):
                found.setdefault(str(manifest["uuid"]), (source, manifest))
        except ImgadmError as trouble:
            troubles.append(trouble)
    return list(found.values()), troubles


def sought(state: State, uuid: str, asked: list[Source]) -> tuple[Source, Manifest] | None:
    """An image and the first source that has it; None when none has.

    Raises ImgadmError when a source that might have it could not be asked.
    """
    troubles = []
    for source in asked:
        try:
            manifest = manifest_at(state, source, uuid)
        except ImgadmError as trouble:
            troubles.append(trouble)
            continue
        if manifest is not None:
            return source, manifest
    if troubles:
        raise together(troubles)
    return None


def together(troubles: list[ImgadmError]) -> ImgadmError:
    """Several troubles as one."""
    if len(troubles) == 1:
        return troubles[0]
    texts = ", ".join(f"{one.code}: {one.message}" for one in troubles)
    return ImgadmError("MultiError", f"multiple ({len(troubles)}) errors: {texts}")
