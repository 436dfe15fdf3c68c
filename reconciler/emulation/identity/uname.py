"""`uname`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler.emulation.session import Session, Tool, always_reads

_LETTERS = "snrvmpi"


def _run(session: Session, arguments: Sequence[str]) -> int:
    system = session.system
    parts = {
        "s": system.kernel,
        "n": session.state.fact("hostname"),
        "r": system.release,
        "v": system.version,
        "m": system.machine,
        "p": system.processor,
        "i": system.platform,
    }
    wanted = {"s"} if not arguments else set()
    for word in arguments:
        letters = word[1:] if word.startswith("-") else ""
        if not letters or not set(letters) <= {*_LETTERS, "a"}:
            session.complain(f"uname: illegal option -- {letters[:1] or word}")
            session.complain("usage:\tuname [-snrvmapi]")
            return 1 if system.kernel == "Linux" else 2
        wanted |= set(_LETTERS) if "a" in letters else set(letters)
    session.line(" ".join(parts[letter] for letter in _LETTERS if letter in wanted))
    return 0


UNAME = Tool(run=_run, only_reads=always_reads)
