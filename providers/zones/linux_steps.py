"""The commands of each change of a zone on Linux, in an order that may be cut anywhere.

Its config file is its definition. It is written before anything else of a zone is made, marked as ours from its first moment,
and goes last of all. What was changed in it and not yet brought about shows as a difference at the next look: limits, ports,
what waits for the next boot. What does not show stands in a note in the config, written first and taken off last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from providers.tools import image_datasets, linux_ports, lxc, zfs, zfs_containers, zfs_marks
from providers.tools.linux_ports import FILTER, FIREWALL, MAX_BANDWIDTH, MTU, OVER, UP, VLAN
from providers.tools.linux_ports import MARK as PORT_MARK
from providers.tools.lxc_config import Config, read_config
from providers.tools.lxc_limits import LIMITS
from providers.tools.lxc_listing import DEAD
from providers.tools.vmadm_changes import item_changes, names_afterwards, own_names, stated_items
from providers.zones.linux_config import (
    LOG,
    frame,
    membership_of,
    own_items,
    read_fields,
    root_of,
    with_datasets,
    with_field,
    with_group,
    with_hooks,
    with_mounts,
)
from providers.zones.linux_host import LxcHost
from providers.zones.linux_nics import ZoneNic, new_nic, port_of, read_nics, with_nics
from providers.zones.linux_notes import (
    CHANGING,
    DATASETS,
    DOING,
    MAKING,
    MARKS,
    RESUME,
    ROOT,
    TRASH,
    list_of,
    mark_of,
    trash_note,
    trashing_in,
    with_mark,
)
from providers.zones.linux_reading import (
    CONFIG,
    CONTAINER,
    DIFFERS,
    FROZEN,
    GONE,
    ROOT_DATASET,
    ROOT_IS_OURS,
    ROOT_STATE,
    RUNNING,
    STOPPED,
)
from reconciler.model.change import MARK, NAME, ON_REMOVAL, PROTECT, RESTART, STATE, Change, Effect, FieldChange, Verb
from reconciler.model.command import Command, Step
from reconciler.model.errors import ReconcilerError
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import Disruption
from reconciler.model.observed import Mark, Observed
from reconciler.model.trash import Trashed
from reconciler.model.value import Fields, Value
from reconciler.provider.derived import derived_mac

_OF_MARK = frozenset({NAME, MARK, PROTECT, ON_REMOVAL})
_OF_PORT = {"over": OVER, "mtu": MTU, "vlan": VLAN, "maxBandwidth": MAX_BANDWIDTH}
_ROOTS = "zones"

_LANE = "mount"
"""What mounts goes one at a time, as in provider zfs."""


def steps(change: Change, host: LxcHost) -> tuple[Step, ...]:
    """The commands of a change in order. ReconcilerError where this host can't make the change."""
    return tuple(_steps(change, host))


def _steps(change: Change, host: LxcHost) -> Iterator[Step]:
    match change.verb:
        case Verb.CREATE:
            yield from _create(change, host)
        case Verb.UPDATE:
            yield from _update(change, host)
        case Verb.ADOPT:
            yield from _update(change, host, adopts=True)
        case Verb.FORGET:
            yield from _forget(change, host)
        case Verb.TRASH:
            yield from _to_trash(change, host)
        case Verb.RESTORE:
            yield from _restore(change, host)
        case Verb.DELETE:
            yield from _delete(change, host)
        case Verb.REPLACE if change.trashing is not None:
            raise ReconcilerError(
                "a container in the trash keeps its name, so that no other can take its place",
                remedy="remove the manifest, apply, purge it from the trash, and add it again; or set onRemoval: delete",
            )
        case Verb.REPLACE if _is_made_anew(change):
            yield from _make_anew(change, host)
        case Verb.REPLACE:
            yield from _delete(change, host)
            yield from _create(change, host)
        case _:
            assert_never(change.verb)


@dataclass(frozen=True, slots=True)
class _Root:
    """Where the root of a zone lies, and what it is a clone of."""

    dataset: str
    place: str
    snapshot: str


