"""From a container as a Linux host shows it to an observed Zone.

A container is stopped only where everything says so: LXC, the processes that watch containers, and its control group. Else
nothing is done with it (`Observed.stuck`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from providers.tools import linux_ports, zfs_marks
from providers.tools.image_datasets import image_of
from providers.tools.linux_ports import Port, SeenPort
from providers.tools.lxc_config import Config
from providers.tools.lxc_limits import LIMITS
from providers.tools.lxc_listing import DEAD, HANGS, Container, Listing
from providers.tools.zfs_rows import Rows, in_reading_order
from providers.zones.linux_config import MAPS, boot_of, group_of, membership_of, own_items, read_fields, root_of, waiting
from providers.zones.linux_host import LxcHost
from providers.zones.linux_nics import ZoneNic, port_of, read_nics
from providers.zones.linux_notes import DOING, MAKING, RESUME, ROOT, mark_of, trashing_in
from reconciler.model.change import STATE
from reconciler.model.key import ObjectName
from reconciler.model.observed import EVERY_FIELD, Mark, Observed, Removal
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import FINISHED, TRASH_ALIAS

RUNNING, STOPPED, FROZEN = "running", "stopped", "frozen"

ROOT_PROPERTIES = in_reading_order((*zfs_marks.MARKS, "mountpoint", "mounted", "origin", "quota", "used", "type"))
"""What is asked of every dataset: any may be the root of a container."""

CONFIG, CONTAINER, ROOT_DATASET, ROOT_STATE, DIFFERS = "configText", "container", "rootDataset", "rootState", "differs"
ROOT_IS_OURS = "rootIsOurs"
"""Fields of no manifest: the text of its config, its name, the dataset of its root (empty where that is none), whether that is
`mounted`, `unmounted` or `missing`, of each nic what its port lacks, and whether the root's dataset bears our mark."""

GONE = "gone"
"""What a port lacks that is not there."""

_NEVER = {STATE, FINISHED, "uuid", "zonePath", "pool", "image", CONFIG, CONTAINER, ROOT_DATASET, ROOT_STATE, ROOT_IS_OURS}
"""What nobody states to keep a container as it is."""

