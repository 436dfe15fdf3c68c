"""What must be known of a Linux host before its zones can be asked for and made."""

from dataclasses import dataclass

from providers.tools import linux_kernel, lxc
from providers.tools.linux_kernel import Links
from providers.tools.lxc_limits import Cgroups
from reconciler.model.facts import HostFacts


@dataclass(frozen=True, slots=True)
class LxcHost:
    """Where containers live, how they are limited, in which pools their roots can lie.

    `gets_by_type`: `zfs get -t` exists. `confines`: the kernel has AppArmor. `links` is what it can do with links.
    """

    path: str = "/var/lib/lxc"
    cgroups: Cgroups = Cgroups()
    pools: tuple[str, ...] = ()
    gets_by_type: bool = False
    confines: bool = False
    links: Links = linux_kernel.UNKNOWN

    def folder(self, name: str) -> str:
        return f"{self.path}/{name}"


def lxc_host(facts: HostFacts) -> LxcHost | None:
    """The host as its fact probe tells it; None where it has no LXC."""
    answer = facts.probed.get(lxc.FACTS.name)
    if answer is None or not answer.succeeded:
        return None
    said = [line.partition(" ") for line in answer.stdout.splitlines()]
    one = {what: value for what, _, value in said}
    return LxcHost(
        one.get("path", "/var/lib/lxc"),
        Cgroups(2 if one.get("cgroup") == "2" else 1, "swap" in one),
        tuple(value for what, _, value in said if what == "pool"),
        one.get("zfs") == "types",
        one.get("apparmor") == "Y",
        linux_kernel.links_of(facts),
    )