def _create(change: Change, host: LxcHost) -> Iterator[Step]:
    """The definition first, with a note; then what it needs; then it is started, and the note goes."""
    assert change.mark is not None
    stated = _stated(change)
    root = _root(change, stated, host)
    starts = stated.get(STATE) != STOPPED
    config = with_mark(Config(), change.mark)
    if change.identity:
        config = with_field(config, "uuid", change.identity, {}, host)
    config = frame(config, host, change.key.name, _group(change), root.dataset, root.place)
    whole = {"hostname": change.key.name, "autoboot": starts, **stated}
    config = _edited(change, config, tuple(FieldChange(name, None, value) for name, value in whole.items()), host)
    note = config.with_entry(DOING, MAKING).with_entry(RESUME, RUNNING if starts else None)
    yield _write(host, change.key.name, note)
    yield _clone(root, change.mark, stated.get("quota"))
    yield from _plugged(config, change.mark)
    if starts:
        yield Step(lxc.start(host.path, change.key.name, str(config)))
    else:
        yield _write(host, change.key.name, config)


def _stated(change: Change) -> dict[str, Value]:
    resource = change.resource
    return {**resource.fields, **(resource.created_with or {})} if resource is not None else {}


def _group(change: Change) -> str:
    """The control group of a zone. One machine may play several hosts."""
    return f"{change.key.host}-{change.key.name}"


def _root(change: Change, stated: Fields, host: LxcHost) -> _Root:
    pool = str(stated.get("pool") or change.default_pool or (host.pools[0] if len(host.pools) == 1 else ""))
    if not pool and change.observed is not None:
        pool = str(change.observed.fields.get("pool") or "")
    if not pool:
        there = ", ".join(host.pools) or "unknown"
        raise ReconcilerError(
            f"nothing says in which pool it is to lie; pools there: {there}",
            remedy="state spec.pool, or spec.defaultPool of the Host",
        )
    place = str(stated.get("zonePath") or f"{host.folder(change.key.name)}/rootfs")
    return _Root(f"{pool}/{_ROOTS}/{change.key.name}", place, _snapshot(change, stated, pool))


def _snapshot(change: Change, stated: Fields, pool: str) -> str:
    name = stated.get("image")
    if not isinstance(name, str):
        raise ReconcilerError("a zone on Linux is made of an image", remedy="add image: the name of an Image")
    dataset = change.identities.get(ObjectName("Image", name)) or name
    there = dataset.partition("/")[0] if "/" in dataset else pool
    if there != pool:
        raise ReconcilerError(
            f"its image lies in pool {there}, and a root in pool {pool} can't be made of that",
            remedy=f"state pool: {there}, or make the Image in pool {pool}",
        )
    return image_datasets.snapshot(pool, name)


def _clone(root: _Root, mark: Mark, quota: Value) -> Step:
    properties: dict[str, Value] = {"mountpoint": root.place, **zfs_marks.properties_of(mark)}
    if quota is not None:
        properties["quota"] = quota
    container = root.dataset.rpartition("/")[0]
    return Step(Command(zfs_containers.make_in(container, zfs.clone(root.snapshot, root.dataset, properties))), lane=_LANE)


def _write(host: LxcHost, name: str, config: Config, *, keep_started: bool = False) -> Step:
    return Step(lxc.write_config(host.folder(name), str(config), keep_started=keep_started))


def _plugged(config: Config, mark: Mark) -> Iterator[Step]:
    """All its ports, made or completed: right before it starts."""
    membership = membership_of(config, mark.name.name)
    for name, nic in read_nics(config).items():
        if (port := port_of(name, nic, mark, membership)) is not None:
            yield from map(Step, linux_ports.make(port))


def _unplugged(config: Config) -> Iterator[Step]:
    mark = mark_of(config)
    for nic in read_nics(config).values():
        if mark is not None and nic.is_ours and nic.port:
            yield from map(Step, linux_ports.unmake(nic.port, mark.owner))


def _there(change: Change) -> tuple[Observed, Config, str]:
    """The zone as observed, its config, and what LXC calls it."""
    observed = change.observed
    assert observed is not None
    text = str(observed.fields[CONFIG])
    return observed, read_config(text.removesuffix("\n").split("\n")), str(observed.fields[CONTAINER])


