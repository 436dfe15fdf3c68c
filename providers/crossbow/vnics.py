"""VNICs: what dladm shows of them as fields, and changes as commands."""

from collections.abc import Collection, Iterator, Mapping

from providers.tools import dladm
from providers.tools.dladm_rows import Settings, Vnic, read_allowed, read_bandwidth, read_list
from reconciler.model.change import NAME, Change, Verb
from reconciler.model.command import Command, Step
from reconciler.model.errors import ReadError
from reconciler.model.key import ObjectName
from reconciler.model.observed import Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.contract import Refusal
from reconciler.provider.derived import derived_mac
from reconciler.provider.nic import CARRIERS

KIND = "VNIC"
SPOOFING: Mapping[str, str] = {
    "allow.macSpoofing": "mac-nospoof",
    "allow.restrictedTraffic": "restricted",
    "allow.ipSpoofing": "ip-nospoof",
    "allow.dhcpSpoofing": "dhcp-nospoof",
}
"""The word of `protection` that forbids what a field allows, in the order in which dladm prints them."""

IPS = "allow.ips"
PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "mtu": ("mtu",),
    "maxbw": ("maxBandwidth",),
    "priority": ("priority",),
    "protection": tuple(SPOOFING),
    "allowed-ips": (IPS,),
}
"""Link properties and the fields that they hold."""

LEAST_BANDWIDTH = 1_200_000
MOST_ALLOWED = 32
_IDENTITY = ("over", "mac", "vlan")


def properties_for(fields: Collection[str], everything: bool) -> tuple[str, ...]:
    """The link properties that tell these fields."""
    return tuple(prop for prop, held in PROPERTIES.items() if everything or not set(held).isdisjoint(fields))


def observed_vnic(vnic: Vnic, settings: Settings, over_kind: str, removal: Removal | None) -> Observed:
    """A VNIC as its manifest would state it, as far as its properties were read."""
    fields: dict[str, Value] = {"over": vnic.over, "mac": vnic.mac, "vlan": vnic.vlan}
    stated = {"over", "mac", *(["vlan"] if vnic.vlan is not None else [])}
    for prop, setting in settings.items():
        match prop:
            case "mtu":
                fields["mtu"] = _mtu(setting.value)
                stated |= {"mtu"} if setting.value != setting.default else set()
            case "maxbw":
                fields["maxBandwidth"] = read_bandwidth(setting.value)
                stated |= {"maxBandwidth"} if fields["maxBandwidth"] is not None else set()
            case "priority":
                fields["priority"] = setting.value or setting.default or "high"
                stated |= {"priority"} if setting.value not in ("", setting.default) else set()
            case "protection":
                words = read_list(setting.value)
                fields |= {name: word not in words for name, word in SPOOFING.items()}
                stated |= SPOOFING.keys()
            case "allowed-ips":
                fields[IPS] = read_allowed(setting.value)
                stated |= {IPS} if fields[IPS] else set()
    references = (ObjectName(over_kind, vnic.over),) if over_kind else ()
    name = ObjectName(KIND, vnic.name)
    return Observed(name, fields, frozenset(stated), identity=vnic.mac, references=references, removal=removal)


def inactive_vnic(name: str, removal: Removal | None) -> Observed:
    """A VNIC that the next boot brings and that is not there now: a removal was cut short, or somebody ran `delete-vnic -t`."""
    fields: dict[str, Value] = dict.fromkeys((*_IDENTITY, *(field for held in PROPERTIES.values() for field in held)))
    return Observed(ObjectName(KIND, name), fields, frozenset(fields), removal=removal)


def stored_vnic(name: str) -> Observed:
    """A VNIC of which nothing is known but that the next boot brings it."""
    return Observed(ObjectName(KIND, name), {}, removal=Removal(0, holds_data=False))


def _mtu(text: str) -> int | None:
    if text and not (text.isascii() and text.isdigit()):
        raise ReadError(0, "a number for mtu", text)
    return int(text) if text else None


def refused(field: str, value: Value) -> Refusal | None:
    """What dladm can't hold."""
    if field == "maxBandwidth" and isinstance(value, int):
        if value < LEAST_BANDWIDTH:
            return Refusal("dladm limits no link to less than 1200Kbps", "state maxBandwidth: 1200Kbps or more, or null")
        if value % 1000:
            return Refusal("dladm holds a limit in whole kilobits a second", "state maxBandwidth in whole Kbps")
    if field == IPS and isinstance(value, tuple) and len(value) > MOST_ALLOWED:
        return Refusal(f"dladm allows {MOST_ALLOWED} addresses, and {len(value)} are stated", "state networks instead")
    return None


