"""Provider zones on SmartOS: zones by vmadm, images by imgadm."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from providers.tools import vmadm_facts, vmadm_fields, vmadm_guests, vmadm_steps
from providers.tools.vmadm_objects import Guest
from providers.zones import images
from providers.zones.refusals import refusal
from reconciler.model.change import Change, FieldChange
from reconciler.model.command import Completed, Failure, Outputs, Probe, Step
from reconciler.model.facts import HostFacts
from reconciler.model.observed import Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support
from reconciler.provider.field import Acts

_NO = Support(
    Served.NO, "zones and images are managed on SmartOS only so far", "remove the manifest, or move it to a SmartOS host"
)


class SmartosZones:
    """Zones and images of a SmartOS host."""

    def __init__(self, facts: HostFacts) -> None:
        self.pools = vmadm_facts.pools_of(facts)

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        return Support(Served.YES) if vmadm_facts.is_smartos(facts) else _NO

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        found = (*vmadm_guests.guest_probes("Zone", fields), *images.probes(fields))
        if "Image" in fields and "Zone" not in fields:
            # Who uses an image is told by the guests.
            return (*vmadm_guests.guest_probes("Zone", {"Zone": frozenset()}), *found)
        return found

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        guests = vmadm_guests.guests_in(outputs)
        zones = vmadm_guests.read_kind("Zone", guests, outputs, fields)
        return (*zones, *images.read(outputs, Counter(_images_in_use(guests))))

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        return refusal(kind, field, value, self.pools)

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> Acts | None:
        if kind != "Zone":
            return None
        return vmadm_fields.acts(change, str(observed.fields["brand"]), observed.fields, observed.pending_restart)

    def steps(self, change: Change) -> tuple[Step, ...]:
        if change.key.kind == "Image":
            return images.steps(change, self._image_pool(change))
        return vmadm_steps.steps(change, self.pools)

    def pool(self, name: str) -> str:
        """The only pool, where there is one; which of several a guest lies in its name does not tell."""
        return next(iter(self.pools)) if self.pools is not None and len(self.pools) == 1 else ""

    def confirm(self, change: Change) -> Probe:
        if change.key.kind == "Image":
            return images.confirm(change, self._image_pool(change))
        return vmadm_guests.confirm(change)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        return images.confirmed(change, answer) if change.key.kind == "Image" else vmadm_guests.confirmed(change, answer)

    def explain(self, failed: Completed) -> Failure:
        return images.explain(failed) if failed.command.argv[0] == "imgadm" else vmadm_guests.explain(failed)

    def _image_pool(self, change: Change) -> str:
        return change.default_pool or self.pool(change.key.name)


def _images_in_use(guests: Iterable[Guest]) -> Iterator[str]:
    """The image of each root and each disk of the guests."""
    for guest in guests:
        for found in (guest, *guest.objects("disks")):
            if (image := found.text("image_uuid")) is not None:
                yield image
