"""Provider crossbow on illumos: `dladm`. What SmartOS has beside that is in `smartos`."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from providers.crossbow import vnics
from providers.crossbow.facts import FACTS
from providers.crossbow.kinds import MISSING, OF_CLASS
from providers.tools import dladm, dladm_errors
from providers.tools.dladm_rows import Link, Vnic, read_addresses, read_links, read_properties, read_stored, read_vnics
from providers.tools.failures import failure
from reconciler.model.change import NAME, Change, FieldChange, Verb
from reconciler.model.command import Command, Completed, Ending, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import ReadError
from reconciler.model.facts import HostFacts
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed, Removal
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal, Served, Support

LINKS, STORED, VNICS, SETTINGS, ADDRESSES, CONFIRM = (
    f"crossbow.{name}" for name in ("links", "stored-links", "vnics", "link-properties", "addresses", "confirm")
)
"""Names of the probes."""

ETHERSTUB, ETHERSTUB_MTU = "Etherstub", 9000
LINK_KINDS = frozenset({ETHERSTUB, vnics.KIND, *(kind.name for kind in OF_CLASS.values())})
Asked = Mapping[str, frozenset[str]]
Found = TypeVar("Found")

_TOOL_MISSING = 127
_NO_COLUMN = "unknown output field"


def support(facts: HostFacts, *, is_smartos: bool) -> Support:
    """Whether the host is of this sort and has a dladm that answers."""
    if facts.version.startswith("joyent_") is not is_smartos:
        return Support(Served.NO, "it is another illumos", "nothing to do")
    answer = facts.probed.get(FACTS.name)
    if answer is None:
        return Support(Served.UNREADABLE, "the host was not asked for its links", "run again")
    if answer.ending is Ending.NOT_FOUND or answer.exit_code == _TOOL_MISSING:
        return Support(Served.NO, "the host has no dladm", "correct the PATH of its transport")
    if answer.succeeded or _NO_COLUMN in answer.stderr:
        return Support(Served.YES)
    why = failure(answer, dladm_errors.TABLE)
    return Support(Served.UNREADABLE, f"`{answer.command}` failed: {why.cause}", why.remedy)


class IllumosBackend:
    """Etherstubs and VNICs by `dladm`, kept over boots by dladm itself."""

    is_smartos = False

    def __init__(self, facts: HostFacts) -> None:
        told = facts.probed.get(FACTS.name)
        tells_zones = told is None or _NO_COLUMN not in told.stderr
        self.vnic_columns = dladm.VNIC_COLUMNS if tells_zones else dladm.VNIC_COLUMNS[:-1]

    @classmethod
    def serves(cls, facts: HostFacts) -> Support:
        return support(facts, is_smartos=cls.is_smartos)

    def probes(self, fields: Asked) -> tuple[Probe, ...]:
        return tuple(self._probes(fields))

    def _probes(self, fields: Asked) -> Iterator[Probe]:
        if not LINK_KINDS.isdisjoint(fields):
            yield probe(LINKS, *dladm.show_links())
        if self._reads_stored(fields):
            yield probe(STORED, *dladm.show_stored_links())
        if vnics.KIND in fields or REMOVAL in fields.get(ETHERSTUB, ()):
            yield probe(VNICS, *dladm.show_vnics(self.vnic_columns))
        if properties := _properties(fields):
            yield probe(SETTINGS, *dladm.show_properties(properties))
        if REMOVAL in fields.get(vnics.KIND, ()):
            yield probe(ADDRESSES, *dladm.show_addresses())

    def _reads_stored(self, fields: Asked) -> bool:
        return not {ETHERSTUB, vnics.KIND}.isdisjoint(fields)

    def read(self, outputs: Outputs, fields: Asked) -> tuple[Observed, ...]:
        return tuple(self._read(outputs, fields))

    def _read(self, outputs: Outputs, fields: Asked) -> Iterator[Observed]:
        if LINKS not in outputs:
            return
        links = read_links(outputs[LINKS].stdout)
        seen = read_vnics(outputs[VNICS].stdout, self.vnic_columns) if VNICS in outputs else ()
        yield from _looked_at(links, fields)
        if ETHERSTUB in fields:
            yield from self._etherstubs(links, seen, outputs, REMOVAL in fields[ETHERSTUB])
        if vnics.KIND in fields:
            yield from self._vnics(links, seen, outputs, _properties(fields), REMOVAL in fields[vnics.KIND])

    def _etherstubs(self, links: Iterable[Link], seen: Collection[Vnic], outputs: Outputs, asks: bool) -> Iterator[Observed]:
        active = {link.name: link for link in links if link.kind == "etherstub"}
        kept = self._kept_etherstubs(outputs)
        for name in sorted(active.keys() | kept):
            link = active.get(name)
            missing = self._missing(is_active=link is not None, is_kept=name in kept)
            removal = Removal(0, obstacles=self._users(name, seen, outputs), holds_data=False) if asks else None
            yield etherstub(name, link.mtu if link is not None else None, missing, removal)

    def _kept_etherstubs(self, outputs: Outputs) -> frozenset[str]:
        """Those that are there again after a boot."""
        stored = read_stored(outputs[STORED].stdout)
        return frozenset(name for name, kind in stored.items() if kind == "etherstub")

    def _missing(self, *, is_active: bool, is_kept: bool) -> str:
        return "" if is_active and is_kept else "link" if is_kept else "store"

    def _users(self, name: str, seen: Iterable[Vnic], outputs: Outputs) -> tuple[str, ...]:
        """Why an etherstub must stay, as far as no object of ours tells it."""
        return ()

    def _vnics(
        self, links: Iterable[Link], seen: Iterable[Vnic], outputs: Outputs, properties: tuple[str, ...], asks: bool
    ) -> Iterator[Observed]:
        kinds = {link.name: kind_of(link) for link in links if link.kind != "vnic"}
        settings = read_properties(outputs[SETTINGS].stdout, properties) if SETTINGS in outputs else {}
        addresses = read_addresses(outputs[ADDRESSES].stdout) if ADDRESSES in outputs else {}
        found = [vnic for vnic in seen if self._is_of_host(vnic)]
        for vnic in found:
            of_it = settings.get((vnic.name, vnic.zone)) if SETTINGS in outputs else {}
            if of_it is None:
                raise ReadError(0, f"the properties of VNIC {vnic.name}")
            removal = _removal(vnic, addresses) if asks else None
            yield vnics.observed_vnic(vnic, of_it, kinds.get(vnic.over, ""), removal)
        there = {vnic.name for vnic in found}
        if STORED in outputs:
            for name, kind in read_stored(outputs[STORED].stdout).items():
                if kind == "vnic" and name not in there:
                    yield vnics.inactive_vnic(name, Removal(0, holds_data=False) if asks else None)

    def _is_of_host(self, vnic: Vnic) -> bool:
        """Whether it may be a VNIC of the global zone; one that a zone runs with is, too: it was lent."""
        return True

    def refusal(self, kind: str, field: str, value: Value) -> Refusal | None:
        if kind == "FirewallRule" and not self.is_smartos:
            return Refusal(
                "firewall rules of guests are made with fwadm, which only SmartOS has",
                "remove the manifest, or move it to a SmartOS host",
            )
        return vnics.refused(field, value) if kind == vnics.KIND else None

    def acts(self, kind: str, change: FieldChange, observed: Observed) -> None:
        """Nothing here runs."""

    def pool(self, name: str) -> str:
        return ""

    def steps(self, change: Change) -> tuple[Step, ...]:
        if change.key.kind == vnics.KIND:
            return tuple(vnics.steps(change, temporary=self.is_smartos))
        return tuple(self._etherstub_steps(change))

    def _etherstub_steps(self, change: Change) -> Iterator[Step]:
        name = change.key.name
        match change.verb:
            case Verb.CREATE:
                yield self._add_etherstub(name)
                yield from _set_mtu(change)
            case Verb.DELETE:
                yield self._take_etherstub(name, change.observed)
            case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE:
                if (renamed := change.field(NAME)) is not None:
                    yield from self._rename_etherstub(str(renamed.before), name)
                if change.field(MISSING) is not None:
                    yield from self._complete_etherstub(name, change)
                yield from _set_mtu(change)
            case Verb.REPLACE | Verb.TRASH | Verb.FORGET:
                return

    def _add_etherstub(self, name: str) -> Step:
        return Step(Command(dladm.create_etherstub(name)))

    def _take_etherstub(self, name: str, observed: Observed | None) -> Step:
        return Step(Command(dladm.delete_etherstub(name)), destructive=True)

    def _rename_etherstub(self, old: str, new: str) -> Iterator[Step]:
        yield Step(Command(dladm.rename_link(old, new)))

    def _complete_etherstub(self, name: str, change: Change) -> Iterator[Step]:
        """Anew: dladm neither stores an active link nor activates a stored one. It refuses while anything lies on it."""
        yield Step(Command(dladm.delete_etherstub(name)))
        yield self._add_etherstub(name)

    def confirm(self, change: Change) -> Probe:
        name = change.observed.name.name if change.observed is not None and change.field(NAME) is None else change.key.name
        return Probe(CONFIRM, Command(self._confirmation(change, name), changes=False))

    def _confirmation(self, change: Change, name: str) -> tuple[str, ...]:
        if change.key.kind == vnics.KIND and not was_inactive(change):
            return dladm.show_vnics(self.vnic_columns, name)
        return dladm.show_stored_links(name) if was_inactive(change) else dladm.show_links(name)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        if dladm_errors.says_gone(answer):
            return None
        if not answer.succeeded:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        if change.key.kind == vnics.KIND:
            return self._confirmed_vnic(change, answer)
        return _confirmed_etherstub(change, answer)

    def _confirmed_vnic(self, change: Change, answer: Completed) -> Observed:
        if was_inactive(change):
            (name,) = _only(read_stored(answer.stdout), change)
            return vnics.stored_vnic(name)
        (vnic,) = _only(read_vnics(answer.stdout, self.vnic_columns), change)
        before = change.observed
        kind = next((name.kind for name in before.references), "") if before is not None else ""
        return vnics.observed_vnic(vnic, {}, kind, _removal(vnic, {}))

    def explain(self, failed: Completed) -> Failure:
        return failure(failed, dladm_errors.TABLE)


def kind_of(link: Link) -> str:
    """The kind of a link that others may lie on; empty for one that no kind stands for."""
    if link.kind == "etherstub":
        return ETHERSTUB
    return OF_CLASS[link.kind].name if link.kind in OF_CLASS else ""


def etherstub(name: str, mtu: int | None, missing: str | None, removal: Removal | None) -> Observed:
    """An etherstub; dladm gives it 9000 unless told otherwise (illumos-cli.md 3.4). `missing` is None where nobody looked."""
    stated = frozenset({"mtu"}) if mtu not in (None, ETHERSTUB_MTU) else frozenset[str]()
    fields: dict[str, Value] = {"mtu": mtu} if missing is None else {"mtu": mtu, MISSING: missing}
    return Observed(ObjectName(ETHERSTUB, name), fields, stated, identity=name, removal=removal)


def _looked_at(links: Iterable[Link], fields: Asked) -> Iterator[Observed]:
    """Links that nobody manages; the name of one is what dladm knows it by."""
    for link in links:
        if link.kind in OF_CLASS and (name := OF_CLASS[link.kind].name) in fields:
            found: dict[str, Value] = {"mtu": link.mtu, "state": link.state, "over": link.over}
            yield Observed(ObjectName(name, link.name), found, identity=link.name)


def _properties(fields: Asked) -> tuple[str, ...]:
    """The link properties to read: all of them where a replacement must keep what it does not state."""
    if vnics.KIND not in fields:
        return ()
    asked = fields[vnics.KIND]
    return vnics.properties_for(asked, not {EVERY_FIELD, REMOVAL}.isdisjoint(asked))


def _removal(vnic: Vnic, addresses: Mapping[str, tuple[str, ...]]) -> Removal:
    """What stands against taking a VNIC away. A default route needs an address, so the addresses tell of both."""
    obstacles = []
    if there := addresses.get(vnic.name, ()):
        obstacles.append(f"the host has the address {', '.join(there)} on it")
    if vnic.zone:
        obstacles.append(f"zone {vnic.zone} runs with it")
    return Removal(0, obstacles=tuple(obstacles), holds_data=False)


def _set_mtu(change: Change) -> Iterator[Step]:
    """The mtu that is stated, where the etherstub is new or made anew, else the one that changes."""
    entry, is_new = change.field("mtu"), change.verb is Verb.CREATE or change.field(MISSING) is not None
    stated = change.resource.fields.get("mtu") if is_new and change.resource is not None else None
    after = stated if is_new else entry.after if entry is not None else None
    if after is not None:
        yield Step(Command(dladm.set_property(change.key.name, "mtu", str(after))))
    elif entry is not None and not is_new:
        yield Step(Command(dladm.reset_property(change.key.name, "mtu")))


def was_inactive(change: Change) -> bool:
    """Whether the link was only stored when the plan looked."""
    observed = change.observed
    if observed is None or change.verb not in (Verb.DELETE, Verb.REPLACE):
        return False
    return observed.fields.get(MISSING) == "link" or (observed.name.kind == vnics.KIND and observed.fields.get("over") is None)


def _confirmed_etherstub(change: Change, answer: Completed) -> Observed:
    removal = Removal(0, holds_data=False)
    if was_inactive(change):
        (name,) = _only(read_stored(answer.stdout), change)
        return etherstub(name, None, "link", removal)
    (link,) = _only([link for link in read_links(answer.stdout) if link.kind == "etherstub"], change)
    return etherstub(link.name, link.mtu, None, removal)


def _only(found: Collection[Found], change: Change) -> Collection[Found]:
    if len(found) != 1:
        raise ReadError(1, str(change.key.object), f"{len(found)} links")
    return found
