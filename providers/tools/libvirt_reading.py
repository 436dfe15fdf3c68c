"""From a domain and its datasets and ports to an observed object in canonical fields."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from providers.tools import libvirt_devices as devices
from providers.tools import libvirt_domain
from providers.tools import libvirt_storage as storage_of
from providers.tools.libvirt_marks import Notes, read_notes
from providers.tools.libvirt_objects import Domain
from providers.tools.libvirt_ports import NOT_WHOLE, Seen, told_by_port, wanted_port
from providers.tools.libvirt_storage import Storage
from providers.tools.libvirt_xml import Tree, attribute
from providers.tools.linux_ports import FORGERY_FIELDS
from providers.tools.zfs_properties import PROPERTIES
from providers.tools.zfs_rows import SET_HERE
from reconciler.model.change import STATE
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import FINISHED, TRASH_ALIAS
from reconciler.provider.nic import CARRIERS

KIND = "VirtualMachine"
RUNNING, STOPPED, DEAD = "running", "stopped", "dead"

DEFINITION = "definition"
"""The domain's whole definition as it starts next. No field of a manifest: changes are made to this text."""

MOST_MEMORY, MOST_CPUS = "mostMemoryNow", "mostCpusNow"
"""How much a domain that runs may get without a restart. No fields of a manifest."""

DATASETS = "datasets"
"""The datasets of the machine that are there, with `TAB` and `mounted` after those that are. No field of a manifest."""

PORTS = "ports"
"""The links that are there of those that its nics want. No field of a manifest."""

PORTS_STAND = "portsStand"
"""A completion that lasts: whether every port of its nics is there with its filter and mark, and is up."""

_KEPT = {
    "hostname": None,
    "dnsDomain": None,
    "resolvers": None,
    "routes": None,
    "firewallEnabled": False,
    "pool": None,
    "cloudInit.userData": None,
    "cloudInit.networkConfig": None,
    "cloudInit.sshKeys": None,
    "cloudInit.instanceId": None,
}
"""Fields that libvirt has no place for: they stand in our notes; what they are where nobody stated them."""

_KEPT_OF_NICS: Fields = {
    "vlan": None,
    "mtu": None,
    "ips": (),
    "gateways": None,
    "primary": False,
    "maxBandwidth": None,
    "allow.macSpoofing": False,
    "allow.ipSpoofing": False,
    "allow.dhcpSpoofing": False,
    "allow.restrictedTraffic": False,
    "allow.ips": (),
}
_OF_GUEST = frozenset({"ips", "gateways", "primary"})
"""Fields of a nic that only the guest itself reads."""

_KEPT_OF_DISKS = ("volume", "image", "pool", "blockSize", "sparse")
_MAPS = ("metadata", "internalMetadata", "tags")


def is_kept(name: str) -> bool:
    """Whether the value of a stated field stands in our notes, because libvirt has no place for it."""
    head, _, rest = name.partition(".")
    inner = rest.partition(".")[2]
    if head == "nics":
        return inner in _KEPT_OF_NICS or inner == "over"
    if head == "disks":
        return inner in _KEPT_OF_DISKS
    return name in _KEPT or (head in _MAPS and bool(rest))


@dataclass(frozen=True)
class Around:
    """What else the host says: sizes of files, datasets (None: not read), links, and whether removals are asked for."""

    files: Mapping[str, int] = field(default_factory=dict)
    storage: Storage | None = None
    ports: Seen | None = None
    removal: bool = False


def name_of(domain: Domain, notes: Notes) -> ObjectName:
    """The domain's own name; in the trash one made of that and the time."""
    if _is_in_trash(domain, notes) and notes.trashed is not None:
        return ObjectName(KIND, f"{TRASH_ALIAS}{notes.trashed.at}.{domain.name}")
    return ObjectName(KIND, domain.name)


def _is_in_trash(domain: Domain, notes: Notes) -> bool:
    return notes.trashed is not None and not domain.runs and not domain.autostart and notes.is_finished


