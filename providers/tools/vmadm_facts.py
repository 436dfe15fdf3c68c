"""What must be known of a host before its guests can be asked for."""

import re

from reconciler.model.command import probe
from reconciler.model.facts import HostFacts

POOLS = probe("vmadm.pools", "zfs", "list", "-Hp", "-d", "0", "-o", "name")
"""A fact probe: the pools that a guest can lie in."""

_SMARTOS = re.compile(r"joyent_[0-9]{8}T[0-9]{6}Z")


def is_smartos(facts: HostFacts) -> bool:
    return _SMARTOS.match(facts.version) is not None


def pools_of(facts: HostFacts) -> frozenset[str] | None:
    """The pools of the host; None where it could not tell."""
    answer = facts.probed.get(POOLS.name)
    if answer is None or not answer.succeeded:
        return None
    return frozenset(name for name in answer.stdout.split("\n") if name)
