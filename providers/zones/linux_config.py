"""The config of a zone on Linux and our fields, both ways.

A config of ours has what every one has (`_frame`), what the stated fields ask for, and whatever somebody added by hand. One
that we took over keeps its own lines: only what a change asks for is edited.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping

from providers.tools import lxc_native
from providers.tools.linux_ports import Membership
from providers.tools.lxc_config import OURS, Config
from providers.tools.lxc_limits import LIMITS
from providers.zones.linux_host import LxcHost
from providers.zones.linux_nics import read_nics, with_nics
from providers.zones.linux_notes import BOOT, DATASETS, MOUNTS, NICS, ROOT, UUID, list_of, object_of, text_of
from reconciler.model.value import Fields, Value
from reconciler.provider.field import Acts
from reconciler.provider.guest import route_parts

MAPS = ("metadata", "internalMetadata", "tags")
"""Maps of texts, each in a comment of its own."""

IN_COMMENTS = ("dnsDomain", "resolvers", "routes", "firewallEnabled")
"""Fields without a key of LXC, each in a comment of its own."""

_RESOLVING = {"dnsDomain": "search|domain", "resolvers": "nameserver"}
"""Fields that are lines of /etc/resolv.conf, by the first words of those. None is noted as well: then they go."""

AT_BOOT = ("hostname", "dnsDomain", "resolvers", "routes", "datasets")
"""Fields beside the items of lists that act at the zone's next boot, as do those of native.lxc that say so."""

LOG = "lxc.log.file"
COMMON = "/usr/share/lxc/config/common.conf"
_ROOT_PATH, _HOSTNAME, _AUTOBOOT, _GROUP = "lxc.rootfs.path", "lxc.uts.name", "lxc.start.auto", "lxc.group"
_MOUNT, _FSTAB, _PRE_START, _START_HOST = "lxc.mount.entry", "lxc.mount.fstab", "lxc.hook.pre-start", "lxc.hook.start-host"
_OURS_IN_HOOK = "# reconciler.boot = "


def root_of(config: Config) -> str:
    """Where the root is, as a path of the host."""
    path = config.get(_ROOT_PATH) or ""
    head, colon, rest = path.partition(":")
    return rest if colon and "/" not in head else path


def read_fields(config: Config, host: LxcHost) -> dict[str, Value]:
    """All that a config says in fields of ours; nics and mounts as `nics.net0.over`. What it does not say is None."""
    fields: dict[str, Value] = {
        "brand": "lxc",
        "uuid": config.get(UUID),
        "zonePath": root_of(config) or None,
        "autoboot": config.get(_AUTOBOOT) == "1",
        "hostname": config.get(_HOSTNAME),
        **host.cgroups.usual(),
        **{name: value for name, value in limits_in(config, host).items() if value is not None},
    }
    for name in IN_COMMENTS:
        fields[name] = _read_comment(config, name)
    for head in MAPS:
        entries = object_of(config.get(f"{OURS}{head}"))
        fields.update({f"{head}.{key}": value for key, value in entries.items() if isinstance(value, str)})
    fields.update(lxc_native.read(config))
    nics = read_nics(config)
    fields["nics"] = tuple(sorted(nics))
    for name, nic in nics.items():
        fields.update({f"nics.{name}.{inner}": value for inner, value in _whole_nic(nic.fields).items()})
    mounts = dict(read_mounts(config))
    fields["mounts"] = tuple(sorted(mounts))
    for target, mount in mounts.items():
        fields.update({f"mounts.{target}.{inner}": value for inner, value in mount.items()})
    fields["datasets"] = tuple(sorted(list_of(config.get(DATASETS))))
    return fields


_USUAL_OF_NIC: Mapping[str, Value] = {
    "over": None, "vnic": None, "mac": None, "vlan": None, "mtu": None, "ips": (), "gateways": None, "primary": False,
    "maxBandwidth": None, "allow.macSpoofing": False, "allow.ipSpoofing": False, "allow.dhcpSpoofing": False,
    "allow.restrictedTraffic": False, "allow.ips": (),
}  # fmt: skip


