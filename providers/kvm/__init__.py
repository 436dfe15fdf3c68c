"""Provider kvm: hardware-virtualised guests."""

from providers.kvm.kinds import VIRTUAL_MACHINE
from providers.kvm.smartos import SmartosMachines
from providers.tools.vmadm_guests import POOLS
from reconciler.provider.contract import Provider

PROVIDER = Provider(
    name="kvm",
    summary="virtual machines",
    kinds=(VIRTUAL_MACHINE,),
    backends=(SmartosMachines,),
    fact_probes=(POOLS,),
)

__all__ = ["PROVIDER"]
