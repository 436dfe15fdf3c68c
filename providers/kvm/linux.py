"""Provider kvm on Linux: guests of QEMU by libvirt, through virsh."""

from collections.abc import Mapping

from providers.tools import (
    guest_pools,
    libvirt_facts,
    libvirt_fields,
    libvirt_objects,
    libvirt_reading,
    libvirt_steps,
    linux_ports,
    virsh,
    virsh_errors,
)
from providers.tools import libvirt_storage as storage
from providers.tools.libvirt_reading import KIND, Around
from providers.tools.linux_kernel import UNKNOWN
from providers.tools.zfs_properties import PROPERTIES
from reconciler.model.change import Change, FieldChange, Verb
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import InvalidValue, ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support
from reconciler.provider.field import Acts

DOMAINS, STORAGE, ORIGINS = "libvirt.domains", "libvirt.storage", "libvirt.origins"
"""Names of the probes."""

_NONE = libvirt_facts.LibvirtHost(False, False, "nobody could ask the host", None, False, False, UNKNOWN, None)


class LibvirtMachines:
    """Virtual machines of a Linux host."""

    def __init__(self, facts: HostFacts) -> None:
        self.host = libvirt_facts.host_of(facts) or _NONE

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        host = libvirt_facts.host_of(facts)
        if host is None:
            return Support(Served.UNREADABLE, "the host could not be asked for libvirt", "run again")
        if not host.has_virsh:
            return Support(
                Served.NO, "the host has no virsh", "install libvirt (Debian: libvirt-daemon-system, libvirt-clients)"
            )
        return Support(Served.YES)

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        if KIND not in fields:
            return ()
        asked = fields[KIND]
        found = [Probe(DOMAINS, virsh.read_all()), Probe(STORAGE, storage.read_command(_properties(asked)))]
        if asked & {REMOVAL, EVERY_FIELD}:
            found.append(probe(ORIGINS, *storage.LIST_ORIGINS))
        # A host may have machines without nics, and no tools for links.
        return tuple(found) if self.host.links.missing else (*found, *linux_ports.probes())

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        if KIND not in fields:
            return ()
        asked = fields[KIND]
        host = libvirt_objects.read_host(outputs[DOMAINS].stdout)
        origins = outputs[ORIGINS].stdout if ORIGINS in outputs else ""
        around = Around(
            host.files,
            storage.read_storage(outputs[STORAGE].stdout, _properties(asked), origins),
            None if self.host.links.missing else linux_ports.read_ports(outputs),
            bool(asked & {REMOVAL, EVERY_FIELD}),
        )
        return tuple(libvirt_reading.observed(domain, asked, around) for domain in host.domains)

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        try:
            if field == "pool" and value is None:
                guest_pools.check_pool(self.host.pools)
            else:
                libvirt_fields.check(self.host, field, value)
        except InvalidValue as invalid:
            return Refusal(invalid.cause, invalid.remedy)
        return None

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> Acts | None:
        return libvirt_fields.acts(change, observed)

    def steps(self, change: Change) -> tuple[Step, ...]:
        return libvirt_steps.steps(change, self.host)

    def pool(self, name: str) -> str:
        """The only pool, where there is one; which of several a machine lies in its name does not tell."""
        return next(iter(self.host.pools)) if self.host.pools is not None and len(self.host.pools) == 1 else ""

    def confirm(self, change: Change) -> Probe:
        identity = change.observed.identity if change.observed is not None else change.identity
        return Probe("libvirt.confirm", virsh.read_one(identity))

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        """The domain alone was looked at: what lies around it is taken to be as it was."""
        if virsh_errors.says_gone(answer):
            return None
        if not answer.succeeded:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        host = libvirt_objects.read_host(answer.stdout)
        asked = change.resource.fields if change.resource is not None else {}
        removal = change.observed is not None and change.observed.removal is not None
        around = Around(host.files, storage.Storage() if removal else None, None, removal)
        found = libvirt_reading.observed(host.domains[0], asked, around)
        if change.verb is Verb.TRASH and found.is_in_trash:
            return None
        return found

    def explain(self, failed: Completed) -> Failure:
        return virsh_errors.explain(failed)


def _properties(asked: frozenset[str]) -> tuple[str, ...]:
    """The native properties of disks that are asked for."""
    found = {name.rpartition(".properties.")[2] for name in asked if name.startswith("disks.") and ".properties." in name}
    return tuple(sorted(name for name in found if name in PROPERTIES))