def observed(domain: Domain, asked: Collection[str], around: Around) -> Observed:
    """The object. `asked` names entries of maps and properties to tell the absence of."""
    notes = read_notes(domain.stored)
    fields = dict(_fields(domain, notes, around))
    disks, own_disks = _named(devices.disks(domain.stored), notes.disks, lambda target, _: target)
    nics, own_nics = _named(devices.nics(domain.stored), notes.nics, lambda _, number: f"net{number}")
    _tell_disks(domain, notes, disks, fields, around, asked)
    lost = _tell_nics(domain, notes, nics, fields, around)
    for name in asked:
        if name not in fields and "." in name and name.partition(".")[0] in _MAPS:
            fields[name] = None
    missing = _missing(domain, notes, around)
    if not notes.is_finished or (around.storage is not None and around.ports is not None):
        fields[FINISHED] = notes.is_finished and not missing
    stuck, unsticking = _trouble(domain, notes, missing)
    return Observed(
        name_of(domain, notes),
        fields,
        frozenset(_worth_stating(fields)) if EVERY_FIELD in asked else frozenset(),
        notes.mark,
        domain.uuid,
        tuple(_references(fields)),
        _removal(domain, notes, fields, around) if around.removal and around.storage is not None else None,
        trashed=notes.trashed,
        own_items=frozenset([f"disks.{name}" for name in own_disks] + [f"nics.{name}" for name in own_nics]),
        running=domain.runs,
        pending_restart=tuple(_pending(domain, notes)),
        interrupted=RUNNING if _is_to_start(domain, notes, lost) else "",
        stuck=stuck,
        unsticking=unsticking,
        state_unsticks=domain.is_dead,
    )


def _fields(domain: Domain, notes: Notes, around: Around) -> Iterator[tuple[str, Value]]:
    tree = domain.stored
    yield "uuid", domain.uuid
    state = {"paused": "paused", "pmsuspended": "suspended"}.get(domain.state, RUNNING if domain.runs else STOPPED)
    yield STATE, DEAD if domain.is_dead else state
    yield "autoboot", domain.autostart
    yield from libvirt_domain.read_settings(tree)
    yield from _KEPT.items()
    yield from ((name, value) for name, value in notes.fields.items() if not name.startswith(("nics.", "disks.")))
    yield DEFINITION, domain.text
    if domain.now is not None:
        yield MOST_MEMORY, libvirt_domain.most_memory(domain.now)
        yield MOST_CPUS, libvirt_domain.most_cpus(domain.now)
    if around.storage is not None:
        own = _own_datasets(domain, notes, around.storage)
        read = around.storage.datasets
        yield DATASETS, tuple(name + ("\tmounted" if read[name].values["mounted"] == "yes" else "") for name in own)
        home = read.get(storage_of.home(str(notes.fields.get("pool")), domain.name))
        yield "quota", PROPERTIES["quota"].observed(home.values["quota"]) if home is not None else None


def _own_datasets(domain: Domain, notes: Notes, storage: Storage) -> tuple[str, ...]:
    """Those that bear its mark, also under the name that it had before a rename that is not done."""
    if notes.mark is None:
        return ()
    return storage.of(notes.mark.owner, {domain.name, notes.renames} - {""})


def _named(
    there: Mapping[str, Tree], own: Mapping[str, str], called: Callable[[str, int], str]
) -> tuple[dict[str, Tree], list[str]]:
    """The items by the names that our note gives them; those of others under a name made of what the host calls them."""
    by_sign = {sign: name for name, sign in own.items() if sign in there}
    found: dict[str, Tree] = {}
    for number, (sign, item) in enumerate(there.items()):
        name = wanted = by_sign.get(sign) or called(sign, number)
        copies = 1
        while sign not in by_sign and (name in found or name in by_sign.values()):
            copies += 1
            name = f"{wanted}-{copies}"
        found[name] = item
    return found, sorted(by_sign.values())


def _inner(notes: Notes, head: str, name: str) -> dict[str, Value]:
    prefix = f"{head}.{name}."
    return {key[len(prefix) :]: value for key, value in notes.fields.items() if key.startswith(prefix)}


def _tell_disks(
    domain: Domain, notes: Notes, disks: Mapping[str, Tree], fields: dict[str, Value], around: Around, asked: Collection[str]
) -> None:
    names = []
    for name, disk in disks.items():
        item = devices.read_disk(disk)
        if item["path"] == storage_of.seed(domain.name) and notes.mark is not None:
            # It goes with the fields of cloudInit.
            continue
        names.append(name)
        if name in notes.disks:
            item |= _inner(notes, "disks", name)
            if item["path"] == storage_of.file(domain.name, name):
                # A disk of ours that looks like a CD-ROM is no file of somebody else.
                item.pop("iso", None)
        item["target"] = attribute(disk, "target", "dev")
        if item.get("path") in around.files and "iso" not in item and "volume" not in item:
            item["size"] = around.files[str(item["path"])]
        elif name in notes.makes or (
            (notes.renames or domain.is_dead) and name in notes.disks and "volume" not in item and "iso" not in item
        ):
            # Not made yet, not where it will be, or below a dead mount: whatever is stated is still to come.
            item["size"] = 0
        if around.storage is None:
            item.pop("image", None)
        elif "volume" not in item and name in notes.disks:
            item |= _of_dataset(domain.name, name, item, notes, around.storage, asked)
        fields.update({f"disks.{name}.{key}": value for key, value in item.items()})
    fields["disks"] = tuple(sorted(names))


