"""An emulated host: run commands on it, break it, look at what was done to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reconciler.emulation import faults, latency, notes, parts, transcript
from reconciler.emulation.answer import Answer, Call
from reconciler.emulation.errors import EmulationError
from reconciler.emulation.faults import RUBBISH, Fault, FaultKind
from reconciler.emulation.session import Interrupted, OpenFile, Session, Tool, no_files
from reconciler.emulation.state import State, create_state
from reconciler.emulation.systems import System, system_named
from reconciler.emulation.tools import TOOLS

if TYPE_CHECKING:
    from reconciler.emulation.guests.view import Guests
    from reconciler.emulation.images.sites import ImageSites
    from reconciler.emulation.links.view import Links
    from reconciler.emulation.zfs.storage import Storage

DEFAULT_LINKS = ("igb0", "igb1")


class EmulatedHost:
    """One emulated host over one state file. Any number of threads and processes may hold the same one."""

    def __init__(self, state: State, system: System, clock: Callable[[], float], open_file: OpenFile = no_files) -> None:
        self._state = state
        self._clock = clock
        self._open_file = open_file
        self._tools: dict[str, Tool] = {}
        self.system = system
        self._storage: Storage | None = None
        self._links: Links | None = None
        self._guests: Guests | None = None

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        system: str | None = None,
        pools: Mapping[str, int] | None = None,
        links: Sequence[str] = DEFAULT_LINKS,
        hostname: str = "emulated",
        clock: Callable[[], float] = time.time,
        latency: Mapping[str, float] | None = None,
        open_file: OpenFile = no_files,
    ) -> EmulatedHost:
        """The host whose state is in `path`; makes it first when the file is absent.

        `pools` (name -> bytes; default by system), `links` and `hostname` count only when it is made. `system` may be
        None for a host that exists. `latency`, where it is given, is kept by the host as `set_latency` does. `open_file`
        opens what a command line names as a file; without it there are none. A host that an older version made gets the
        tables that it lacks. Raises EmulationError when the file belongs to another system or is no state.
        """
        if not path.exists():
            if system is None:
                raise EmulationError(f"{path}: there is no emulated host yet; remedy: say which system to make")
            from reconciler.emulation.founding import fill

            kind = system_named(system)
            create_state(path, lambda state: fill(state, kind, pools, links, hostname, clock()))
        state = State(path)
        with state.reading():
            found = state.fact("system")
            lacking = parts.lacking(state)
        if system is not None and found != system:
            state.close()
            raise EmulationError(
                f"{path}: this host is an emulated {found}, not {system}; remedy: name another file, or delete this one"
            )
        if lacking:
            with state.changing():
                parts.make_lacking(state, system_named(found), clock())
        host = cls(state, system_named(found), clock, open_file)
        if latency is not None:
            host.set_latency(latency)
        return host

    @property
    def storage(self) -> Storage:
        """The datasets and pools, looked at and changed without going through text."""
        from reconciler.emulation.zfs.storage import Storage

        if self._storage is None:
            self._storage = Storage(self._state, self.system, self._clock)
        return self._storage

    @property
    def links(self) -> Links:
        """The datalinks and nic tags, looked at and changed without going through text."""
        from reconciler.emulation.links.view import Links

        if self._links is None:
            self._links = Links(self._state)
        return self._links

    @property
    def images(self) -> ImageSites:
        """The sites that offer images (SmartOS)."""
        from reconciler.emulation.images.sites import ImageSites

        return ImageSites(self._state)

    @property
    def guests(self) -> Guests:
        """The guests as they run, looked at and changed without going through text."""
        from reconciler.emulation.guests.view import Guests

        if self._guests is None:
            self._guests = Guests(self._state, self.system, self._clock)
        return self._guests

    def close(self) -> None:
        """Lets go of the state file, which stays."""
        self._state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def run(self, argv: Sequence[str], stdin: bytes | None = None) -> Answer:
        """What the host answers to a command; `argv[0]` is a tool's bare name or its path.

        Never waits: a command that hangs comes back at once with `hangs` set, and one that takes its time says how long
        in `seconds`.
        """
        if not argv:
            raise EmulationError("a command needs at least a tool's name; remedy: pass a non-empty argv")
        named = (PurePosixPath(argv[0]).name, *argv[1:])
        fault = faults.fault_for(self._state, named)
        if fault is not None and fault.kind in {FaultKind.FAIL, FaultKind.HANG}:
            answer = _refused(fault)
            self._remember(argv, stdin, answer, changed=False)
        else:
            answer = self._answered(argv, named, stdin, fault, remembered=True)
        seconds = latency.seconds_of(self._state, named)
        return replace(answer, seconds=seconds) if seconds else answer

    def drift(self, argv: Sequence[str], stdin: bytes | None = None) -> Answer:
        """Runs a command behind everybody's back: no fault hits it and the transcript does not show it."""
        return self._answered(argv, (PurePosixPath(argv[0]).name, *argv[1:]), stdin, None, remembered=False)

    def reads_stdin(self, argv: Sequence[str]) -> bool:
        """Whether a command reads its standard input to the end."""
        tool = self._tool(PurePosixPath(argv[0]).name)
        return tool is not None and tool.reads_stdin(argv[1:])

    def set_latency(self, table: Mapping[str, float]) -> None:
        """Says how long commands take from now on, for all processes: seconds by `vmadm` or `vmadm create`.

        The longer name counts. Raises EmulationError for a name or time that can't be.
        """
        with self._state.changing():
            latency.set_latency(self._state, table)

    def inject(self, fault: Fault) -> None:
        """Arms a fault, for this process and all others that use the host."""
        faults.inject(self._state, fault)

    def clear_faults(self) -> None:
        """Disarms all faults."""
        faults.clear_faults(self._state)

    def faults(self) -> tuple[Fault, ...]:
        """The faults still armed, with what is left of their `skip` and `times`."""
        return faults.faults(self._state)

    def transcript(self) -> tuple[Call, ...]:
        """The last 10,000 calls of all processes, oldest first."""
        return transcript.transcript(self._state)

    def clear_transcript(self) -> None:
        """Forgets all calls."""
        transcript.clear_transcript(self._state)

    def note(self, name: str) -> str:
        """A text that a program keeps on the host, as it might in a file; empty when there is none."""
        with self._state.reading():
            return notes.note(self._state, name)

    def change_note(self, name: str, change: Callable[[str], str]) -> None:
        """Replaces a note by what `change` makes of it; nobody else changes it meanwhile, and what raises changes nothing."""
        with self._state.changing():
            notes.set_note(self._state, name, change(notes.note(self._state, name)))

    def reboot(self) -> None:
        """Starts the host anew: another boot time and boot id, nothing busy, mounted is what mounts at boot.

        Of the links those are there that the system itself makes again. Guests with autoboot run, the others don't.
        """
        with self._state.changing():
            self._state.set_fact("boot_time", str(max(int(self._clock()), int(self._state.fact("boot_time")) + 1)))
            self.storage.boot()
            parts.boot(self._state, self.system, self._clock())

    def _answered(
        self, argv: Sequence[str], named: Sequence[str], stdin: bytes | None, fault: Fault | None, *, remembered: bool
    ) -> Answer:
        tool = self._tool(named[0])
        if tool is None:
            answer = Answer(127, b"", f"bash: {argv[0]}: command not found\n".encode(errors="surrogateescape"))
            if remembered:
                self._remember(argv, stdin, answer, changed=False)
            return answer
        session = Session(
            state=self._state,
            system=self.system,
            now=self._clock(),
            stdin=stdin,
            open_file=self._open_file,
            parts_allowed=fault.parts if fault is not None and fault.kind is FaultKind.HALF else None,
        )
        if tool.only_reads(named[1:]):
            with self._state.reading():
                answer = _printed(session, _exit_code(tool, session, named[1:], fault))
            answer = _spoiled(answer, fault)
            if remembered:
                self._remember(argv, stdin, answer, changed=False)
            return answer
        with self._state.changing():
            before = self._state.written()
            answer = _printed(session, _exit_code(tool, session, named[1:], fault))
            changed = self._state.written() != before
            answer = _spoiled(answer, fault)
            if remembered:
                self._remember(argv, stdin, answer, changed=changed)
        return answer

    def _tool(self, name: str) -> Tool | None:
        if name not in self.system.tools:
            return None
        if name not in self._tools:
            self._tools[name] = TOOLS[name]()
        return self._tools[name]

    def _remember(self, argv: Sequence[str], stdin: bytes | None, answer: Answer, *, changed: bool) -> None:
        transcript.remember(self._state, Call(tuple(argv), stdin, answer.exit_code, changed, answer.hangs, self._clock()))


