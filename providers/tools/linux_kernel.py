"""What a Linux host can do with links, from facts that only look: nothing is loaded, and nothing is made to see if it works."""

from dataclasses import dataclass

from reconciler.model.command import Completed, probe
from reconciler.model.facts import HostFacts
from reconciler.provider.readers import whole_lines

_TOOLS = ("ip", "tc", "bridge", "nft")
VLAN_FILTERING, EGRESS = "BRIDGE_VLAN_FILTERING", "NETFILTER_EGRESS"

_SCRIPT = f"""\
for tool in {" ".join(_TOOLS)}; do
    ! command -v "$tool" >/dev/null 2>&1 || echo "tool $tool"
done
config=$(zcat /proc/config.gz 2>/dev/null || cat "/boot/config-$(uname -r)" 2>/dev/null) && echo "kernel known"
echo "$config" | sed -nE 's/^CONFIG_({VLAN_FILTERING}|{EGRESS})=[ym]$/kernel \\1/p'"""

FACTS = probe("crossbow.linux", "sh", "-c", _SCRIPT)
"""Answers with nothing that can be read where the host is no Linux."""


@dataclass(frozen=True, slots=True)
class Links:
    """What the tools and the kernel of a host have; `is_known` is false where the kernel does not tell."""

    missing: tuple[str, ...]
    is_known: bool
    parts: frozenset[str]

    def why_not(self, part: str) -> str:
        """Why the kernel does not have a part, as a fact; empty where it has it."""
        if part in self.parts:
            return ""
        if self.is_known:
            return f"this host's kernel is made without CONFIG_{part}"
        return (
            f"this host does not tell whether its kernel has CONFIG_{part}: neither /proc/config.gz nor /boot/config-* is there"
        )


UNKNOWN = Links((), False, frozenset())


def links_of(facts: HostFacts) -> Links:
    """What a host can do with links, as its facts tell; nothing is known, and no tool missing, where nobody could ask."""
    answer = facts.probed.get(FACTS.name)
    return read_links_facts(answer) if answer is not None and answer.succeeded else UNKNOWN


def read_links_facts(answer: Completed) -> Links:
    """What the answer to FACTS says; ReadError where it was cut short."""
    lines = frozenset(whole_lines(answer.stdout))
    missing = tuple(tool for tool in _TOOLS if f"tool {tool}" not in lines)
    parts = (part for part in (VLAN_FILTERING, EGRESS) if f"kernel {part}" in lines)
    return Links(missing, "kernel known" in lines, frozenset(parts))
