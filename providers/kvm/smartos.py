"""Provider kvm on SmartOS: bhyve and kvm guests by vmadm."""

from collections.abc import Mapping

from providers.kvm.refusals import refusal
from providers.tools import vmadm_facts, vmadm_fields, vmadm_guests, vmadm_steps
from reconciler.model.change import Change, FieldChange
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step
from reconciler.model.facts import HostFacts
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support
from reconciler.provider.field import Acts

_KIND = "VirtualMachine"
_NO = Support(
    Served.NO, "virtual machines are managed on SmartOS only so far", "remove the manifest, or move it to a SmartOS host"
)


class SmartosMachines:
    """Virtual machines of a SmartOS host."""

    def __init__(self, facts: HostFacts) -> None:
        self.pools = vmadm_facts.pools_of(facts)

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        return Support(Served.YES) if vmadm_facts.is_smartos(facts) else _NO

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        return vmadm_guests.guest_probes(_KIND, fields)

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        return vmadm_guests.read_kind(_KIND, vmadm_guests.guests_in(outputs), outputs, fields)

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        return refusal(kind, field, value, self.pools)

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> Acts | None:
        return vmadm_fields.acts(change, str(observed.fields["engine"]), observed.fields)

    def steps(self, change: Change) -> tuple[Step, ...]:
        return vmadm_steps.steps(change, self.pools)

    def pool(self, name: str) -> str:
        """The only pool, where there is one; which of several a guest lies in its name does not tell."""
        return next(iter(self.pools)) if self.pools is not None and len(self.pools) == 1 else ""

    def confirm(self, change: Change) -> Probe:
        return vmadm_guests.confirm(change)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        return vmadm_guests.confirmed(change, answer)

    def explain(self, failed: Completed) -> Failure:
        return vmadm_guests.explain(failed)
