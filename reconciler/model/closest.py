"""The word that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is most like the word: first in all but case and separators, then in most letters."""
    known = sorted(candidates)
    plain = _plain(word)
    same = next((candidate for candidate in known if _plain(candidate) == plain), None)
    return same or next(iter(get_close_matches(word, known, n=1, cutoff=0.7)), None)


def _plain(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")