def _of_dataset(
    machine: str, name: str, item: Fields, notes: Notes, storage: Storage, asked: Collection[str]
) -> dict[str, Value]:
    dataset = storage_of.dataset(str(item.get("pool") or notes.fields.get("pool")), machine, name)
    read = storage.datasets.get(dataset)
    if read is None:
        return {}
    found: dict[str, Value] = {}
    if (origin := read.values["origin"]) not in ("-", ""):
        found["image"] = storage_of.image_of(origin)
    prefix = f"disks.{name}.properties."
    for prop in (one.removeprefix(prefix) for one in asked if one.startswith(prefix)):
        if prop in read.values and prop in PROPERTIES:
            value = PROPERTIES[prop].observed(read.values[prop])
            found[f"properties.{prop}"] = None if value == "off" or read.sources[prop] not in SET_HERE else value
    return found


def _tell_nics(domain: Domain, notes: Notes, nics: Mapping[str, Tree], fields: dict[str, Value], around: Around) -> bool:
    """Writes the fields; tells whether none of the ports of ours is there, as after a boot of the host."""
    wanted, whole, there = 0, True, list[str]()
    for name, nic in nics.items():
        item = {**_KEPT_OF_NICS, **devices.read_nic(nic)}
        is_ours, stated = name in notes.nics, _inner(notes, "nics", name)
        if nic.get("type") != "ethernet":
            # libvirt plugs it in by itself, and nobody limits or filters it.
            item |= dict.fromkeys(FORGERY_FIELDS, True)
            item |= {key: value for key, value in stated.items() if key in _OF_GUEST}
        elif is_ours:
            item |= {"over": None} | stated
            link = str(item["link"])
            port = wanted_port(notes.mark, name, link, item, notes.fields) if notes.mark is not None else None
            if around.ports is None:
                # Only the host's links tell.
                item = {key: value for key, value in item.items() if key in _OF_GUEST or key in ("mac", "model", "link")}
            elif port is not None and notes.trashed is None:
                wanted += 1
                seen = around.ports.get(link)
                if seen is not None:
                    there.append(link)
                told = dict(told_by_port(port, seen))
                whole = whole and not told.pop(NOT_WHOLE, seen is None)
                item |= told
        fields.update({f"nics.{name}.{key}": value for key, value in item.items()})
    fields["nics"] = tuple(sorted(nics))
    fields[PORTS] = tuple(sorted(there))
    if around.ports is not None:
        fields[PORTS_STAND] = whole
    return wanted > 0 and not there


def _is_to_start(domain: Domain, notes: Notes, lost_ports: bool) -> bool:
    """Whether a change of ours left it stopped, it was not started since the host booted, for it had no ports, or it lost its
    disks while it ran."""
    if notes.trashed is not None or notes.mark is None:
        return False
    if domain.runs:
        return domain.is_dead and (notes.resume == RUNNING or domain.autostart)
    return notes.resume == RUNNING or (domain.autostart and lost_ports)


def _missing(domain: Domain, notes: Notes, around: Around) -> tuple[str, ...]:
    """The disks made for it that are not there. Those that a change of ours is making are told by its note."""
    if around.storage is None or notes.mark is None:
        return ()
    found = []
    for name, disk in _named(devices.disks(domain.stored), notes.disks, lambda target, _: target)[0].items():
        path = devices.disk_path(disk)
        if name in notes.disks and path == storage_of.file(domain.name, name) and path not in around.files:
            found.append(name)
    return tuple(found)


