"""What a change makes of a domain: its next definition, our notes in it, and what has to be done beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from providers.tools import libvirt_devices as devices
from providers.tools import libvirt_disks, libvirt_domain, libvirt_seed
from providers.tools import libvirt_storage as storage
from providers.tools.libvirt_marks import Going, Notes, read_notes, write_notes
from providers.tools.libvirt_ports import new_port_name, wanted_port
from providers.tools.libvirt_reading import DATASETS, DEFINITION, is_kept
from providers.tools.libvirt_xml import Tree, attribute, child, copied, parse, written
from providers.tools.linux_ports import Port
from providers.tools.vmadm_changes import item_changes, names_afterwards, observed_item, own_names, stated_items
from reconciler.model.change import NAME, Change
from reconciler.model.errors import ReconcilerError
from reconciler.model.lifecycle import OnRemoval
from reconciler.model.trash import Trashed
from reconciler.model.value import Fields, Value
from reconciler.provider.derived import derived_mac

HIDDEN = "passwd='hidden'"
"""What stands in a definition that we read where a password is."""


@dataclass
class Draft:
    """A domain on its way from one definition to the next. `tree` is the next one, without our notes in it."""

    change: Change
    name: str
    uuid: str
    pool: str
    tree: Tree
    notes: Notes
    as_files: bool
    added_disks: dict[str, Tree] = field(default_factory=dict)
    gone_disks: dict[str, Tree] = field(default_factory=dict)
    added_nics: dict[str, Tree] = field(default_factory=dict)
    gone_nics: dict[str, Tree] = field(default_factory=dict)

    def definition(self, notes: Notes) -> str:
        tree = copied(self.tree)
        write_notes(tree, notes)
        return written(tree)

    @property
    def fields(self) -> Fields:
        """All that is stated now of what libvirt has no place for, with the MAC of each of our nics."""
        macs = {f"nics.{name}.mac": mac for name, mac in self.notes.nics.items()}
        return {**self.notes.fields, "nics": tuple(sorted(self.notes.nics)), **macs}

    def ports(self) -> Iterator[tuple[str, Port]]:
        """The ports that our nics are to have, by the nics' names."""
        there = devices.nics(self.tree)
        for name, mac in sorted(self.notes.nics.items()):
            nic = there.get(mac)
            if nic is None or nic.get("type") != "ethernet" or self.notes.mark is None:
                continue
            fields = {**devices.read_nic(nic), **kept_inner(self.notes.fields, "nics", name)}
            if (port := wanted_port(self.notes.mark, name, str(fields["link"]), fields, self.notes.fields)) is not None:
                yield name, port


def kept_inner(fields: Fields, head: str, name: str) -> dict[str, Value]:
    prefix = f"{head}.{name}."
    return {key[len(prefix) :]: value for key, value in fields.items() if key.startswith(prefix)}


def stated_fields(change: Change) -> dict[str, Value]:
    """All that the manifest states, with what matters at creation only."""
    resource = change.resource
    return {**resource.fields, **(resource.created_with or {})} if resource is not None else {}


def mac_of(change: Change, name: str) -> str:
    """The MAC that a new nic gets: the stated one, else the one derived for it."""
    assert change.mark is not None
    stated = stated_items(change, "nics").get(name, {})
    return str(stated.get("mac") or derived_mac(change.mark.owner, change.key, name))


# A new machine.


def new_draft(change: Change, engine: str, pool: str, *, as_files: bool) -> Draft:
    """The definition of a machine that is to be made, with all that is stated. ReconcilerError for a disk that can't be."""
    stated, name = stated_fields(change), change.key.name
    kept = {key: value for key, value in stated.items() if is_kept(key) and value is not None} | {"pool": pool}
    tree = libvirt_domain.new_domain(name, change.identity, engine, stated)
    draft = Draft(change, name, change.identity, pool, tree, Notes(change.mark, kept), as_files)
    for disk in in_disk_order(stated_items(change, "disks")):
        _add_disk(draft, disk)
    for nic in sorted(stated_items(change, "nics")):
        _add_nic(draft, nic)
    if libvirt_seed.has_seed(stated):
        add_seed(draft)
    draft.added_disks.clear()
    draft.added_nics.clear()
    return draft


def in_disk_order(stated: Mapping[str, Fields]) -> list[str]:
    """What is booted from first, then what is made of an image; an empty disk after one with something on it."""

    def rank(name: str) -> tuple[bool, bool, bool, str]:
        fields = stated.get(name, {})
        return fields.get("boot") is not True, "image" not in fields, "iso" in fields, name

    return sorted(stated, key=rank)


