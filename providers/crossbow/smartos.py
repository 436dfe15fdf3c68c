"""Provider crossbow on SmartOS: etherstubs by `nictagadm`, which brings them back after a boot, rules by `fwadm`.

The global zone's root is a RAM disk: VNICs that dladm makes vanish with a boot, and the next pass makes them again.
"""

import re
from collections.abc import Iterable, Iterator

from providers.crossbow import firewall
from providers.crossbow.illumos import ETHERSTUB, Asked, IllumosBackend, etherstub, was_inactive
from providers.crossbow.kinds import MISSING
from providers.tools import dladm, dladm_errors, fwadm, nictagadm, vmadm
from providers.tools.dladm_rows import Vnic
from providers.tools.failures import failure
from providers.tools.guest_names import read_names
from providers.tools.vmadm_objects import Guest, read_guests
from reconciler.model.change import Change
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import REMOVAL, Observed, Removal
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal

TAGS, RULES, GUESTS = (f"crossbow.{name}" for name in ("nic-tags", "rules", "guests"))
"""Names of the probes."""

NIC_TAG = "NicTag"
_TAG_LANE = "nictagadm"
_TAG_NAME = re.compile(r"[A-Za-z0-9_]{0,29}[0-9]")


class SmartosBackend(IllumosBackend):
    """What differs from illumos: nic tags, etherstubs as such, firewall rules, guests with links of their own."""

    is_smartos = True

    def _probes(self, fields: Asked) -> Iterator[Probe]:
        yield from super()._probes(fields)
        if not {ETHERSTUB, NIC_TAG}.isdisjoint(fields):
            yield probe(TAGS, *nictagadm.list_tags())
        if firewall.KIND in fields:
            yield probe(RULES, *fwadm.LIST)
        if firewall.KIND in fields or REMOVAL in fields.get(ETHERSTUB, ()):
            yield Probe(GUESTS, vmadm.ALL_GUESTS)

    def _reads_stored(self, fields: Asked) -> bool:
        return False

    def _read(self, outputs: Outputs, fields: Asked) -> Iterator[Observed]:
        yield from super()._read(outputs, fields)
        if NIC_TAG in fields:
            yield from map(_nic_tag, (tag for tag in _tags(outputs) if tag.type != nictagadm.ETHERSTUB))
        if firewall.KIND in fields:
            guests = read_names(outputs[GUESTS].stdout)
            for listed in fwadm.read_rules(outputs[RULES].stdout):
                yield firewall.observed_rule(listed, guests)

    def _kept_etherstubs(self, outputs: Outputs) -> frozenset[str]:
        return frozenset(tag.name for tag in _tags(outputs) if tag.type == nictagadm.ETHERSTUB)

    def _missing(self, *, is_active: bool, is_kept: bool) -> str:
        return "" if is_active and is_kept else "link" if is_kept else "nic tag"

    def _users(self, name: str, seen: Iterable[Vnic], outputs: Outputs) -> tuple[str, ...]:
        """Guests whose nic lies on it only until their next boot. The others refer to it, so the engine knows them."""
        zones = {vnic.zone for vnic in seen if vnic.zone and vnic.over == name}
        if zones and GUESTS in outputs:
            zones -= _zones_with_a_nic_on(name, read_guests(outputs[GUESTS].stdout))
        return (f"guests run with a nic on it: {', '.join(sorted(zones))}",) if zones else ()

    def _is_of_host(self, vnic: Vnic) -> bool:
        """A zone has a namespace of its own: its links belong to the guest, which vmadm manages."""
        return not vnic.zone

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        if (kind, field) == (ETHERSTUB, "metadata.name") and not _TAG_NAME.fullmatch(str(value)):
            return Refusal(
                f"on SmartOS an etherstub is a nic tag, and {value} can't be one",
                "use letters, digits and _, at most 30, with a digit at the end: stub0",
            )
        return super().refusal(kind, field, value)

    def steps(self, change: Change) -> tuple[Step, ...]:
        return tuple(firewall.steps(change)) if change.key.kind == firewall.KIND else super().steps(change)

    def _add_etherstub(self, name: str) -> Step:
        return Step(Command(nictagadm.add_etherstub(name)), _TAG_LANE)

    def _take_etherstub(self, name: str, observed: Observed | None) -> Step:
        if observed is not None and observed.fields.get(MISSING) == "nic tag":
            return super()._take_etherstub(name, observed)
        return Step(Command(nictagadm.delete(name)), _TAG_LANE, destructive=True)

    def _rename_etherstub(self, old: str, new: str) -> Iterator[Step]:
        """A nic tag can't be renamed. An etherstub holds nothing, and one that is in use is not taken away."""
        yield Step(Command(nictagadm.delete(old)), _TAG_LANE)
        yield self._add_etherstub(new)

    def _complete_etherstub(self, name: str, change: Change) -> Iterator[Step]:
        missing = change.field(MISSING)
        if missing is not None and missing.before == "link":
            yield Step(Command(dladm.create_etherstub(name, temporary=True)), _TAG_LANE)
            return
        yield from super()._complete_etherstub(name, change)

    def _confirmation(self, change: Change, name: str) -> tuple[str, ...]:
        if change.key.kind == firewall.KIND:
            return fwadm.LIST
        return nictagadm.list_tags() if _is_only_tag(change) else super()._confirmation(change, name)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        if change.key.kind != firewall.KIND and not _is_only_tag(change):
            return super().confirmed(change, answer)
        if not answer.succeeded:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        if change.key.kind == firewall.KIND:
            listed = firewall.find(answer.stdout, change)
            return firewall.observed_rule(listed, firewall.stated_names(change)) if listed is not None else None
        for tag in nictagadm.read_tags(answer.stdout):
            if tag.name == change.key.name and tag.type == nictagadm.ETHERSTUB:
                return etherstub(tag.name, None, "link", Removal(0, holds_data=False))
        return None

    def explain(self, failed: Completed) -> Failure:
        match failed.command.argv[0]:
            case "nictagadm":
                return failure(failed, nictagadm.TABLE)
            case "fwadm":
                return failure(failed, fwadm.TABLE)
            case _:
                return failure(failed, dladm_errors.TABLE)


def _is_only_tag(change: Change) -> bool:
    """Whether an etherstub that is to go had no link when the plan looked, only its place in the configuration."""
    return change.key.kind == ETHERSTUB and was_inactive(change)


def _tags(outputs: Outputs) -> Iterator[nictagadm.Tag]:
    return nictagadm.read_tags(outputs[TAGS].stdout)


def _nic_tag(tag: nictagadm.Tag) -> Observed:
    """The link that a tag names is what dladm knows it by."""
    fields: dict[str, Value] = {"type": tag.type, "mac": tag.mac or None, "link": tag.link or None}
    return Observed(ObjectName(NIC_TAG, tag.name), fields, identity=tag.link)


def _zones_with_a_nic_on(tag: str, guests: Iterable[Guest]) -> set[str]:
    """The zones of guests that are stored with a nic of that tag."""
    on_it = (guest for guest in guests if any(nic.text("nic_tag") == tag for nic in guest.objects("nics")))
    return {guest.text("zonename") or guest.uuid for guest in on_it}
