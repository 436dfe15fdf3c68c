"""Ethernet addresses: six bytes kept as lower-case, zero-padded text; dladm prints them without the padding."""

from __future__ import annotations

import hashlib
import re

_OCTETS = re.compile(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}")

RANDOM_PREFIX = "2:8:20"
"""The first three bytes that the system gives to an address that it makes up."""


def mac_of(text: str) -> str | None:
    """The address in its kept form; None for what is no address."""
    if not _OCTETS.fullmatch(text):
        return None
    return ":".join(f"{int(octet, 16):02x}" for octet in text.split(":"))


def is_unicast(mac: str) -> bool:
    """Whether a kept address may be a link's own: neither a group's nor all zero."""
    return int(mac[:2], 16) & 1 == 0 and mac != "00:00:00:00:00:00"


def printed(mac: str) -> str:
    """The kept address as dladm prints it, `2:8:20:0:1:a`."""
    return ":".join(f"{int(octet, 16):x}" for octet in mac.split(":")) if mac else ""


def factory_mac(seed: str, link: str) -> str:
    """The address of a physical link, the same for a host as long as it lives."""
    digest = hashlib.sha256(f"{seed}/link/{link}".encode()).hexdigest()
    return ":".join(["90", "b8", "d0", digest[0:2], digest[2:4], digest[4:6]])


def made_up_mac(seed: str, number: int, prefix: str = RANDOM_PREFIX) -> str:
    """The `number`th address that the host makes up; `prefix` is its first one to three bytes."""
    begin = [f"{int(octet, 16):02x}" for octet in prefix.split(":")]
    digest = hashlib.sha256(f"{seed}/vnic/{number}".encode()).hexdigest()
    return ":".join([*begin, *(digest[place : place + 2] for place in range(0, 12, 2))][:6])
