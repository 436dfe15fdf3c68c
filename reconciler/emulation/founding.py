"""What is in the state of a host that has just been made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from reconciler.emulation.parts import make_lacking
from reconciler.emulation.state import CORE_SCHEMA, State
from reconciler.emulation.systems import System
from reconciler.emulation.zfs.pools import POOL_SCHEMA, create_pools


def fill(
    state: State,
    system: System,
    pools: Mapping[str, int] | None,
    links: Sequence[str],
    hostname: str,
    now: float,
) -> None:
    """Writes the tables, the facts, the pools and all other parts of a new host; all ids follow from system and hostname."""
    state.create_tables(CORE_SCHEMA + POOL_SCHEMA)
    digest = hashlib.sha256(f"{system.name}/{hostname}".encode()).hexdigest()
    uuid = f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
    for name, value in {
        "system": system.name,
        "hostname": hostname,
        "seed": digest,
        "uuid": uuid,
        "founded": str(int(now)),
        "boot_time": str(int(now)),
        "links": " ".join(links),
        "linger": "0",
    }.items():
        state.set_fact(name, value)
    create_pools(state, system, system.default_pools if pools is None else pools, now)
    make_lacking(state, system, now)
