"""Ids that a host gives out: they look random and follow from the host and how many it gave out before."""

import hashlib

from reconciler.emulation.state import State


def _digits(state: State, purpose: str) -> str:
    number = state.next_number(f"guest_{purpose}")
    return hashlib.sha256(f"{state.fact('seed')}/{purpose}/{number}".encode()).hexdigest()


def random_uuid(state: State) -> str:
    """A fresh uuid of version 4."""
    digits = _digits(state, "uuid")
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def random_mac(state: State) -> str:
    """A fresh address; the second digit 2 says that no maker gave it out."""
    digits = _digits(state, "mac")
    return ":".join((f"{digits[0]}2", *(digits[place : place + 2] for place in range(2, 12, 2))))
