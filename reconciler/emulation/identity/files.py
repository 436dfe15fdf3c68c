"""`cat` of the files that facts are read from; the emulated host has no others."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reconciler.emulation.links.usbkey import CONFIG_PATH, config_text
from reconciler.emulation.session import Session, Tool, always_reads


def _run(session: Session, arguments: Sequence[str]) -> int:
    code = 0
    for name in arguments:
        text = _text(session, name)
        if text is None:
            prefix = "cat: " if session.system.kernel == "Linux" else "cat: cannot open "
            session.complain(f"{prefix}{name}: No such file or directory")
            code = 1 if session.system.kernel == "Linux" else 2
            continue
        session.out.append(text)
    if not arguments and session.stdin is not None:
        session.out.append(session.stdin.decode(errors="surrogateescape"))
    return code


def _text(session: Session, name: str) -> str | None:
    if name == CONFIG_PATH and session.system.name == "smartos":
        return config_text(session.state)
    template = session.system.files.get(name)
    return None if template is None else template.format(machine_id=_machine_id(session), boot_id=_boot_id(session))


def _machine_id(session: Session) -> str:
    return session.state.fact("uuid").replace("-", "")


def _boot_id(session: Session) -> str:
    text = f"{session.state.fact('seed')}/boot/{session.state.fact('boot_time')}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"


CAT = Tool(run=_run, only_reads=always_reads, reads_stdin=lambda arguments: not arguments)