def _exit_code(tool: Tool, session: Session, arguments: Sequence[str], fault: Fault | None) -> int:
    try:
        code = tool.run(session, arguments)
    except Interrupted:
        code = 1
    if fault is None or fault.kind is not FaultKind.HALF:
        return code
    if fault.stderr:
        session.err.append(fault.stderr)
    return (fault.exit_code if fault.exit_code is not None else 1) if code == 0 else code


def _printed(session: Session, code: int) -> Answer:
    return Answer(
        code, "".join(session.out).encode(errors="surrogateescape"), "".join(session.err).encode(errors="surrogateescape")
    )


def _refused(fault: Fault) -> Answer:
    if fault.kind is FaultKind.HANG:
        return Answer(-1, hangs=True)
    return Answer(1 if fault.exit_code is None else fault.exit_code, b"", fault.stderr.encode())


def _spoiled(answer: Answer, fault: Fault | None) -> Answer:
    if fault is None:
        return answer
    if fault.kind is FaultKind.HANG_AFTER:
        return Answer(-1, hangs=True)
    if fault.kind is FaultKind.LOST_REPLY:
        return Answer(255 if fault.exit_code is None else fault.exit_code, b"", fault.stderr.encode())
    if fault.kind is FaultKind.TRUNCATE:
        return faults.truncated(answer)
    if fault.kind is FaultKind.GARBAGE:
        return Answer(answer.exit_code, RUBBISH, answer.stderr)
    return answer
