"""How much goes through a port: a token bucket (tbf) on the host's end for what the guest receives, and one on an ifb for
what it sends. What it sends comes to the ifb by the last rule of its filter (`linux_filters`)."""

from collections.abc import Iterable, Mapping

from providers.tools.linux_json import objects
from reconciler.model.command import Command, probe

SHOW_LIMITS = probe("linux.limits", "tc", "-j", "qdisc", "show")

STEP = 8
"""Bits a second: tc holds a limit in whole bytes."""

_LEAST_BURST = 16_384
_BURSTS_A_SECOND = 100
"""tbf needs room for what may go between two ticks of the host's clock, 10 ms with the slowest, and for the largest packet."""


def limit(link: str, bits: int) -> str:
    """The line for `tc -batch` that limits what leaves by a link, whatever it had before."""
    burst = max(bits // 8 // _BURSTS_A_SECOND, _LEAST_BURST)
    return f"qdisc replace dev {link} root handle 1: tbf rate {bits}bit burst {burst}b latency 50ms"


def unlimit(link: str, discipline: str) -> str:
    """The line for `tc -batch` that gives a link what it has without a limit. Deleting would fail where there is none."""
    return f"qdisc replace dev {link} root {discipline}"


def batch(lines: Iterable[str]) -> Command:
    return Command(("tc", "-batch", "-"), stdin="".join(f"{line}\n" for line in lines))


def read_limits(text: str) -> Mapping[str, int]:
    """Bits a second by link, of those with a limit like ours; ReadError for any other shape."""
    buckets = (qdisc for qdisc in objects(text) if qdisc.text("kind") == "tbf" and qdisc.has("root"))
    return {qdisc.text("dev"): qdisc.below("options").number("rate") * 8 for qdisc in buckets}