def _edited(change: Change, config: Config, fields: tuple[FieldChange, ...], host: LxcHost) -> Config:
    """The config with what these changes ask for."""
    change = replace(change, fields=fields)
    before = read_fields(config, host)
    limits = {name: before[name] for name in LIMITS}
    stated = _stated(change)
    for entry in fields:
        if entry.name in LIMITS:
            limits[entry.name] = entry.after if entry.after is not None else host.cgroups.usual()[entry.name]
    if (
        any(entry.name in LIMITS for entry in fields)
        and isinstance(limits["swap"], int)
        and not isinstance(limits["memory"], int)
    ):
        limits["memory"] = limits["swap"]
    for entry in fields:
        config = with_field(config, entry.name, entry.after, limits, host)
    config = _with_lists(change, config, stated)
    return with_hooks(with_group(config), host, change.key.name)


def _with_lists(change: Change, config: Config, stated: Fields) -> Config:
    heads = {entry.name.partition(".")[0] for entry in change.fields}
    if change.verb is Verb.ADOPT:
        # What is there and listed becomes ours without being changed.
        heads |= {"nics", "mounts"} & stated.keys()
    if "nics" in heads:
        config = with_nics(config, _nics_afterwards(change, config))
    if "mounts" in heads:
        items = item_changes(_from_nothing(change), "mounts")
        there = stated_items(change, "mounts")
        wanted = {name: there.get(name, {}) for name in (*items.added, *items.changed)}
        config = with_mounts(config, wanted, _own_afterwards(change, config, "mounts"))
    if "datasets" in heads:
        found = set(list_of(config.get(DATASETS)))
        for entry in _from_nothing(change).fields:
            if entry.name.startswith("datasets."):
                name = entry.name.removeprefix("datasets.")
                found = found - {name} if entry.after is None else found | {name}
        config = with_datasets(config, found)
    return config


def _from_nothing(change: Change) -> Change:
    """The change with a list that is stated at once told as items that come."""
    if change.verb not in (Verb.CREATE, Verb.REPLACE):
        return change
    heads = ("nics", "mounts", "datasets")
    stated = _stated(change)
    names = {head: value if isinstance(value := stated.get(head), tuple) else () for head in heads}
    added = tuple(FieldChange(f"{head}.{name}", None, name) for head in heads for name in names[head])
    return replace(change, observed=None, fields=added)


def _own_afterwards(change: Change, config: Config, head: str) -> set[str]:
    if change.verb in (Verb.CREATE, Verb.REPLACE):
        return set(stated_items(change, head))
    return set(names_afterwards(change, head))


def _nics_afterwards(change: Change, config: Config) -> dict[str, ZoneNic]:
    """The nics of ours as the change wants them."""
    change = _from_nothing(change)
    there, items, stated = read_nics(config), item_changes(change, "nics"), stated_items(change, "nics")
    found = {name: nic for name, nic in there.items() if name not in items.removed}
    for name in sorted(items.changed):
        if name in found:
            fields = {inner: value for inner, value in stated.get(name, {}).items() if inner in items.changed[name]}
            found[name] = _changed_nic(change, name, found[name], fields)
    for name in sorted(items.added):
        found[name] = new_nic(change.key.name, _with_mac(change, name, stated.get(name, {})), found)
    own = names_afterwards(change, "nics")
    return {name: _taken_over(nic) if name in own and not nic.is_ours else nic for name, nic in found.items()}


def _taken_over(nic: ZoneNic) -> ZoneNic:
    """A nic of somebody else's making that is listed: its lines stay as they are until it is changed."""
    return replace(nic, is_ours=True, is_kept=True)


def _changed_nic(change: Change, name: str, nic: ZoneNic, fields: Fields) -> ZoneNic:
    whole = {**nic.fields, **fields}
    if "over" in fields:
        whole.pop("vnic", None)
    elif "vnic" in fields:
        whole.pop("over", None)
    if not nic.is_kept and nic.is_ours and (nic.port or "vnic" in whole) and not {"over", "vnic"} & fields.keys():
        return replace(nic, fields=whole)
    made = new_nic(change.key.name, _with_mac(change, name, {**stated_items(change, "nics").get(name, {}), **whole}), {})
    return replace(made, place=nic.place, port=nic.port or (made.port and linux_ports.port_name(change.key.name, nic.place)))


def _with_mac(change: Change, name: str, fields: Fields) -> dict[str, Value]:
    assert change.mark is not None
    return {**fields, "mac": fields.get("mac") or derived_mac(change.mark.owner, change.key, name)}