def _whole_nic(fields: Fields) -> Fields:
    return {**_USUAL_OF_NIC, **fields}


def _read_comment(config: Config, name: str) -> Value:
    value = object_of(config.get(f"{OURS}{name}")).get("is")
    if isinstance(value, list):
        return tuple(map(str, value))
    if name == "firewallEnabled":
        return value is True
    return value if isinstance(value, str) else None


def limits_in(config: Config, host: LxcHost) -> dict[str, Value]:
    """The limits that the config names, None for those that it does not."""
    head = host.cgroups.prefix
    return host.cgroups.read({line.key.removeprefix(head): line.value for line in config.lines if line.key.startswith(head)})


def read_mounts(config: Config) -> Iterator[tuple[str, Fields]]:
    """Directories of the host that it sees, by where it sees them."""
    for value in config.all(_MOUNT):
        parts = [part.replace("\\040", " ") for part in value.split()]
        options = parts[3].split(",") if len(parts) > 3 else []
        if len(parts) > 3 and "bind" in options and parts[0].startswith("/") and "optional" not in options:
            yield f"/{parts[1].lstrip('/')}", {"source": parts[0], "readOnly": "ro" in options}


def membership_of(config: Config, guest: str) -> Membership:
    """What firewall rules know the zone by."""
    tags = object_of(config.get(f"{OURS}tags"))
    known = tuple(sorted((key, value) for key, value in tags.items() if isinstance(value, str)))
    return Membership(guest, known, _read_comment(config, "firewallEnabled") is True)


def own_items(config: Config) -> frozenset[str]:
    """The items of its lists that are ours."""
    nics, mounts = object_of(config.get(NICS)), list_of(config.get(MOUNTS))
    datasets = list_of(config.get(DATASETS))
    return frozenset(
        (*(f"nics.{name}" for name in nics), *(f"mounts.{name}" for name in mounts), *(f"datasets.{name}" for name in datasets))
    )


def with_field(config: Config, name: str, value: Value, limits: Fields, host: LxcHost) -> Config:
    """The config with one field at that value; `limits` are all of them as they shall be. Lists have functions of their own."""
    head, _, key = name.partition(".")
    if name in LIMITS:
        return _with_limits(config, limits, host)
    if name.startswith(lxc_native.PREFIX):
        return lxc_native.with_native(config, name, value)
    if head in MAPS and key:
        entries = {**object_of(config.get(f"{OURS}{head}")), key: value}
        kept = {entry: text for entry, text in entries.items() if text is not None}
        return config.with_entry(f"{OURS}{head}", text_of(kept) if kept else None)
    if name in IN_COMMENTS:
        is_noted = value is not None or name in _RESOLVING
        return config.with_entry(f"{OURS}{name}", text_of({"is": value}) if is_noted else None)
    match name:
        case "autoboot":
            return config.with_entry(_AUTOBOOT, "1" if value is True else "0")
        case "hostname":
            return config.with_entry(_HOSTNAME, str(value))
        case "uuid":
            return config.with_entry(UUID, str(value))
        case _:
            return config


def _with_limits(config: Config, limits: Fields, host: LxcHost) -> Config:
    """All limits anew, in the order in which LXC must set them."""
    usual = host.cgroups.usual()
    told = host.cgroups.told({name: limits[name] for name in LIMITS if limits.get(name) != usual[name]})
    heads = {f"{host.cgroups.prefix}{file}" for file, _ in (*told, *host.cgroups.told(dict.fromkeys(LIMITS, 100)))}
    wanted = tuple((f"{host.cgroups.prefix}{file}", value) for file, value in told)
    if tuple((line.key, line.value) for line in config.lines if line.key in heads) == wanted:
        return config
    kept = Config(tuple(line for line in config.lines if line.key not in heads))
    for key, value in wanted:
        kept = kept.with_entry(key, value)
    return kept


