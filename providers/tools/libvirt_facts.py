"""What must be known of a Linux host before its machines can be asked for."""

import re
from dataclasses import dataclass

from providers.tools import linux_kernel
from providers.tools.libvirt_seed import TOOLS
from providers.tools.linux_kernel import Links
from reconciler.model.command import probe
from reconciler.model.facts import HostFacts

_LOOK = rf"""
command -v virsh >/dev/null || {{ echo 'no virsh'; exit 0; }}
grep -m1 -owE 'vmx|svm' /proc/cpuinfo | sed 's/^/flag /'
for module in kvm_intel kvm_amd kvm_hv kvm_s390; do [ ! -d /sys/module/$module ] || echo "module $module"; done
case $(uname -m) in aarch64) [ ! -d /sys/module/kvm ] || echo 'flag el2'; [ ! -d /sys/module/kvm ] || echo 'module kvm' ;; esac
for tool in {" ".join(TOOLS)}; do command -v $tool >/dev/null && {{ echo "seed $tool"; break; }}; done
zfs version 2>&1 | grep -q 'unrecognized command' && echo 'zfs without volumes'
zfs list -H -d 0 -o name 2>/dev/null | sed 's/^/pool /'
told=$(virsh -q -c qemu:///system domcapabilities 2>/dev/null) || {{ echo 'libvirt does not answer'; exit 0; }}
printf '%s\n' "$told" | sed -n 's/^ *<domain>\(.*\)<\/domain>/type \1/p'
printf '%s\n' "$told" | grep -q '<value>efi</value>' && echo 'firmware uefi'
echo 'libvirt answers'
"""
"""Only looks, and never opens /dev/kvm: where that is there and does not work, opening it can hang."""

FACTS = probe("libvirt.facts", "sh", "-c", _LOOK, "look-at-libvirt")
"""A fact probe."""

_FACT = re.compile(r"(flag|module|seed|pool|type|firmware) (\S+)")


@dataclass(frozen=True, slots=True)
class LibvirtHost:
    """`why_no_kvm` is empty where the processor's help works; `links` is what the host can do with links.
    `has_uefi` is None where libvirt did not tell."""

    has_virsh: bool
    answers: bool
    why_no_kvm: str
    has_uefi: bool | None
    has_seed_tool: bool
    has_no_volumes: bool
    links: Links
    pools: frozenset[str] | None

    @property
    def engine(self) -> str:
        """What machines are run by where nobody says."""
        return "qemu" if self.why_no_kvm else "kvm"


def host_of(facts: HostFacts) -> LibvirtHost | None:
    """None where the host could not be asked."""
    answer = facts.probed.get(FACTS.name)
    if answer is None or not answer.succeeded:
        return None
    lines = answer.stdout.splitlines()
    found: dict[str, set[str]] = {}
    for line in lines:
        if match := _FACT.fullmatch(line):
            found.setdefault(match[1], set()).add(match[2])
    answers = "libvirt answers" in lines
    return LibvirtHost(
        "no virsh" not in lines,
        answers,
        _why_no_kvm(found, answers),
        "uefi" in found.get("firmware", ()) if answers else None,
        "seed" in found,
        "zfs without volumes" in lines,
        linux_kernel.links_of(facts),
        frozenset(found["pool"]) if "pool" in found else None,
    )


def _why_no_kvm(found: dict[str, set[str]], answers: bool) -> str:
    if "flag" not in found:
        return "its processor has no flag vmx or svm (a machine inside a machine, or switched off in the BIOS)"
    if "module" not in found:
        return "its kernel has no module kvm_intel or kvm_amd loaded"
    if answers and "kvm" not in found.get("type", ()):
        return "libvirt finds that QEMU can't use KVM there"
    return ""