_ROOTS = "zones"
_LIVELY = {"RUNNING": RUNNING, "FROZEN": FROZEN, "FREEZING": FROZEN, "THAWED": RUNNING}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else was asked of the host: `roots` are all its datasets by name, None where they were not read; `snapshots` by
    dataset, each with whether it is held, None likewise; `ports` all its links."""

    roots: Mapping[str, Rows] | None = None
    ports: Mapping[str, SeenPort] | None = None
    snapshots: Mapping[str, Collection[tuple[str, bool]]] | None = None
    by_place: Mapping[str, str] = field(default_factory=dict)
    clones: Mapping[str, Collection[str]] = field(default_factory=dict)


def surroundings(
    rows: Iterable[Rows] | None, ports: Mapping[str, SeenPort] | None, snapshots: Iterable[tuple[str, bool]] | None
) -> Surroundings:
    roots = {one.name: one for one in rows if "@" not in one.name} if rows is not None else None
    held: dict[str, list[tuple[str, bool]]] = {}
    for name, is_held in snapshots or ():
        held.setdefault(name.partition("@")[0], []).append((name, is_held))
    clones: dict[str, list[str]] = {}
    for one in (roots or {}).values():
        if (origin := one.values["origin"]) != "-":
            clones.setdefault(origin.partition("@")[0], []).append(one.name)
    places = {one.values["mountpoint"]: one.name for one in (roots or {}).values()}
    return Surroundings(roots, ports, held if snapshots is not None else None, places, clones)


def read_zone(found: Container, listing: Listing, around: Surroundings, host: LxcHost, asked: Collection[str]) -> Observed:
    """The object. `asked` names entries of maps to tell the absence of."""
    config, mark, noted = found.config, mark_of(found.config), trashing_in(found.config)
    state, stuck, unsticking = _state(found, listing, host)
    running = state in (RUNNING, FROZEN, DEAD)
    fields = read_fields(config, host)
    fields |= {STATE: state, CONFIG: str(config), CONTAINER: found.name, "autoboot": fields["autoboot"]}
    if running:
        fields |= _in_force(found, fields, host)
    nics = read_nics(config)
    then = read_nics(found.started) if running and found.started is not None else {}
    loose: tuple[str, ...] = ()
    if around.ports is not None and mark is not None:
        wanted = {
            name: (nic, port)
            for name, nic in nics.items()
            if (port := port_of(name, acting(nic, then.get(name)), mark, membership_of(config, mark.name.name))) is not None
        }
        loose = tuple(_tell_ports(wanted, fields, around.ports, running=running))
    interrupted = RUNNING if noted is None and _was_to_run(found, listing, fields, mark) else ""
    frees = state == DEAD
    if frees and interrupted:
        stuck, unsticking = "", ""
    if around.roots is not None:
        keys = {f"Zone/{found.name}", str(mark.name)} if mark is not None else set()
        trouble = _tell_root(found.config, mark.owner if mark is not None else "", keys, fields, around)
        fields[FINISHED] = config.get(DOING) is None and fields[ROOT_STATE] in ("mounted", "")
        if trouble and (not stuck or state == DEAD):
            stuck, unsticking = trouble
            frees = False
    for name in asked:
        if name not in fields and name.partition(".")[0] in MAPS and "." in name:
            fields[name] = None
    there = noted is not None and noted.is_there and state == STOPPED and fields["autoboot"] is False
    name = f"{TRASH_ALIAS}{noted.trashed.at}.{found.name}" if noted is not None and there else found.name
    pending = set(waiting(config, found.started, host)) | set(loose) if running and mark is not None else ()
    return Observed(
        ObjectName("Zone", name),
        fields,
        frozenset(_worth_stating(fields, found.name)) if EVERY_FIELD in asked else frozenset(),
        mark,
        str(fields["uuid"] or ""),
        tuple(_references(fields)),
        # What would go is told only by one who asked for its snapshots: else nobody would ask.
        _removal(fields, around, is_being_made=config.get(DOING) == MAKING) if around.snapshots is not None else None,
        trashed=noted.trashed if noted is not None else None,
        own_items=own_items(config),
        running=running,
        pending_restart=tuple(sorted(pending)),
        interrupted=interrupted,
        stuck=stuck,
        unsticking=unsticking,
        state_unsticks=frees,
    )


def _state(found: Container, listing: Listing, host: LxcHost) -> tuple[str, str, str]:
    """The state, and cause and remedy where nothing can be done with a container in it."""
    group = group_of(found.config, found.name)
    if not found.state:
        said = f" ({found.trouble})" if found.trouble else ""
        place = f"{host.folder(found.name)}/config"
        return (
            "unknown",
            f"LXC can't load its config{said}",
            f"correct {place} on the host; `lxc-info -n {found.name}` tells the line",
        )
    if (lively := _LIVELY.get(found.state)) is not None and found.root == DEAD:
        remedy = "state `state: running` and the next pass restarts it, or restart it by hand"
        return DEAD, "it lost its root: the daemon of the file system ended while it ran", remedy
    if lively is not None and found.root == HANGS:
        look = "see `zpool status`, and what the file system's daemon does; then run again"
        return lively, "the file system of its root does not answer", look
    if lively is not None:
        return lively, "", ""
    if found.state != "STOPPED":
        return found.state.lower(), f"it is on its way to another state (state {found.state})", "wait, and run again"
    processes = f"`cat /sys/fs/cgroup/*/lxc.payload.{group}/cgroup.procs`"
    look = f"see `ps` and {processes} on the host, end what is left, and run again"
    if found.has_monitor:
        return "unknown", "LXC says that it is stopped, and the process that watches it runs", look
    if group in listing.payloads:
        return "unknown", f"LXC says that it is stopped, and processes run in its control group lxc.payload.{group}", look
    return STOPPED, "", ""


def _in_force(found: Container, fields: Fields, host: LxcHost) -> Iterator[tuple[str, Value]] | dict[str, Value]:
    """Limits that hold otherwise than the config says, as a text that tells both."""
    if not found.limits:
        return {}
    real = {
        **host.cgroups.usual(),
        **{name: value for name, value in host.cgroups.read(found.limits).items() if value is not None},
    }
    return {
        name: f"{_told(fields[name])} in its config, {_told(real[name])} in force"
        for name in LIMITS
        if real[name] != fields[name]
    }


def _told(value: Value) -> str:
    return "none" if value is None else str(value)


def _tell_ports(
    wanted: Mapping[str, tuple[ZoneNic, Port]], fields: dict[str, Value], ports: Mapping[str, SeenPort], *, running: bool
) -> Iterator[str]:
    """Has the fields tell what of its ports is not as its config wants it; yields nics that what runs has not got."""
    for name, (nic, port) in wanted.items():
        head, seen = f"nics.{name}", ports.get(port.name)
        if seen is None:
            if running:
                fields |= {f"{head}.over": None, f"{head}.{DIFFERS}": (GONE,)}
            continue
        if running and seen.guest_end_here:
            yield head
        lacks = linux_ports.differs(port, seen)
        if not lacks:
            continue
        fields[f"{head}.{DIFFERS}"] = lacks
        told: dict[str, Value] = {
            "over": seen.over, "mtu": seen.mtu, "mac": seen.mac, "vlan": seen.vlan, "maxBandwidth": seen.max_bandwidth,
        }  # fmt: skip
        fields |= {f"{head}.{what}": told[what] for what in lacks if what in told}
        # What no field tells, and a limit that holds one way only, is told with what the nic is plugged into.
        others = [what for what in lacks if what not in told or told[what] == nic.fields.get(what)]
        if others:
            fields[f"{head}.over"] = f"{seen.over} (not as it must be: {', '.join(others)})"


def acting(nic: ZoneNic, then: ZoneNic | None) -> ZoneNic:
    """The nic as it acts now: addresses that wait for the next boot are not allowed yet, those in use still are."""
    if then is None or not then.is_ours:
        return nic
    now = {name: then.fields.get(name) for name in ("mac", "mtu", "ips")}
    return replace(
        nic, fields={**nic.fields, **{name: value for name, value in now.items() if name in nic.fields or value is not None}}
    )


def _tell_root(
    config: Config, owner: str, keys: Collection[str], fields: dict[str, Value], around: Surroundings
) -> tuple[str, str] | None:
    """What the fields say of the root; cause and remedy where it is not what it should be."""
    assert around.roots is not None
    noted, is_made = config.get(ROOT), config.get(DOING) != MAKING
    dataset = noted or ""
    if noted is None or noted not in around.roots:
        # Renamed, and its config not yet: then it is known by where it is mounted. A copy of it says the same place.
        found = around.by_place.get(root_of(config))
        if found is not None and (noted is None or _bears(around.roots[found], owner, keys)):
            dataset = found
    rows = around.roots.get(dataset)
    origin = rows.values["origin"] if rows is not None else "-"
    quota = rows.values["quota"] if rows is not None else "-"
    mounted = "mounted" if rows is not None and rows.values["mounted"] == "yes" else "unmounted"
    fields |= {
        "pool": (dataset or "").partition("/")[0] or None,
        "image": image_of(origin) or None,
        "quota": int(quota) if quota.isdigit() and quota != "0" else None,
        ROOT_DATASET: dataset,
        ROOT_STATE: "missing" if dataset and rows is None else mounted if dataset else "",
    }
    fields[ROOT_IS_OURS] = rows is not None and _bears(rows, owner, keys)
    if dataset and rows is None and is_made:
        remedy = "bring it back (zfs receive), or remove its manifest, apply, and put it back"
        return f"its root, the dataset {dataset}, is not there", remedy
    if rows is not None and not is_made and not fields[ROOT_IS_OURS]:
        remedy = f"give that dataset another name (zfs rename {dataset} ...), or the zone"
        return f"its root can't be made: there is a dataset {dataset} that is not ours", remedy
    return None


def _bears(rows: Rows, owner: str, keys: Collection[str]) -> bool:
    """Whether a dataset was marked here as the root of the zone; what only came with a stream is a copy."""
    said = {prop: rows.values[prop] for prop in (zfs_marks.OWNER, zfs_marks.KEY) if rows.sources[prop] == "local"}
    return said.get(zfs_marks.OWNER) == owner and said.get(zfs_marks.KEY) in keys


def _was_to_run(found: Container, listing: Listing, fields: Fields, mark: Mark | None) -> bool:
    """Whether a change of ours stopped it and did not start it again, or the host did; or took its root from under it."""
    if fields[STATE] == DEAD:
        return mark is not None and (fields["autoboot"] is True or found.config.get(RESUME) == RUNNING)
    if fields[STATE] != STOPPED:
        return False
    if found.config.get(RESUME) == RUNNING:
        return True
    boot = boot_of(found.started)
    return mark is not None and fields["autoboot"] is True and boot not in ("", listing.boot)


def _references(fields: Fields) -> Iterable[ObjectName]:
    """What must stay while the zone does."""
    found = set()
    if isinstance(image := fields.get("image"), str):
        found.add(ObjectName("Image", image))
    for head, field_name, kinds in (("nics", "over", ("Etherstub", "Bridge")), ("nics", "vnic", ("VNIC",))):
        names = fields.get(head)
        for name in names if isinstance(names, tuple) else ():
            if isinstance(value := fields.get(f"{head}.{name}.{field_name}"), str):
                found.update(ObjectName(kind, value.partition(" ")[0]) for kind in kinds)
    datasets = fields.get("datasets")
    found.update(ObjectName("Dataset", name) for name in (datasets if isinstance(datasets, tuple) else ()))
    return sorted(found)


def _removal(fields: Fields, around: Surroundings, *, is_being_made: bool) -> Removal:
    """What goes with the zone: its root. One that was never made is none, and somebody else's of its name stays."""
    saved = {
        "autoboot": "true" if fields["autoboot"] is True else "false",
        STATE: RUNNING if fields[STATE] in (RUNNING, DEAD) else STOPPED,
    }
    dataset = str(fields.get(ROOT_DATASET) or "")
    rows = (around.roots or {}).get(dataset)
    if around.roots is not None and not dataset:
        obstacle = f"its root {fields['zonePath']} is no dataset of its own, and nobody may remove it but by hand"
        return Removal(0, obstacles=(obstacle,), saved=saved)
    is_ours = fields.get(ROOT_IS_OURS) is True
    if rows is None or (is_being_made and not is_ours):
        return Removal(0, saved=saved)
    snapshots = (around.snapshots or {}).get(dataset, ())
    obstacles = [f"snapshot {snapshot} is held (see `zfs holds {snapshot}`)" for snapshot, is_held in snapshots if is_held]
    obstacles += [f"{clone} is a clone of {dataset}" for clone in around.clones.get(dataset, ())]
    obstacles += [f"{other} lies in its root" for other in around.roots or () if other.startswith(f"{dataset}/")]
    if not is_ours:
        obstacles.append(
            f"its root {dataset} does not bear our mark, so it may be somebody else's: give it another name, "
            f"or set {zfs_marks.OWNER} and {zfs_marks.KEY} on it as on other roots"
        )
    names = tuple(snapshot for snapshot, _ in snapshots)
    return Removal(int(rows.values["used"]), names, tuple(obstacles), saved=saved)


def _worth_stating(fields: Fields, name: str) -> Iterator[str]:
    """The names of those fields that a manifest for it would state."""
    for field_name, value in fields.items():
        if value is None or value is False or value == () or field_name in _NEVER or field_name.endswith(f".{DIFFERS}"):
            continue
        if (field_name, value) in (("hostname", name), ("cpuShares", 100)):
            continue
        yield field_name