def with_mounts(config: Config, wanted: Mapping[str, Fields], own: Iterable[str]) -> Config:
    """The config with these mounts among those that it has; `own` are all that are ours then."""
    before = set(list_of(config.get(MOUNTS)))
    lines = []
    for value in config.all(_MOUNT):
        parts = value.split()
        target = f"/{parts[1].lstrip('/')}".replace("\\040", " ") if len(parts) > 1 else ""
        if target not in wanted and (target not in before or target in own):
            lines.append(value)
    for target, mount in sorted(wanted.items()):
        options = f"bind{',ro' if mount.get('readOnly') is True else ''},create=dir"
        source, place = (path.replace(" ", "\\040") for path in (str(mount["source"]), target.lstrip("/")))
        lines.append(f"{source} {place} none {options} 0 0")
    ours = sorted(own)
    return config.with_entries(_MOUNT, lines).with_entry(MOUNTS, text_of(ours) if ours else None)


def with_datasets(config: Config, names: Iterable[str]) -> Config:
    found = sorted(names)
    return config.with_entry(DATASETS, text_of(found) if found else None)


def frame(config: Config, host: LxcHost, name: str, group: str, dataset: str, root: str) -> Config:
    """What every config of ours has. `group` names its control group, `dataset` is the one made for its root at `root`."""
    folder = host.folder(name)
    config = config.with_entry(ROOT, dataset)
    if not any(line.key == "lxc.include" for line in config.lines):
        config = config.with_entry("lxc.include", COMMON)
    config = config.with_entry(_ROOT_PATH, f"dir:{root}")
    if config.get("lxc.apparmor.profile") is None:
        config = config.with_entry("lxc.apparmor.profile", "generated" if host.confines else "unconfined")
    config = config.with_entry("lxc.cgroup.dir.container", f"lxc.payload.{group}")
    config = config.with_entry("lxc.cgroup.dir.monitor", f"lxc.monitor.{group}")
    config = config.with_entry(LOG, f"{folder}/log")
    if config.get("lxc.log.level") is None:
        config = config.with_entry("lxc.log.level", "ERROR")
    return config.with_entry("lxc.console.logfile", f"{folder}/console.log")


def with_hooks(config: Config, host: LxcHost, name: str) -> Config:
    """The config with hooks that keep what it is started with, and bring about what LXC has no keys for."""
    folder = host.folder(name)
    datasets, routes = list_of(config.get(DATASETS)), _read_comment(config, "routes")
    hooks = [hook for hook in config.all(_PRE_START) if _OURS_IN_HOOK not in hook]
    config = config.with_entry("lxc.hook.version", "1")
    config = config.with_entries(_PRE_START, (*hooks, _pre_start(config, folder, datasets)))
    config = config.with_entry(_FSTAB, f"{folder}/fstab" if datasets else _foreign(config.get(_FSTAB), f"{folder}/fstab"))
    hooks = [hook for hook in config.all(_START_HOST) if not hook.startswith(_ENTER)]
    if isinstance(routes, tuple) and routes:
        hooks.append(_ENTER + shlex.quote(" && ".join(map(_add_route, routes))))
    return config.with_entries(_START_HOST, hooks)


def _foreign(value: str | None, ours: str) -> str | None:
    return None if value == ours else value


_ENTER = "nsenter -t $LXC_PID -n sh -c "


def _add_route(route: str) -> str:
    to, via = route_parts(route)
    return f"ip {'-6 ' if ':' in via else ''}route replace {to} via {via}"


def _pre_start(config: Config, folder: str, datasets: tuple[str, ...]) -> str:
    """Run by the host before each start. It writes into the root only where nothing there leads out of it: the zone is not
    running then, and so can't change that under our hands."""
    keep = (
        f"cd {shlex.quote(folder)} && cp config started && read -r b </proc/sys/kernel/random/boot_id"
        f' && echo "{_OURS_IN_HOOK}$b" >>started || exit'
    )
    parts = [keep]
    if files := tuple(_files(config)):
        parts.append(f'e={shlex.quote(root_of(config) + "/etc")}; if [ -d "$e" ] && [ ! -L "$e" ]; then {" ".join(files)} fi')
    if datasets:
        parts.append(
            f"for d in {' '.join(map(shlex.quote, datasets))}; do m=$(zfs get -H -o value mountpoint $d);"
            " if [ $(zfs get -H -o value mounted $d) != yes ]; then"
            ' echo " ERROR - dataset $d is mounted nowhere" >>log; exit 1; fi;'
            " echo $m ${m#/} none bind,create=dir 0 0; done >fstab"
        )
    # LXC runs a hook by `exec`: its first word must be a program.
    return f"sh -c {shlex.quote('; '.join(parts))}"


