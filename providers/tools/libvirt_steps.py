"""The commands of each change of a machine, in an order that may be cut anywhere.

The definition comes first and goes last: from the first command to the last there is a domain with our mark, and a note in it
of what is not done yet. The last command takes the note off. So the next look finds what was begun and what it was to become,
and commands that were done already do nothing when they are repeated.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from providers.tools import libvirt_disks as disks
from providers.tools import libvirt_domain, libvirt_seed, linux_ports, virsh, zfs, zfs_marks
from providers.tools import libvirt_storage as storage
from providers.tools.libvirt_changes import (
    Draft,
    has_seed_disk,
    is_made_by_us,
    mounted_datasets,
    new_draft,
    next_draft,
    read_definition,
    stated_fields,
    there,
)
from providers.tools.libvirt_facts import LibvirtHost
from providers.tools.libvirt_fields import acts
from providers.tools.libvirt_marks import Notes, read_notes, write_notes
from providers.tools.libvirt_reading import DATASETS, DEAD, PORTS, PORTS_STAND, RUNNING, STOPPED
from providers.tools.libvirt_xml import Tree, attribute, copied, text_at, written
from providers.tools.vmadm_changes import item_changes, observed_item, stated_items
from providers.tools.zfs_properties import PROPERTIES, Clearing
from reconciler.model.change import NAME, STATE, Change, Effect, Verb
from reconciler.model.command import Command, Step
from reconciler.model.errors import ReconcilerError
from reconciler.model.trash import Trashed
from reconciler.model.value import Value
from reconciler.provider.field import Acts
from reconciler.provider.guest import FINISHED

_AUTOBOOT = "autoboot"


def steps(change: Change, host: LibvirtHost) -> tuple[Step, ...]:
    """The commands of a change in order. ReconcilerError for one that can't be made here."""
    return tuple(_steps(change, host))


def _steps(change: Change, host: LibvirtHost) -> Iterator[Step]:
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, host)
        case Verb.UPDATE | Verb.ADOPT | Verb.RESTORE:
            yield from _update(change, host)
        case Verb.FORGET:
            yield from _forget(change)
        case Verb.TRASH:
            yield from _to_trash(change)
        case Verb.DELETE:
            yield from _delete(change)
        case Verb.REPLACE if change.trashing is not None:
            raise ReconcilerError(
                "a domain of libvirt keeps its name in the trash, so no other one can take its place",
                remedy="remove it in one revision, purge it from the trash, and add it again",
            )
        case Verb.REPLACE:
            yield from _delete(change)
            yield from _create(change, host)
        case _:
            assert_never(change.verb)


def _create(change: Change, host: LibvirtHost) -> Iterator[Step]:
    stated = stated_fields(change)
    pool, engine = _pool(change, host), str(stated.get("engine") or host.engine)
    draft = new_draft(change, engine, pool, as_files=host.has_no_volumes)
    starts = stated.get(STATE) != STOPPED
    yield Step(virsh.define(draft.definition(replace(draft.notes, resume=RUNNING if starts else ""))))
    yield from _make_datasets(draft, quota=stated.get("quota"))
    if has_seed_disk(draft):
        yield Step(libvirt_seed.write_seed(draft.name, draft.uuid, draft.fields))
    for _, port in draft.ports():
        yield from map(Step, linux_ports.make(port))
    if isinstance(autoboot := stated.get(_AUTOBOOT), bool) and autoboot:
        yield Step(virsh.autostart(draft.uuid, wanted=True))
    if starts:
        yield from _start(draft)
    yield Step(virsh.define(draft.definition(draft.notes.settled)))


def _start(draft: Draft) -> Iterator[Step]:
    yield Step(virsh.start(draft.uuid))
    for _, port in draft.ports():
        yield from _limited_again(port)


def _limited_again(port: linux_ports.Port) -> Iterator[Step]:
    """libvirt gives every tap that it opens another queue, and with that the limit is lost."""
    if port.max_bandwidth is not None:
        yield from map(Step, linux_ports.alter(port, {linux_ports.MAX_BANDWIDTH}))


