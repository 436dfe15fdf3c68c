"""Provider zones: zones and the images that guests are made of."""

from providers.tools import zfs_pools
from providers.tools.lxc import FACTS
from providers.tools.vmadm_facts import POOLS
from providers.zones.kinds import IMAGE, ZONE
from reconciler.provider.contract import Backend, Provider


def _backends(system: str) -> tuple[type[Backend], ...]:
    if system == "Linux":
        from providers.zones.linux import LinuxZones

        return (LinuxZones,)
    if system != "SunOS":
        return ()
    from providers.zones.smartos import SmartosZones

    return (SmartosZones,)


PROVIDER = Provider(
    name="zones",
    summary="zones and the images that guests are made of",
    kinds=(ZONE, IMAGE),
    backends=_backends,
    fact_probes=(POOLS, zfs_pools.NAMES, FACTS),
)

__all__ = ["PROVIDER"]
