"""A pass that survives what goes wrong with one of its commands: a lost answer, a wrong one, none, half the work done."""

from dataclasses import dataclass, replace
from enum import StrEnum

from reconciler.controller.passes import Connections, Setting
from reconciler.emulation.faults import Fault, FaultKind
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.transport import Transport
from reconciler.model.command import Command, Completed
from reconciler.model.desired import Desired
from reconciler.model.host import HostManifest
from reconciler.store.journal import Journal
from tests.crash.work import Work
from tests.hosts.passing import Passing
from tests.passes.ground import Ground

_SOON_S = 0.005
"""The deadline of a command that hangs, so that nobody waits for it."""


class Trouble(StrEnum):
    """What becomes of a command that changes something."""

    HALF = "half of it is done, and it says that it failed"
    LOST_REPLY = "it is done, and its answer is lost"
    SAYS_NO = "it is done, and vmadm says that it waited in vain for the word of it"
    HANGS = "nothing is done, and no answer comes"
    HANGS_AFTER = "it is done, and no answer comes"


_FAULTS = {
    Trouble.HALF: Fault(FaultKind.HALF),
    Trouble.LOST_REPLY: Fault(FaultKind.LOST_REPLY),
    Trouble.SAYS_NO: Fault(
        FaultKind.LOST_REPLY, exit_code=1, stderr='vminfod watchForChanges "wait for zone update" timeout exceeded\n'
    ),
    Trouble.HANGS: Fault(FaultKind.HANG),
    Trouble.HANGS_AFTER: Fault(FaultKind.HANG_AFTER),
}


@dataclass
class Mishap:
    """Trouble with the `count`-th command that changes something, counted from 1; of HALF so many `parts` are done."""

    trouble: Trouble
    count: int
    parts: int = 1
    seen: int = 0
    answer: Completed | None = None
    """What the command said; None as long as it has not been reached."""


@dataclass
class _TroubledTransport(Passing):
    mishap: Mishap
    host: EmulatedHost

    async def run(self, command: Command) -> Completed:
        if not command.changes:
            return await self.transport.run(command)
        self.mishap.seen += 1
        says_no = self.mishap.trouble is Trouble.SAYS_NO and command.argv[:2] != ("vmadm", "update")
        if self.mishap.seen != self.mishap.count or says_no:
            return await self.transport.run(command)
        self.host.inject(replace(_FAULTS[self.mishap.trouble], parts=self.mishap.parts))
        answer = await self.transport.run(replace(command, deadline_s=_SOON_S))
        self.mishap.answer = replace(answer, command=command)
        return self.mishap.answer


@dataclass
class _TroubledConnections(Connections):
    mishap: Mishap | None = None
    host: EmulatedHost | None = None

    async def to(self, manifest: HostManifest) -> Transport:
        assert self.mishap is not None
        assert self.host is not None
        return _TroubledTransport(await super().to(manifest), self.mishap, self.host)


def goes_wrong(ground: Ground, desired: Desired, mishap: Mishap, work: Work) -> bool:
    """Works to the end, whatever happens on the way; whether there was such a command."""

    async def scene(setting: Setting, _connections: Connections, journal: Journal) -> None:
        connections = _TroubledConnections(ground.state, mishap=mishap, host=ground.host)
        try:
            await work.run(setting, desired, connections, journal)
        finally:
            await connections.close()

    ground.with_state(scene)
    return mishap.answer is not None
