"""Provider zones: zones and the images that guests are made of."""

from providers.tools.vmadm_guests import POOLS
from providers.zones.kinds import IMAGE, ZONE
from providers.zones.smartos import SmartosZones
from reconciler.provider.contract import Provider

PROVIDER = Provider(
    name="zones",
    summary="zones and the images that guests are made of",
    kinds=(ZONE, IMAGE),
    backends=(SmartosZones,),
    fact_probes=(POOLS,),
)

__all__ = ["PROVIDER"]
