"""Provider kvm: hardware-virtualised guests."""

from providers.kvm.kinds import VIRTUAL_MACHINE
from providers.tools.vmadm_facts import POOLS
from reconciler.model.command import Probe
from reconciler.provider.contract import Backend, Provider


def _backends(system: str) -> tuple[type[Backend], ...]:
    if system == "Linux":
        from providers.kvm.linux import LibvirtMachines

        return (LibvirtMachines,)
    if system != "SunOS":
        return ()
    from providers.kvm.smartos import SmartosMachines

    return (SmartosMachines,)


def _fact_probes(system: str) -> tuple[Probe, ...]:
    if system != "Linux":
        return (POOLS,)
    from providers.tools import libvirt_facts, linux_kernel

    return libvirt_facts.FACTS, linux_kernel.FACTS


PROVIDER = Provider(
    name="kvm",
    summary="virtual machines",
    kinds=(VIRTUAL_MACHINE,),
    backends=_backends,
    fact_probes=_fact_probes,
)

__all__ = ["PROVIDER"]