def add_seed(draft: Draft) -> None:
    devices.add_seed(draft.tree, storage.seed(draft.name))


def is_made_by_us(fields: Fields) -> bool:
    return "volume" not in fields and "iso" not in fields


def _add_disk(draft: Draft, name: str) -> None:
    fields = stated_items(draft.change, "disks")[name]
    if (volume := fields.get("volume")) is not None:
        path = libvirt_disks.volume_path(str(volume), as_files=draft.as_files)
    elif (iso := fields.get("iso")) is not None:
        path = str(iso)
    else:
        path = storage.file(draft.name, name)
    disk = devices.add_disk(draft.tree, fields, path)
    draft.added_disks[name] = disk
    own = {**draft.notes.disks, name: attribute(disk, "target", "dev")}
    makes = (*draft.notes.makes, name) if is_made_by_us(fields) and name not in draft.notes.makes else draft.notes.makes
    draft.notes = replace(draft.notes, disks=own, makes=makes)


def _add_nic(draft: Draft, name: str) -> None:
    fields, mac = stated_items(draft.change, "nics")[name], mac_of(draft.change, name)
    taken = frozenset(attribute(nic, "target", "dev") for nic in draft.tree.findall("devices/interface"))
    port = str(fields.get("link") or new_port_name(draft.name, taken))
    draft.added_nics[name] = devices.add_nic(draft.tree, fields, mac, port)
    draft.notes = replace(draft.notes, nics={**draft.notes.nics, name: mac})


# A machine that is there.


def there(change: Change) -> Fields:
    assert change.observed is not None
    return change.observed.fields


def read_definition(change: Change) -> Tree:
    """The definition that is there. ReconcilerError where it holds a password, which writing it back would lose."""
    text = str(there(change)[DEFINITION])
    if HIDDEN in text or "<cookies>" in text:
        raise ReconcilerError(
            "its definition holds a password, which no plan may show, so it can't be changed from here",
            remedy="take the password off its screen (and let it listen on an address that only you reach)",
        )
    return parse(text, "domain")


def next_draft(change: Change, *, as_files: bool) -> Draft:
    """The definition with the change in it. What is not ours of it stays as it is."""
    assert change.observed is not None
    tree = read_definition(change)
    notes, name = read_notes(tree), change.key.name
    mark = change.mark if change.mark is not None else notes.mark
    observed_pool = there(change).get("pool")
    pool = str(observed_pool or change.default_pool or stated_fields(change).get("pool") or "")
    draft = Draft(change, name, change.observed.identity, pool, tree, replace(notes, mark=mark), as_files)
    kept = dict(notes.fields) | ({"pool": pool} if pool else {})
    _keep_settings(change, kept)
    draft.notes = replace(draft.notes, fields=kept)
    _own_what_is_stated(draft)
    changed = {entry.name: entry.after for entry in change.fields}
    libvirt_domain.set_settings(tree, name, {key: value for key, value in changed.items() if key != "firmware" or value})
    _change_disks(draft)
    _change_nics(draft)
    if (renamed := change.field(NAME)) is not None and not change.by_parent:
        draft.notes = replace(draft.notes, renames=str(renamed.before))
    if draft.notes.renames:
        child(tree, "name").text = name
        _renamed_paths(draft, draft.notes.renames)
    if _wants_seed(draft, changed) and not has_seed_disk(draft):
        add_seed(draft)
    return draft


def _keep_settings(change: Change, kept: dict[str, Value]) -> None:
    for entry in change.fields:
        if is_kept(entry.name):
            if entry.after is None:
                kept.pop(entry.name, None)
            else:
                kept[entry.name] = entry.after


def _own_what_is_stated(draft: Draft) -> None:
    """Which items are ours when the change is made, by what tells them; fields of those that go are forgotten."""
    change, notes = draft.change, draft.notes
    signs = {"disks": "target", "nics": "mac"}
    own: dict[str, dict[str, str]] = {}
    for head, sign in signs.items():
        added = item_changes(change, head).added
        names = names_afterwards(change, head) if change.resource is not None else own_names(change, head)
        own[head] = {name: str(observed_item(change, head, name)[sign]) for name in names if name not in added}
    gone = tuple(f"{head}.{name}." for head in signs for name in item_changes(change, head).removed)
    fields = {name: value for name, value in notes.fields.items() if not (gone and name.startswith(gone))}
    draft.notes = replace(notes, disks=own["disks"], nics=own["nics"], fields=fields)