def _pool(change: Change, host: LibvirtHost) -> str:
    stated = stated_fields(change)
    if found := stated.get("pool") or change.default_pool:
        return str(found)
    if change.observed is not None and change.observed.fields.get("pool"):
        return str(change.observed.fields["pool"])
    if host.pools is not None and len(host.pools) == 1:
        return next(iter(host.pools))
    raise ReconcilerError(
        f"nothing says in which pool it is to lie; pools there: {', '.join(sorted(host.pools or ())) or 'unknown'}",
        remedy="state spec.pool, or spec.defaultPool of the Host",
    )


def _make_datasets(draft: Draft, *, quota: Value = None) -> Iterator[Step]:
    """Its own dataset in each pool where something of it lies, and one for each disk that is still to be made."""
    change, stated = draft.change, stated_items(draft.change, "disks")
    yield disks.new_home(change, draft.pool, draft.name, quota)
    made = [name for name in draft.notes.makes if name in stated and is_made_by_us(stated[name])]
    pools = {str(stated[name].get("pool") or draft.pool) for name in made}
    for pool in sorted(pools - {draft.pool}):
        yield disks.far_home(change, pool, draft.name)
    for name in made:
        yield disks.new_disk(change, draft.name, name, stated[name], draft.pool)


def _update(change: Change, host: LibvirtHost) -> Iterator[Step]:
    """Changes of a machine that is there. What runs is changed where libvirt can; else it is stopped and started, or its next
    start brings what is stored now."""
    assert change.observed is not None
    observed, state = change.observed, change.field(STATE)
    draft = next_draft(change, as_files=host.has_no_volumes)
    before, trashed = read_definition(change), observed.trashed
    runs = observed.running is True
    runs_after = _runs_after(change, trashed)
    is_dead = observed.fields.get(STATE) == DEAD and state is not None
    halts = runs and (not runs_after or is_dead or any(entry.effect is Effect.RESTART for entry in change.fields))
    starts = runs_after and (halts or not runs or (state is not None and state.after == RUNNING))
    if change.field(NAME) is not None and runs and not halts:
        raise ReconcilerError("libvirt renames no domain that runs", remedy="state state: stopped until it is renamed")
    draft.notes = replace(draft.notes, resume=RUNNING if starts else draft.notes.resume if runs_after else "")
    final = replace(draft.notes.settled, trashed=None)
    begun = replace(draft.notes, trashed=trashed)
    renaming = draft.notes.renames
    if renaming:
        # The name changes by a command of its own, which takes only the domain as it is.
        yield Step(virsh.define(_as_noted(before, replace(begun, mark=observed.mark or begun.mark))))
    elif (text := draft.definition(begun)) != _as_noted(before, read_notes(before)) or begun != final:
        yield Step(virsh.define(text))
    if halts:
        yield Step(_stop(change))
    if is_dead:
        yield from _mounted_anew(change)
    if renaming:
        yield from _rename(draft, text_at(before, "name"))
    live = runs and not halts
    yield from _take_out(draft, live=live)
    for going in draft.notes.going.values():
        yield from disks.put_out(change, going)
    if draft.notes.makes or (has_seed_disk(draft) and not _has_home(draft)):
        yield from _make_datasets(draft)
    yield from _properties(draft)
    yield from _grow(draft, live=live)
    if has_seed_disk(draft) and any(libvirt_seed.is_for_seed(entry.name) or entry.name == FINISHED for entry in change.fields):
        yield Step(libvirt_seed.write_seed(draft.name, draft.uuid, draft.fields))
    yield from _ports(
        draft,
        every=trashed is not None or bool(renaming) or any(change.field(name) is not None for name in (FINISHED, PORTS_STAND)),
    )
    if live:
        yield from _put_in(draft)
    yield from _autoboot(change, trashed)
    if starts:
        yield from _start(draft)
    if begun != final or renaming:
        yield Step(virsh.define(draft.definition(final)))


def _as_noted(tree: Tree, notes: Notes) -> str:
    copy = copied(tree)
    write_notes(copy, notes)
    return written(copy)


