"""Provider zones: zones and the images that guests are made of."""

from providers.tools import zfs_pools
from providers.tools.lxc import FACTS
from providers.tools.vmadm_facts import POOLS
from providers.zones.kinds import IMAGE, ZONE
from reconciler.model.command import Probe
from reconciler.provider.contract import Backend, Provider


def _backends(system: str) -> tuple[type[Backend], ...]:
    if system == "Linux":
        from providers.zones.linux import LinuxZones

        return (LinuxZones,)
    if system != "SunOS":
        return ()
    from providers.zones.smartos import SmartosZones

    return (SmartosZones,)


def _fact_probes(system: str) -> tuple[Probe, ...]:
    return (zfs_pools.NAMES, FACTS) if system == "Linux" else (POOLS,)


PROVIDER = Provider(
    name="zones",
    summary="zones and the images that guests are made of",
    kinds=(ZONE, IMAGE),
    backends=_backends,
    fact_probes=_fact_probes,
)

__all__ = ["PROVIDER"]
