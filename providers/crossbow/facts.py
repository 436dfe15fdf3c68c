"""What must be known of a host before its links can be asked for."""

from providers.tools import linux_kernel
from reconciler.model.command import Probe, probe

FACTS = probe("crossbow.vnic-zones", "dladm", "show-vnic", "-p", "-o", "link,zone")
"""Whether there is a dladm, and whether it tells which zone a VNIC is in: older ones have no column ZONE."""


def fact_probes(system: str) -> tuple[Probe, ...]:
    """What a host of that system is asked once per boot."""
    return (linux_kernel.FACTS,) if system == "Linux" else (FACTS,)