def _runs_after(change: Change, trashed: Trashed | None) -> bool:
    assert change.observed is not None
    if (state := change.field(STATE)) is not None:
        return state.after == RUNNING
    if trashed is not None and trashed.saved.get(STATE) == RUNNING:
        return stated_fields(change).get(STATE) != STOPPED
    return change.observed.running is True


def _rename(draft: Draft, now: str) -> Iterator[Step]:
    """The domain, then its datasets, whose places and marks say its name."""
    change, old = draft.change, draft.notes.renames
    assert change.mark is not None
    if now != draft.name:
        yield Step(virsh.rename(draft.uuid, draft.name))
    names = mounted_datasets(change)
    before, after = f"/vms/{old}", f"/vms/{draft.name}"
    homes = [name for name in names if name.partition("/")[2] == before[1:]]
    found = there(change).get(DATASETS)
    mounted = {text.partition("\t")[0] for text in (found if isinstance(found, tuple) else ()) if text.endswith("\tmounted")}
    for name in sorted(names, reverse=True):
        if f"/{name.partition('/')[2]}".startswith(before) and name in mounted:
            yield Step(Command(zfs.unmount(name)), disks.MOUNT_LANE)
    for name in homes:
        yield Step(Command(zfs.rename(name, name.partition("/")[0] + after)), disks.MOUNT_LANE)
    for name in names:
        pool, _, rest = name.partition("/")
        moved = f"{pool}{after}{f'/{rest}'[len(before) :]}" if f"/{rest}".startswith(before) else name
        yield Step(Command(zfs.set_text(moved, {zfs_marks.KEY: str(change.mark.name)})))
        disk = moved.partition(f"{after}/")[2]
        if disk or pool == draft.pool:
            yield Step(Command(zfs.set_text(moved, {"mountpoint": storage.folder(draft.name, disk)})), disks.MOUNT_LANE)
            yield Step(Command(("sh", "-c", _MOUNT, "mount-dataset", moved)), disks.MOUNT_LANE)


_MOUNT = """\
place=$(zfs get -H -o value mountpoint "$1") || exit
case $place in /*) ;; *) exit 0 ;; esac
# A mount that outlived its daemon is counted as mounted, and serves nobody.
case $(timeout -s KILL 5 stat -f "$place" 2>&1) in *"Transport endpoint is not connected") umount -l "$place" || exit ;; esac
[ "$(zfs get -H -o value mounted "$1")" = yes ] || exec zfs mount "$1\""""

_END_DEAD_S = 5
"""How long a guest without disks has to end by itself."""


def _stop(change: Change) -> Command:
    assert change.observed is not None
    seconds = _END_DEAD_S if there(change).get(STATE) == DEAD else virsh.SHUTDOWN_S
    return virsh.stop(change.observed.identity, seconds)


def _mounted_anew(change: Change) -> Iterator[Step]:
    """Its datasets, whose mounts may have outlived their daemon."""
    for name in mounted_datasets(change):
        yield Step(Command(("sh", "-c", _MOUNT, "mount-dataset", name)), disks.MOUNT_LANE)


def _has_home(draft: Draft) -> bool:
    return storage.home(draft.pool, draft.name) in mounted_datasets(draft.change)


def _take_out(draft: Draft, *, live: bool) -> Iterator[Step]:
    """Devices that go from what runs, and the ports of nics that go."""
    for _name, nic in sorted(draft.gone_nics.items()):
        if live:
            yield Step(virsh.detach_nic(draft.uuid, attribute(nic, "mac", "address").lower(), written(nic)))
        if nic.get("type") == "ethernet":
            yield from map(Step, linux_ports.unmake(attribute(nic, "target", "dev"), _owner(draft.change)))
    if live:
        for disk in draft.gone_disks.values():
            yield Step(virsh.detach_disk(draft.uuid, attribute(disk, "target", "dev"), written(disk)))