def _update(change: Change, host: LxcHost, *, adopts: bool = False) -> Iterator[Step]:
    """Changes of a zone that is there: what runs on is changed as it runs, what acts at its next boot is only written."""
    observed, config, name = _there(change)
    mark, state = change.mark, change.field(STATE)
    assert mark is not None
    runs, renames = observed.running is True, name != change.key.name
    runs_after = runs if state is None else state.after == RUNNING
    restarts = any(entry.effect is Effect.RESTART or entry.name == RESTART for entry in change.fields)
    is_dead = observed.fields[STATE] == DEAD
    halts = runs and (not runs_after or restarts or renames or (is_dead and state is not None))
    starts = runs_after and (halts or not runs)
    if renames and runs and not is_dead:
        _check_may_stop(change)
    dataset = str(observed.fields.get(ROOT_DATASET) or "")
    new = _wanted(change, config, host, dataset if adopts else "")
    is_lacking = observed.fields.get(ROOT_STATE) in ("missing", "unmounted")
    needs_note = (halts and runs_after) or renames or is_lacking or _is_half_renamed(config, name)
    note = new.with_entry(DOING, MAKING if config.get(DOING) == MAKING else CHANGING) if needs_note else new
    note = note.with_entry(RESUME, RUNNING if starts and needs_note else None)
    if renames or _is_half_renamed(config, name):
        if renames:
            noted = config.with_entry(RESUME, RUNNING if starts else None)
            yield from _renamed(change, host, name, dataset, noted, halts=halts)
            dataset = _renamed_root(dataset, name, change.key.name)
        yield from _root_marked(dataset, mark)
        mark_there = mark_of(config)
        old = mark_there.name.name if mark_there is not None else name
        new, note = (_framed_anew(change, one, host, dataset, old) for one in (new, note))
        yield _write(host, change.key.name, note)
        yield Step(lxc.mount_at(dataset, root_of(new)), lane=_LANE)
    else:
        if dataset and observed.fields.get(ROOT_STATE) != "missing" and (adopts or _is_marked_anew(change)):
            yield from _root_marked(dataset, mark)
        if str(note) != str(config):
            yield _write(host, name, note, keep_started=adopts and runs)
        if halts:
            yield Step(lxc.stop(host.path, name))
        if observed.fields.get(ROOT_STATE) == "missing":
            yield _clone(_root(change, _stated(change), host), mark, _stated(change).get("quota"))
        elif observed.fields.get(ROOT_STATE) == "unmounted" or (is_dead and halts and dataset):
            yield Step(lxc.mount_at(dataset, str(observed.fields["zonePath"])), lane=_LANE)
    if (quota := change.field("quota")) is not None and dataset:
        yield Step(Command(zfs.set_properties(dataset, {"quota": quota.after})))
    yield from _ports(change, config, new, mark, runs=runs and not halts, starts=starts, renames=renames)
    if runs and not halts:
        yield from _limits(change, new, host)
    if state is not None and state.before == FROZEN and runs_after and not halts:
        yield Step(lxc.thaw(host.path, name))
    ends = str(new) != str(note)
    if starts:
        yield Step(lxc.start(host.path, change.key.name, str(new) if ends else None))
    elif ends:
        yield _write(host, change.key.name, new)


def _wanted(change: Change, config: Config, host: LxcHost, adopted: str) -> Config:
    """The config as the change wants it, without notes; `adopted` is the dataset of a root that becomes ours."""
    assert change.mark is not None
    new = _edited(change, config, change.fields, host)
    if change.verb is Verb.ADOPT or _is_marked_anew(change):
        new = with_mark(new, change.mark)
    if adopted:
        new = new.with_entry(ROOT, adopted)
    if config.get(ROOT) is not None and config.get(LOG) is None:
        new = new.with_entry(LOG, f"{host.folder(change.key.name)}/log")
    return new.with_entry(DOING, None).with_entry(RESUME, None).with_entry(TRASH, None)


def _check_may_stop(change: Change) -> None:
    if change.resource is None or change.resource.lifecycle.disruption is Disruption.NONE:
        raise ReconcilerError(
            "a container can only be renamed while it is stopped, and it runs (disruption is none)",
            remedy="permit one restart with lifecycle.disruption: restart, or stop it for the rename with spec.state: stopped",
        )


def _is_half_renamed(config: Config, name: str) -> bool:
    """Whether its folder has its new name, and its config tells of the old one."""
    mark = mark_of(config)
    return mark is not None and mark.name.name != name


