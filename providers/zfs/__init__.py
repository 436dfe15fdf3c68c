"""Provider zfs: pools, datasets and volumes on illumos, SmartOS, OmniOS and Linux.

Kinds, and what turns them into `zfs` commands and back. What the tools themselves say and take is in `providers.tools`.
"""

from providers.zfs.capabilities import FACT_PROBES, TRUNCATE
from providers.zfs.kinds import DATASET, POOL, VOLUME
from reconciler.model.command import Probe
from reconciler.provider.contract import Backend, Provider


def _backends(_system: str) -> tuple[type[Backend], ...]:
    from providers.zfs.backend import ZfsBackend

    return (ZfsBackend,)


def _fact_probes(system: str) -> tuple[Probe, ...]:
    return (*FACT_PROBES, TRUNCATE) if system == "Linux" else FACT_PROBES


PROVIDER = Provider(
    name="zfs",
    summary="ZFS pools, datasets and volumes",
    kinds=(POOL, DATASET, VOLUME),
    backends=_backends,
    fact_probes=_fact_probes,
)

__all__ = ["PROVIDER"]
