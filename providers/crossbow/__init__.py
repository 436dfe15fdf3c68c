"""Provider crossbow: etherstubs, VNICs and firewall rules of illumos, SmartOS and Linux.

Kinds, and what turns them into commands of `dladm`, `nictagadm` and `fwadm`, or of `ip`, `tc` and `nft`, and back. What the
tools themselves say and take is in `providers.tools`.
"""

from providers.crossbow.facts import fact_probes
from providers.crossbow.kinds import ETHERSTUB, NIC_TAG, OF_CLASS, VNIC
from providers.crossbow.rules import FIREWALL_RULE
from reconciler.provider.contract import Backend, Provider


def _backends(system: str) -> tuple[type[Backend], ...]:
    if system == "Linux":
        from providers.crossbow.linux import LinuxBackend

        return (LinuxBackend,)
    if system != "SunOS":
        return ()
    from providers.crossbow.illumos import IllumosBackend
    from providers.crossbow.smartos import SmartosBackend

    return IllumosBackend, SmartosBackend


PROVIDER = Provider(
    name="crossbow",
    summary="virtual network links and firewall rules",
    kinds=(ETHERSTUB, VNIC, FIREWALL_RULE, *OF_CLASS.values(), NIC_TAG),
    backends=_backends,
    fact_probes=fact_probes,
)

__all__ = ["PROVIDER"]