def _renamed_root(dataset: str, old: str, new: str) -> str:
    head, _, leaf = dataset.rpartition("/")
    return f"{head}/{new}" if leaf == old else dataset


def _renamed(change: Change, host: LxcHost, old: str, dataset: str, config: Config, *, halts: bool) -> Iterator[Step]:
    """The zone stopped, its root and then its folder under the new name; its ports bear the old one, and are made anew.

    Cut before the folder is moved, it is still the old zone, whose note says that it is being changed.
    """
    new = _renamed_root(dataset, old, change.key.name)
    # Whoever loads a config makes the folder of its log: the old one would be there again.
    yield _write(host, old, config.with_entry(DOING, CHANGING).with_entry(LOG, None))
    if halts:
        yield Step(lxc.stop(host.path, old))
    yield from _unplugged(config)
    if new != dataset:
        yield Step(lxc.move_root(dataset, new), lane=_LANE)
    yield Step(lxc.move(host.folder(old), host.folder(change.key.name)))


def _framed_anew(change: Change, config: Config, host: LxcHost, dataset: str, old: str) -> Config:
    """The config under the zone's new name; names of ports follow it, and its root where it lay in its folder."""
    name = change.key.name
    nics = {
        nic_name: replace(nic, port=linux_ports.port_name(name, nic.place)) if nic.port and "link" not in nic.fields else nic
        for nic_name, nic in read_nics(config).items()
    }
    place = f"{host.folder(name)}/rootfs" if root_of(config) == f"{host.folder(old)}/rootfs" else root_of(config)
    config = frame(with_nics(config, nics), host, name, _group(change), dataset, place)
    return with_hooks(config, host, name)


def _is_marked_anew(change: Change) -> bool:
    return any(change.field(name) is not None for name in _OF_MARK)


def _root_marked(dataset: str, mark: Mark) -> Iterator[Step]:
    """Our mark on the root's dataset; that in the config comes after it, for that one is compared."""
    wanted = zfs_marks.properties_of(mark)
    # One property in each command: not every ZFS takes several.
    for prop, value in wanted.items():
        yield Step(Command(zfs.set_properties(dataset, {prop: value})))
    for prop in (zfs_marks.PROTECT, zfs_marks.ON_REMOVAL):
        if prop not in wanted:
            yield Step(Command(zfs.inherit(dataset, prop)))


def _ports(
    change: Change, before: Config, after: Config, mark: Mark, *, runs: bool, starts: bool, renames: bool
) -> Iterator[Step]:
    """Ports of nics that went are taken away, and the nics with them; those of nics that changed follow, while the zone runs;
    all are made before it starts."""
    old, new = read_nics(before), read_nics(after)
    kept = {nic.port for nic in new.values() if nic.is_ours}
    for nic in old.values() if not renames else ():
        if nic.is_ours and nic.port and nic.port not in kept:
            yield from map(Step, linux_ports.unmake(nic.port, mark.owner))
    assert change.observed is not None
    if starts:
        yield from _unplugged_to_differ(change.observed, mark.owner, old, new)
        yield from _plugged(after, mark)
        return
    there = change.observed.fields
    membership = membership_of(after, mark.name.name)
    regrouped = {FIREWALL} if membership != membership_of(before, mark.name.name) else set()
    for name, nic in new.items():
        lacks = there.get(f"nics.{name}.{DIFFERS}")
        lacking = set(lacks) if isinstance(lacks, tuple) else set()
        was = old.get(name)
        differing = {field for field in nic.fields.keys() | (was.fields.keys() if was is not None else set())
                     if was is None or nic.fields.get(field) != was.fields.get(field)}  # fmt: skip
        if not (lacking or differing or regrouped):
            continue
        acting = _acting(nic, was, runs=runs)
        port = port_of(name, acting, mark, membership)
        if port is None:
            continue
        if was is None or not was.port or GONE in lacking:
            # The ports of a zone that does not run are made when it starts.
            yield from map(Step, linux_ports.make(port) if runs else ())
            continue
        wanted = {_OF_PORT[field] for field in differing if field in _OF_PORT} | lacking | regrouped
        if any(field.startswith("allow.") or field == "ips" for field in differing):
            wanted |= {FILTER, PORT_MARK}
        if not runs and there.get(f"nics.{name}.over") is not None:
            yield from map(
                Step, linux_ports.make(port) if UP in lacking else linux_ports.alter(port, wanted, guest_end_here=True)
            )
        elif runs:
            yield from map(Step, linux_ports.alter(port, wanted))


