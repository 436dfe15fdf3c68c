"""Provider kvm: hardware-virtualised guests."""

from providers.kvm.kinds import VIRTUAL_MACHINE
from providers.tools import libvirt_facts, linux_kernel
from providers.tools.vmadm_facts import POOLS
from reconciler.provider.contract import Backend, Provider


def _backends(system: str) -> tuple[type[Backend], ...]:
    if system == "Linux":
        from providers.kvm.linux import LibvirtMachines

        return (LibvirtMachines,)
    if system != "SunOS":
        return ()
    from providers.kvm.smartos import SmartosMachines

    return (SmartosMachines,)


PROVIDER = Provider(
    name="kvm",
    summary="virtual machines",
    kinds=(VIRTUAL_MACHINE,),
    backends=_backends,
    fact_probes=(POOLS, libvirt_facts.FACTS, linux_kernel.FACTS),
)

__all__ = ["PROVIDER"]