def _files(config: Config) -> Iterator[str]:
    """Commands that write files below `$e`, each ending in `;`."""
    if config.get(ROOT) is not None and (hostname := config.get(_HOSTNAME)):
        # What is no plain file leads elsewhere, or keeps us waiting.
        plain = '{ [ ! -L "$e/hostname" ] && { [ ! -e "$e/hostname" ] || [ -f "$e/hostname" ]; }; }'
        yield f'{plain} || rm -f "$e/hostname"; echo {shlex.quote(hostname)} >"$e/hostname";'
    if stated := [name for name in _RESOLVING if config.get(f"{OURS}{name}") is not None]:
        domain, resolvers = _read_comment(config, "dnsDomain"), _read_comment(config, "resolvers")
        lines = [f"echo search {shlex.quote(str(domain))};"] if domain is not None else []
        lines += [f"echo nameserver {resolver};" for resolver in (resolvers if isinstance(resolvers, tuple) else ())]
        # What else stands there stays.
        first = "|".join(_RESOLVING[name] for name in stated)
        lines.append(f'[ -L "$r" ] || [ ! -f "$r" ] || grep -vE "^({first})[[:blank:]]" "$r";')
        yield f'r="$e/resolv.conf"; n="$e/resolv.new"; rm -f "$n"; {{ {" ".join(lines)} }} >"$n"; mv -fT "$n" "$r";'


def waiting(config: Config, started: Config | None, host: LxcHost) -> tuple[str, ...]:
    """The fields in which what runs differs from its config, and which wait for its next boot."""
    if started is None:
        return ()
    now, then = read_fields(config, host), read_fields(started, host)
    found = set()
    for name in now.keys() | then.keys():
        if now.get(name) != then.get(name) and (field := _at_boot(name, now, then)) is not None:
            found.add(field)
    return tuple(sorted(found))


def _at_boot(name: str, now: Fields, then: Fields) -> str | None:
    """The field to tell, where it acts at the next boot; an item that comes or goes is told whole."""
    head, _, rest = name.partition(".")
    if name in AT_BOOT:
        return name
    if name.startswith(lxc_native.PREFIX):
        known = lxc_native.NATIVE[name.removeprefix(lxc_native.PREFIX)]
        return name if known.acts is not Acts.LIVE else None
    if head not in ("nics", "mounts") or not rest:
        return None
    item, _, inner = rest.partition(".") if head == "nics" else rest.rpartition(".")
    is_now, was_then = (isinstance(names := fields.get(head), tuple) and item in names for fields in (now, then))
    if not (is_now and was_then):
        # A port goes at once, and the nic with it.
        return f"{head}.{item}" if is_now or head == "mounts" else None
    return name if head == "mounts" or inner in ("vnic", "mac", "mtu", "ips", "gateways", "primary") else None


def boot_of(started: Config | None) -> str:
    """The boot of the host in which it was started last; empty where nobody knows."""
    return (started.get(BOOT) or "") if started is not None else ""


def group_of(config: Config, name: str) -> str:
    """What its control group is called after `lxc.payload.`."""
    place = config.get("lxc.cgroup.dir.container")
    return place.rpartition("/")[2].removeprefix("lxc.payload.") if place is not None else name


def with_group(config: Config) -> Config:
    """A zone with ports is not started by LXC's own script at boot: its ports are not there yet."""
    return config.with_entry(_GROUP, "reconciler" if read_nics(config) and object_of(config.get(NICS)) else None)


__all__ = ["with_nics"]