def _properties(draft: Draft) -> Iterator[Step]:
    """Properties of the datasets of disks, and the quota of all."""
    change = draft.change
    if (quota := change.field("quota")) is not None:
        yield Step(Command(zfs.set_properties(storage.home(draft.pool, draft.name), {"quota": quota.after})))
    for name, fields in sorted(item_changes(change, "disks").changed.items()):
        pool = str(observed_item(change, "disks", name).get("pool") or draft.pool)
        dataset = storage.dataset(pool, draft.name, name)
        for prop, value in sorted((key, value) for key, value in fields.items() if key.startswith("properties.")):
            prop = prop.removeprefix("properties.")
            known = PROPERTIES.get(prop)
            if value is None and (known is None or known.clearing is Clearing.INHERIT):
                yield Step(Command(zfs.inherit(dataset, prop)))
            else:
                yield Step(Command(zfs.set_properties(dataset, {prop: value})))


def _grow(draft: Draft, *, live: bool) -> Iterator[Step]:
    for name, fields in sorted(item_changes(draft.change, "disks").changed.items()):
        if isinstance(size := fields.get("size"), int):
            item = observed_item(draft.change, "disks", name)
            if name in draft.notes.makes:
                continue
            if live:
                yield Step(virsh.resize_disk(draft.uuid, str(item["target"]), size))
            else:
                path = storage.file(draft.name, name) if draft.notes.renames else str(item["path"])
                yield disks.grow(path, size)


_OF_PORTS = {
    "over": (linux_ports.OVER, linux_ports.FILTER, linux_ports.MAC, linux_ports.MARK, linux_ports.UP),
    "mtu": (linux_ports.MTU, linux_ports.MARK),
    "vlan": (linux_ports.VLAN,),
    "maxBandwidth": (linux_ports.MAX_BANDWIDTH, linux_ports.FILTER),
    "mac": (linux_ports.MAC, linux_ports.FILTER, linux_ports.MARK),
    "ips": (linux_ports.FILTER,),
}
"""What of a port changes with a field of its nic."""


def _parts_of_port(field: str) -> tuple[str, ...]:
    if field.startswith("allow."):
        return (linux_ports.FILTER, linux_ports.MARK)
    return _OF_PORTS.get(field, ())


def _ports(draft: Draft, *, every: bool) -> Iterator[Step]:
    """The ports of nics that come, are changed or lack; `every` makes or completes all."""
    items, found = item_changes(draft.change, "nics"), there(draft.change).get(PORTS)
    present = set(found) if isinstance(found, tuple) else set()
    if every and draft.notes.renames:
        # A port is called after its machine in its mark, and one with the mark of another would be refused.
        for _, port in draft.ports():
            yield from map(Step, linux_ports.unmake(port.name, _owner(draft.change)))
        present = set()
    joins = any(entry.name == "firewallEnabled" or entry.name.startswith("tags.") for entry in draft.change.fields)
    for name, port in draft.ports():
        fields = items.changed.get(name, {})
        altered = {part for field in fields for part in _parts_of_port(field)}
        if joins:
            altered.add(linux_ports.FIREWALL)
        if port.name not in present:
            if every or fields or name in items.added:
                yield from map(Step, linux_ports.make(port))
        elif altered:
            yield from map(Step, linux_ports.alter(port, altered))
        elif every:
            yield from map(Step, linux_ports.make(port))