def _unplugged_to_differ(
    observed: Observed, owner: str, old: Mapping[str, ZoneNic], new: Mapping[str, ZoneNic]
) -> Iterator[Step]:
    """Ports that are there, and are to be others when the zone starts: a stopped zone hands its end back as it had it."""
    for name, nic in new.items():
        lacks = observed.fields.get(f"nics.{name}.{DIFFERS}")
        lacking = set(lacks) if isinstance(lacks, tuple) else set()
        was = old.get(name)
        if was is None or not (was.port and nic.is_ours) or GONE in lacking:
            continue
        if lacking or was.fields != nic.fields:
            yield from map(Step, linux_ports.unmake(was.port, owner))


def _acting(nic: ZoneNic, was: ZoneNic | None, *, runs: bool) -> ZoneNic:
    """As `linux_reading.acting`, where the fields that wait were those that it has until now."""
    if was is None or not runs or not was.is_ours:
        return nic
    held = {name: was.fields[name] for name in ("mac", "mtu", "ips") if name in was.fields}
    return replace(nic, fields={**nic.fields, **held})


def _limits(change: Change, config: Config, host: LxcHost) -> Iterator[Step]:
    """Limits that change while the zone runs, and those that hold otherwise than its config says."""
    changed = {entry.name for entry in change.fields if entry.name in LIMITS}
    if not changed:
        return
    wanted = read_fields(config, host)
    if changed & {"memory", "swap"}:
        changed |= {"memory", "swap"} if host.cgroups.counts_swap else {"memory"}
    fields = {name: wanted[name] for name in LIMITS if name in changed}
    told = list(host.cgroups.told(fields))
    if fields.get("maxTasks", 0) is None:
        told.append(("pids.max", "max"))
    yield Step(lxc.limit(host.path, change.key.name, told))


def _forget(change: Change, host: LxcHost) -> Iterator[Step]:
    """Our mark goes, from its root and then from its config; it runs on as it is."""
    observed, config, name = _there(change)
    dataset = str(observed.fields.get(ROOT_DATASET) or "")
    is_somebodys = config.get(DOING) == MAKING and observed.fields.get(ROOT_IS_OURS) is not True
    for prop in zfs_marks.MARKS if dataset and config.get(ROOT) is not None and not is_somebodys else ():
        yield Step(Command(zfs.inherit(dataset, prop)))
    noted = trashing_in(config)
    if noted is not None:
        config = with_field(config, "autoboot", noted.trashed.saved.get("autoboot") == "true", {}, host)
    for key in (*MARKS, DOING, RESUME, TRASH):
        config = config.with_entry(key, None)
    yield _write(host, name, config)


def _to_trash(change: Change, host: LxcHost) -> Iterator[Step]:
    """Stopped, not started with the host, without ports; what it was stands in a note. Its name and its root stay."""
    observed, config, name = _there(change)
    trashing, begun = change.trashing, observed.trashed
    assert trashing is not None
    saved = {**(observed.removal.saved if observed.removal is not None else {}), **(begun.saved if begun is not None else {})}
    trashed = Trashed(trashing.at, trashing.group, trashing.ttl_s, saved=saved)
    config = with_field(config, "autoboot", False, {}, host).with_entry(DOING, None).with_entry(RESUME, None)
    noted = config.with_entry(TRASH, trash_note(trashed, is_there=False))
    yield replace(_write(host, name, noted), look_first=True)
    if observed.running is not False or observed.stuck:
        yield Step(lxc.stop(host.path, name))
    yield from _unplugged(config)
    yield _write(host, name, config.with_entry(TRASH, trash_note(trashed, is_there=True)))