def _change_disks(draft: Draft) -> None:
    change, items = draft.change, item_changes(draft.change, "disks")
    targets = devices.disks(draft.tree)
    # What a pass that was cut short was to destroy no plan tells of any more: it is kept aside.
    kept = {
        name: replace(going, place=_aside(draft, name, going.dataset)) if not going.place else going
        for name, going in draft.notes.going.items()
    }
    draft.notes = replace(draft.notes, going=kept)
    for name in items.removed:
        gone = targets[str(observed_item(change, "disks", name)["target"])]
        devices.without(draft.tree, gone)
        draft.gone_disks[name] = gone
        if (going := _going(draft, name, devices.disk_path(gone))) is not None:
            draft.notes = replace(draft.notes, going={**draft.notes.going, name: going})
    for name, fields in sorted(items.changed.items()):
        disk = targets.get(str(observed_item(change, "disks", name).get("target")))
        if disk is not None:
            devices.change_disk(draft.tree, disk, fields)
            own = {**draft.notes.disks, name: attribute(disk, "target", "dev")}
            draft.notes = replace(draft.notes, disks=own)
    for name in in_disk_order({name: stated_items(change, "disks").get(name, {}) for name in items.added}):
        _add_disk(draft, name)


def _going(draft: Draft, name: str, path: str) -> Going | None:
    """Where the dataset of a disk goes; None for a disk that is not made by us."""
    change = draft.change
    if path != storage.file(draft.name, name):
        return None
    pool = str(observed_item(change, "disks", name).get("pool") or draft.pool)
    dataset = storage.dataset(pool, draft.name, name)
    entry = f"{draft.uuid}-{name}"
    match change.remembered.get(f"disks.{name}.onRemoval"):
        case OnRemoval.DELETE:
            return Going(dataset)
        case OnRemoval.TRASH if change.trashing is not None:
            trashing = change.trashing
            trashed = Trashed(trashing.at, trashing.group, trashing.ttl_s)
            return Going(dataset, f"{pool}/.reconciler-trash/{trashing.entry}-{entry}", trashed)
        case _:
            return Going(dataset, _aside(draft, name, dataset))


def _aside(draft: Draft, name: str, dataset: str) -> str:
    return f"{dataset.partition('/')[0]}/{storage.DETACHED}/{draft.uuid}-{name}"


def _change_nics(draft: Draft) -> None:
    change, items = draft.change, item_changes(draft.change, "nics")
    by_mac = devices.nics(draft.tree)
    for name in items.removed:
        gone = by_mac[str(observed_item(change, "nics", name)["mac"])]
        devices.without(draft.tree, gone)
        draft.gone_nics[name] = gone
    for name, fields in sorted(items.changed.items()):
        nic = by_mac.get(str(observed_item(change, "nics", name).get("mac")))
        if nic is None or not (fields.keys() - {"ips", "gateways", "primary"}):
            continue
        if nic.get("type") != "ethernet":
            taken = frozenset(attribute(one, "target", "dev") for one in by_mac.values())
            port = new_port_name(draft.name, taken)
            # What its port must be told of and the definition said until now.
            item = observed_item(change, "nics", name)
            draft.notes = replace(draft.notes, fields={f"nics.{name}.over": item.get("over"), **draft.notes.fields})
        else:
            port = attribute(nic, "target", "dev")
        devices.change_nic(nic, fields, port)
        mac = attribute(nic, "mac", "address").lower()
        draft.notes = replace(draft.notes, nics={**draft.notes.nics, name: mac})
    for name in sorted(items.added):
        _add_nic(draft, name)


def _renamed_paths(draft: Draft, old: str) -> None:
    """Files lie where the machine's name says."""
    before, after = storage.folder(old) + "/", storage.folder(draft.name) + "/"
    for found in draft.tree.iter():
        for name in ("file", "dev"):
            if found.tag in ("source", "log") and (found.get(name) or "").startswith(before):
                found.set(name, after + str(found.get(name))[len(before) :])


def _wants_seed(draft: Draft, changed: Fields) -> bool:
    return any(name.startswith("cloudInit.") for name in changed) and libvirt_seed.has_seed(draft.notes.fields)


def has_seed_disk(draft: Draft) -> bool:
    return any(devices.disk_path(disk) == storage.seed(draft.name) for disk in devices.disks(draft.tree).values())


def mounted_datasets(change: Change) -> tuple[str, ...]:
    """The machine's datasets that are there, those that hold others first."""
    found = there(change).get(DATASETS)
    return tuple(text.partition("\t")[0] for text in (found if isinstance(found, tuple) else ()))