def _put_in(draft: Draft) -> Iterator[Step]:
    """What libvirt can change of a machine that runs."""
    change, uuid = draft.change, draft.uuid
    assert change.observed is not None
    for entry in change.fields:
        if entry.effect is not Effect.IN_PLACE or acts(entry, change.observed) is not Acts.LIVE:
            continue
        if entry.name == "memory" and isinstance(entry.after, int):
            yield Step(virsh.set_memory(uuid, entry.after // libvirt_domain.KIB))
        elif entry.name == "cpus" and isinstance(entry.after, int):
            yield Step(virsh.set_cpus(uuid, entry.after))
        elif entry.name.startswith("disks.") and entry.name.endswith(".iso") and entry.before is not None:
            target = observed_item(change, "disks", entry.name.split(".")[1])["target"]
            yield Step(virsh.change_medium(uuid, str(target), str(entry.after)))
    for head, added in (("disks", draft.added_disks), ("nics", draft.added_nics)):
        for name, device in added.items():
            field = change.field(f"{head}.{name}")
            plugs = head == "nics" or attribute(device, "target", "bus") == "virtio"
            if field is not None and field.effect is Effect.IN_PLACE and plugs:
                yield Step(virsh.attach(uuid, written(device)))
    for name, port in draft.ports():
        if name in draft.added_nics:
            yield from _limited_again(port)


def _autoboot(change: Change, trashed: Trashed | None) -> Iterator[Step]:
    field, wanted = change.field(_AUTOBOOT), None
    if field is not None:
        wanted = field.after
    elif trashed is not None:
        wanted = trashed.saved.get(_AUTOBOOT) == "true"
    if isinstance(wanted, bool):
        assert change.observed is not None
        yield Step(virsh.autostart(change.observed.identity, wanted=wanted))


def _forget(change: Change) -> Iterator[Step]:
    """All that we wrote goes. One on its way into the trash is given back what it had before."""
    assert change.observed is not None
    observed, tree = change.observed, read_definition(change)
    if observed.trashed is not None:
        yield from _autoboot(change, observed.trashed)
    for name in mounted_datasets(change):
        for prop in (zfs_marks.HOST, zfs_marks.OWNER, zfs_marks.KEY):
            yield Step(Command(zfs.inherit(name, prop)))
    yield Step(virsh.define(_as_noted(tree, Notes())))


def _to_trash(change: Change) -> Iterator[Step]:
    """Stopped, not started by itself, and noted as lying in the trash; name and disks stay. Its ports go: it uses none."""
    assert change.observed is not None
    assert change.trashing is not None
    observed, trashing, tree = change.observed, change.trashing, read_definition(change)
    saved = {
        **(observed.removal.saved if observed.removal is not None else {}),
        **(observed.trashed.saved if observed.trashed else {}),
    }
    trashed = Trashed(trashing.at, trashing.group, trashing.ttl_s, saved=saved)
    notes = replace(read_notes(tree), trashed=trashed, resume="")
    yield Step(virsh.define(_as_noted(tree, notes)), look_first=True)
    yield from _stopped(change)
    yield Step(virsh.autostart(observed.identity, wanted=False))


def _stopped(change: Change) -> Iterator[Step]:
    """Stops it and takes its ports away."""
    assert change.observed is not None
    if change.observed.running is not False:
        yield Step(_stop(change))
    for name in sorted(change.observed.own_items):
        head, _, item = name.partition(".")
        link = observed_item(change, "nics", item).get("link") if head == "nics" else None
        present = there(change).get(PORTS)
        if isinstance(present, tuple) and link in present:
            yield from map(Step, linux_ports.unmake(str(link), _owner(change)))


def _owner(change: Change) -> str:
    mark = change.mark or (change.observed.mark if change.observed is not None else None)
    assert mark is not None
    return mark.owner


def _delete(change: Change) -> Iterator[Step]:
    """The definition goes last: as long as something of the machine is there, something says whose it is."""
    assert change.observed is not None
    observed, tree = change.observed, read_definition(change)
    begin = [*_stopped(change)]
    for place, step in enumerate(begin):
        yield replace(step, look_first=place == 0)
    if there(change).get(STATE) == DEAD:
        yield from _mounted_anew(change)
    for name in sorted(mounted_datasets(change), reverse=True):
        snapshots = observed.removal.snapshots if observed.removal is not None else ()
        for snapshot in (one for one in snapshots if one.partition("@")[0] == name):
            yield Step(Command(zfs.destroy(snapshot)), destructive=True)
        yield Step(Command(zfs.destroy(name)), disks.MOUNT_LANE, destructive=True)
    yield from disks.drop_containers(_pools_of(change, read_notes(tree)))
    yield Step(virsh.undefine(observed.identity, nvram=libvirt_domain.uses_uefi(tree)), destructive=True)


def _pools_of(change: Change, notes: Notes) -> set[str]:
    """Where something of it lies, or lay when its removal began."""
    noted = {str(value) for name, value in notes.fields.items() if name == "pool" or _POOL_OF_DISK.fullmatch(name)}
    return noted | {name.partition("/")[0] for name in mounted_datasets(change)}


_POOL_OF_DISK = re.compile(r"disks\.[^.]*\.pool")