def _restore(change: Change, host: LxcHost) -> Iterator[Step]:
    """Back from the trash, or from half the way there or back: as it was, and then as its manifest wants it."""
    observed, config, name = _there(change)
    noted = trashing_in(config)
    assert noted is not None
    mark = change.mark or mark_of(config)
    assert mark is not None
    saved, stated = noted.trashed.saved, change.resource.fields if change.resource is not None else {}
    starts = observed.running is not True and (
        stated.get(STATE) == RUNNING or (stated.get(STATE) is None and saved.get(STATE) == RUNNING)
    )
    back = with_field(config, "autoboot", saved.get("autoboot") == "true", {}, host)
    back = _edited(change, with_mark(back, mark), tuple(one for one in change.fields if one.name != STATE), host)
    noted_back = back.with_entry(TRASH, trash_note(noted.trashed, is_there=False))
    yield _write(host, name, noted_back)
    dataset = str(observed.fields.get(ROOT_DATASET) or "")
    if (quota := change.field("quota")) is not None and dataset:
        yield Step(Command(zfs.set_properties(dataset, {"quota": quota.after})))
    if observed.fields.get(ROOT_STATE) == "unmounted":
        yield Step(lxc.mount_at(dataset, str(observed.fields["zonePath"])))
    if starts:
        yield from _plugged(back, mark)
        yield Step(lxc.start(host.path, name, str(back.with_entry(TRASH, None))))
    else:
        yield _write(host, name, back.with_entry(TRASH, None))


def _delete(change: Change, host: LxcHost) -> Iterator[Step]:
    """Stopped; then its root goes, with the snapshots that were told of; then its ports; its definition last."""
    observed, config, name = _there(change)
    dataset = str(observed.fields.get(ROOT_DATASET) or "")
    if observed.stuck and observed.fields.get(STATE) not in (STOPPED, DEAD):
        raise ReconcilerError(observed.stuck, remedy=observed.unsticking)
    if observed.running is True:
        yield Step(lxc.stop(host.path, name), look_first=True)
    if dataset and observed.fields.get(ROOT_IS_OURS) is True:
        if observed.fields.get(STATE) == DEAD:
            # The mount that outlived its daemon is in the way.
            yield Step(lxc.mount_at(dataset, str(observed.fields["zonePath"])), lane=_LANE)
        for snapshot in observed.removal.snapshots if observed.removal is not None else ():
            yield Step(Command(zfs.destroy(snapshot)), lane=_LANE, destructive=True)
        yield Step(Command(zfs.destroy(dataset)), lane=_LANE, destructive=True)
    yield from _unplugged(config)
    if (container := dataset.rpartition("/")[0]).endswith(f"/{_ROOTS}"):
        yield Step(Command(zfs_containers.drop(container)), lane=_LANE, destructive=True)
    yield Step(lxc.remove(host.folder(name)), destructive=True)


def _is_made_anew(change: Change) -> bool:
    """Whether only the image differs: then the zone stays, and its root goes."""
    replacing = {entry.name for entry in change.fields if entry.effect is Effect.REPLACE}
    return replacing == {"image"}


def _make_anew(change: Change, host: LxcHost) -> Iterator[Step]:
    """Another root for the zone. Cut off once the old one is gone, a note says that the new one is being made."""
    observed, config, name = _there(change)
    assert change.mark is not None
    runs = observed.running is True
    stated = _stated(change)
    root = _root(change, stated, host)
    quota = stated.get("quota", observed.fields.get("quota"))
    rest = replace(change, verb=Verb.UPDATE, fields=tuple(one for one in change.fields if one.name != "image"))
    new = _edited(rest, config, rest.fields, host).with_entry(DOING, None).with_entry(RESUME, None)
    starts = stated.get(STATE, RUNNING if runs or observed.interrupted else STOPPED) == RUNNING
    yield _write(host, name, new.with_entry(DOING, MAKING).with_entry(RESUME, RUNNING if starts else None))
    if runs:
        yield Step(lxc.stop(host.path, name), look_first=True)
    dataset = str(observed.fields.get(ROOT_DATASET) or root.dataset)
    is_gone = observed.fields.get(ROOT_STATE) == "missing"
    if not is_gone:
        for snapshot in observed.removal.snapshots if observed.removal is not None else ():
            yield Step(Command(zfs.destroy(snapshot)), lane=_LANE, destructive=True)
        yield Step(Command(zfs.destroy(dataset)), lane=_LANE, destructive=True)
    made = _clone(replace(root, dataset=dataset, place=str(observed.fields["zonePath"])), change.mark, quota)
    # Where the old root went in a pass that was cut off, this is the step before which one more look is due.
    yield replace(made, destructive=is_gone)
    if starts:
        yield from _plugged(new, change.mark)
        yield Step(lxc.start(host.path, name, str(new)))
    else:
        yield _write(host, name, new)


__all__ = ["Mapping", "own_items", "own_names", "steps"]
