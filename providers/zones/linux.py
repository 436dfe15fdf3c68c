"""Provider zones on Linux: zones are LXC containers, images are datasets that their roots are cloned from."""

from collections.abc import Mapping

from providers.zones import linux_images
from providers.zones.linux_zones import LxcZones
from reconciler.model.change import Change, FieldChange
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step
from reconciler.model.errors import InvalidValue
from reconciler.model.facts import HostFacts
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support
from reconciler.provider.field import Acts


class LinuxZones:
    """Zones and images of a Linux host."""

    def __init__(self, facts: HostFacts) -> None:
        self.pools = linux_images.pools_of(facts)
        self.host_id = facts.host_id
        self.zones = LxcZones(facts)

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        if facts.system == "Linux" and linux_images.pools_of(facts):
            return Support(Served.YES)
        return Support(Served.NO, "zones and images need ZFS, and the host has no pool", "make one with zpool create")

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        return (*self.zones.probes(fields), *linux_images.probes(fields))

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        return (*self.zones.read(outputs, fields), *linux_images.read(outputs, fields, self.host_id))

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        if kind == "Zone":
            return self.zones.refusal(field, value)
        try:
            linux_images.check(field, value)
        except InvalidValue as invalid:
            return Refusal(invalid.cause, invalid.remedy)
        return None

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> Acts | None:
        return self.zones.acts(change, observed) if kind == "Zone" else None

    def steps(self, change: Change) -> tuple[Step, ...]:
        return linux_images.steps(change, self.pools) if change.key.kind == "Image" else self.zones.steps(change)

    def pool(self, name: str) -> str:
        """The only pool, where there is one; which of several an object lies in its name does not tell."""
        return next(iter(self.pools)) if len(self.pools) == 1 else ""

    def confirm(self, change: Change) -> Probe:
        return linux_images.confirm(change, self.pools) if change.key.kind == "Image" else self.zones.confirm()

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        if change.key.kind == "Image":
            return linux_images.confirmed(change, answer, self.host_id)
        return self.zones.confirmed(change, answer)

    def explain(self, failed: Completed) -> Failure:
        return self.zones.explain(failed) or linux_images.explain(failed)
