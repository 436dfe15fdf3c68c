"""Ids that a host gives out: they look random and follow from the host and how many it gave out before."""

from reconciler.emulation.state import State
from reconciler.emulation.zfs.datasets import numbered_id


def random_uuid(state: State) -> str:
    """A fresh uuid of version 4."""
    seed = state.fact("seed")
    digits = "".join(f"{numbered_id(seed, state.next_number('uuid')):016x}" for _ in range(2))
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