def steps(change: Change, *, temporary: bool) -> Iterator[Step]:
    """The commands of a change. `temporary`: the system keeps no links over a boot, so there is no use in storing them."""
    name = change.key.name
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, temporary=temporary)
        case Verb.DELETE:
            yield Step(Command(dladm.delete_vnic(name)), destructive=True)
        case Verb.REPLACE:
            yield Step(Command(dladm.delete_vnic(name)), destructive=True)
            yield from _create(change, temporary=temporary)
        case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE:
            if (renamed := change.field(NAME)) is not None:
                yield Step(Command(dladm.rename_link(str(renamed.before), name)))
            yield from _alter(change)
        case Verb.TRASH | Verb.FORGET:
            return


def _create(change: Change, *, temporary: bool) -> Iterator[Step]:
    """The VNIC with all that is stated; what is not stated and was there before a replacement stays as it was."""
    assert change.resource is not None
    stated = change.resource.fields
    kept = _kept(change.observed) if change.verb is Verb.REPLACE and change.observed is not None else {}
    fields = {**kept, **stated}
    mac = fields.get("mac") or derived_mac(change.owner, change.key)
    vlan = fields.get("vlan")
    properties = _properties(fields)
    later = {} if dladm.fits_one_command(properties) else {"allowed-ips": properties.pop("allowed-ips", "")}
    assert isinstance(vlan, int | None)
    over = carrier(change, str(fields.get("over")))
    create = dladm.create_vnic(change.key.name, over, str(mac), vlan, properties, temporary=temporary)
    yield Step(Command(create))
    for prop, value in later.items():
        yield Step(Command(dladm.set_property(change.key.name, prop, value)))


def carrier(change: Change, over: str) -> str:
    """The link that dladm knows for what `over` names: a nic tag stands for another link."""
    found = (change.identities.get(ObjectName(kind, over)) for kind in CARRIERS)
    return next((link for link in found if link), over)


def _kept(observed: Observed) -> Fields:
    names = observed.stated_here | {"mac", *SPOOFING}
    return {name: value for name, value in observed.fields.items() if name in names and value is not None}


def _properties(fields: Fields) -> dict[str, str]:
    """What to make a VNIC with. All that could be forged is forbidden unless it is allowed."""
    found = {}
    mtu, most, priority, ips = (fields.get(name) for name in ("mtu", "maxBandwidth", "priority", IPS))
    if mtu is not None:
        found["mtu"] = str(mtu)
    if isinstance(most, int):
        found["maxbw"] = dladm.bandwidth(most)
    if priority is not None:
        found["priority"] = str(priority)
    if protection := _protection(fields):
        found["protection"] = protection
    if isinstance(ips, tuple) and ips:
        found["allowed-ips"] = ",".join(ips)
    return found


def _protection(fields: Fields) -> str:
    return ",".join(word for name, word in SPOOFING.items() if fields.get(name) is not True)


def _alter(change: Change) -> Iterator[Step]:
    """One command for each link property: of several in one, only the last one's failure would be told."""
    name, observed = change.key.name, change.observed
    assert observed is not None
    changed = {field.name: field.after for field in change.fields}
    after: Fields = {**observed.fields, **changed}
    for prop in _order(after):
        if changed.keys().isdisjoint(PROPERTIES[prop]):
            continue
        if value := _value(prop, after):
            yield Step(Command(dladm.set_property(name, prop, value)))
        else:
            yield Step(Command(dladm.reset_property(name, prop)))


def _order(after: Fields) -> tuple[str, ...]:
    """Nobody may be cut off for a moment: addresses are allowed before others are forbidden, and forbidden after."""
    last = ("protection", "allowed-ips") if after.get("allow.ipSpoofing") else ("allowed-ips", "protection")
    return ("mtu", "maxbw", "priority", *last)


def _value(prop: str, after: Fields) -> str:
    """The text of a link property; empty for none."""
    if prop == "protection":
        return _protection(after)
    value = after.get(PROPERTIES[prop][0])
    if prop == "maxbw":
        return dladm.bandwidth(value) if isinstance(value, int) else ""
    return ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
