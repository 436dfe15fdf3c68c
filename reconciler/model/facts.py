"""What kind of system a host is and what its tools can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.command import Completed


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Facts come from commands on the host and hold for one boot.

    `system` and `release` as `uname` says them (`SunOS`, `5.11`), `version` its build (`joyent_20260101T000000Z`).
    `identity` holds what names this machine: hostname, systemUuid, hostId, machineId, as far as there. `probed` holds the
    answers to the providers' own fact probes, by probe name.
    """

    system: str
    release: str
    version: str
    boot_id: str
    identity: Mapping[str, str]
    probed: Mapping[str, Completed] = field(default_factory=dict)

    @property
    def host_id(self) -> str:
        """The machine's own id for marks: system uuid, else machine id, else hostid; empty where it has none."""
        for name in ("systemUuid", "machineId", "hostId"):
            if self.identity.get(name):
                return self.identity[name]
        return ""