def _trouble(domain: Domain, notes: Notes, missing: Iterable[str]) -> tuple[str, str]:
    """Cause and remedy where nothing should be done with a domain as it is; empty elsewhere."""
    if domain.is_dead:
        if _is_to_start(domain, notes, lost_ports=False):
            return "", ""
        remedy = "state `state: running` and the next pass restarts it, or restart it by hand"
        return "it lost its disks: the daemon of their file system ended while it ran", remedy
    lost = [name for name in missing if name not in notes.makes]
    if lost and notes.trashed is None and not notes.renames:
        path = storage_of.file(domain.name, lost[0])
        cause = f"disk {lost[0]} is not where it was: there is no {path}"
        return cause, f"mount or bring back the dataset that holds it, or `virsh detach-disk {domain.uuid} ... --config`"
    if domain.saved:
        return (
            "its memory was saved when it was stopped (managed save): it would wake with another definition than it has",
            f"`virsh start {domain.uuid}`, or `virsh managedsave-remove {domain.uuid}`",
        )
    return "", ""


def _pending(domain: Domain, notes: Notes) -> Iterator[str]:
    """The fields that are otherwise in what runs than in what starts next."""
    if domain.now is None:
        return
    before, after = dict(libvirt_domain.read_settings(domain.now)), dict(libvirt_domain.read_settings(domain.stored))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name
    signs = (
        ("disks", devices.disks, devices.read_disk, notes.disks),
        ("nics", devices.nics, devices.read_nic, notes.nics),
    )
    for head, items_in, read, own in signs:
        names = {sign: name for name, sign in own.items()}
        running, stored = items_in(domain.now), items_in(domain.stored)
        for sign in sorted(running.keys() | stored.keys()):
            path = f"{head}.{names.get(sign, sign)}"
            if sign not in running or sign not in stored:
                yield path
                continue
            one, other = read(running[sign]), read(stored[sign])
            yield from (f"{path}.{name}" for name in sorted(one) if one[name] != other.get(name))


def _references(fields: Fields) -> Iterable[ObjectName]:
    found = set[ObjectName]()
    for head, field_name, kinds in (
        ("nics", "over", CARRIERS),
        ("disks", "volume", ("Volume",)),
        ("disks", "image", ("Image",)),
    ):
        names = fields.get(head)
        for name in names if isinstance(names, tuple) else ():
            if isinstance(value := fields.get(f"{head}.{name}.{field_name}"), str):
                found.update(ObjectName(kind, value) for kind in kinds)
    return sorted(found)


def _removal(domain: Domain, notes: Notes, fields: Fields, around: Around) -> Removal:
    """What goes with the machine: its own datasets, and the disks that were made for it."""
    storage = around.storage
    assert storage is not None
    own = _own_datasets(domain, notes, storage)
    snapshots = [pair for name in own for pair in storage.snapshots.get(name, ())]
    obstacles = [f"snapshot {name} is held (see `zfs holds {name}`)" for name, is_held in snapshots if is_held]
    for name in own:
        obstacles += [f"{clone} is a clone of {name}" for clone in storage.clones.get(name, ()) if clone not in own]
        inside = (one for one in storage.datasets if one.startswith(f"{name}/") and one not in own)
        obstacles += [f"{one} lies in it and is not its own" for one in inside]
    used = ("usedbydataset", "usedbysnapshots")
    total = sum(
        int(storage.datasets[name].values[one]) for name in own for one in used if storage.datasets[name].values[one].isdigit()
    )
    saved = {"autoboot": "true" if domain.autostart else "false", "state": RUNNING if domain.runs else STOPPED}
    return Removal(total, tuple(name for name, _ in snapshots), tuple(obstacles), saved=saved)


_NEVER = {STATE, FINISHED, PORTS_STAND, DEFINITION, MOST_MEMORY, MOST_CPUS, DATASETS, PORTS}


def _worth_stating(fields: Fields) -> Iterator[str]:
    """The fields that a manifest for it would state: what somebody chose."""
    names = fields.get("disks")
    disks = names if isinstance(names, tuple) else ()
    # A list is complete or not stated, and a disk that is no Volume has no words in a manifest.
    has_words = all(fields.get(f"disks.{name}.volume") or fields.get(f"disks.{name}.iso") for name in disks)
    for name, value in fields.items():
        inner = name.rpartition(".")[2]
        if name.partition(".")[0] == "disks" and not has_words:
            continue
        if value is None or value is False or value == () or name in _NEVER:
            continue
        if name in ("firmware", "console.vnc.port") and value in (libvirt_domain.BIOS, devices.OFF, 0):
            continue
        if name.startswith("disks.") and inner in ("path", "target", "media"):
            continue
        yield name
