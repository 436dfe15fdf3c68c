"""`vmadm update`: one property or many, items added, changed and removed (smartos-vmadm.md 6)."""

import json
from collections.abc import Callable, Mapping, Sequence

from reconciler.emulation.guests import disks as disk_rules
from reconciler.emulation.guests import lifecycle, memory, nics, settings
from reconciler.emulation.guests.commands.reading_payload import payload_from
from reconciler.emulation.guests.conflicts import refuse_conflicts
from reconciler.emulation.guests.datasets import MIB, set_indestructible
from reconciler.emulation.guests.events import record
from reconciler.emulation.guests.failures import Failed, Misused
from reconciler.emulation.guests.finding import guest_named, uuid_argument
from reconciler.emulation.guests.payload import accepted, parsed, refuse_non_arrays
from reconciler.emulation.guests.properties import PROPERTIES, Acts, default_privileges
from reconciler.emulation.guests.reading import Datasets
from reconciler.emulation.guests.routes import check_routes
from reconciler.emulation.guests.rows import Guest, Json, disks_of, save
from reconciler.emulation.guests.stored import dataset_names, full_object
from reconciler.emulation.guests.times import stamp
from reconciler.emulation.session import Session

_MAPS = ("customer_metadata", "internal_metadata", "tags", "routes")
_KEYS = {"filesystems": "target", "pci_devices": "path"}


def update(session: Session, arguments: Sequence[str]) -> int:
    """`vmadm update UUID [-f FILE]`, `vmadm update UUID NAME=VALUE…`."""
    uuid, rest = uuid_argument(arguments, "update")
    payload = _assignments(rest) if rest and not rest[0].startswith("-") else payload_from(session, rest)
    guest = guest_named(session, uuid)
    brand = guest.stored["brand"]
    refuse_non_arrays(payload)
    wanted = accepted(session.state, brand, "update", payload)
    planned = _Update(session, guest, wanted)
    before = full_object(session.state, guest)
    try:
        for apply in planned.parts:
            session.begin_part()
            apply()
            guest.stored["last_modified"] = stamp(session.now)
            save(session.state, guest)
        if planned.parts:
            lifecycle.apply_live(session, guest, planned.changed)
    finally:
        record(session, before, full_object(session.state, guest))
    session.complain(f"Successfully updated VM {uuid}")
    return 0


def _assignments(words: Sequence[str]) -> Json:
    payload: Json = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator:
            raise Misused(f"Invalid property: {word}")
        payload[name] = value
    return parsed(json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogateescape"))


class _Update:
    """An update that can be done as far as anybody can tell before; raises Failed where not.

    `parts` are done in order; each leaves the guest as one that can be shown.
    """

    def __init__(self, session: Session, guest: Guest, wanted: Json) -> None:
        self._session = session
        self._guest = guest
        self._wanted = wanted
        self._brand = guest.stored["brand"]
        self.changed = frozenset(PROPERTIES) & {name.removeprefix("set_").removeprefix("remove_") for name in wanted}
        settings.check(wanted)
        self.parts: list[Callable[[], None]] = []
        self._plan_disks()
        self._plan_datasets()
        self._plan_maps()
        self._plan_configuration()

    def _plan_disks(self) -> None:
        removed = set(self._wanted.get("remove_disks", ()))
        added, changes = self._wanted.get("add_disks", []), self._wanted.get("update_disks", [])
        if not (removed or added or changes or "flexible_disk_size" in self._wanted):
            return
        self._require_stopped(added, removed, changes)
        stored, session = self._guest.stored, self._session
        left = [disk for disk in disks_of(self._guest) if disk["path"] not in removed]
        by_path = {disk["path"]: disk for disk in left}
        sizes = Datasets(session.state, dataset_names(self._guest))
        for item in changes:
            disk = by_path.get(item.get("path"))
            if disk is None:
                raise Failed(f"There is no existing disk with path: {item.get('path')}")
            if "model" in item or "media" in item:
                disk_rules.check_values(self._brand, {"model": disk["model"], **item}, stored)
            size = sizes.size(disk["zfs_filesystem"], "volsize") // MIB if "zfs_filesystem" in disk else 0
            disk_rules.check_update(disk, size, item)
        planned = disk_rules.planned(session.state, self._brand, self._guest.uuid, {**stored, "disks": left}, added)
        self._check_space(left, planned)
        for path in self._wanted.get("remove_disks", ()):
            self.parts += [self._removing(disk) for disk in disks_of(self._guest) if disk["path"] == path]
        self.parts += [self._changing(by_path[item["path"]]["path"], item) for item in changes]
        self.parts += [self._adding(disk, item) for disk, item in planned]
        if "flexible_disk_size" in self._wanted:
            self.parts.append(self._set_flexible_size)

    def _require_stopped(self, added: Sequence[Json], removed: set[str], changes: Sequence[Json]) -> None:
        if self._guest.state == lifecycle.STOPPED:
            return
        now = f"{self._guest.state} ({self._guest.zone_state})"
        if added or removed:
            raise Failed(f'updates to disks are only allowed when state is "stopped", currently: {now}')
        if any(not item.keys() <= disk_rules.ONLINE for item in changes):
            raise Failed(f'at least one specified update to disks is only allowed when state is "stopped", currently: {now}')

    def _check_space(self, left: Sequence[Json], planned: Sequence[tuple[Json, Json]]) -> None:
        sizes = {item["path"]: item["size"] for item in self._wanted.get("update_disks", []) if item.get("size")}
        disks = [{**disk, "size": sizes.get(disk["path"], disk.get("size", 0))} for disk in left]
        flexible = self._wanted.get("flexible_disk_size", self._guest.stored.get("flexible_disk_size"))
        settings.check_flexible_size({"flexible_disk_size": flexible, "disks": [*disks, *(disk for disk, _ in planned)]})

    def _removing(self, gone: Json) -> Callable[[], None]:
        def remove() -> None:
            disk_rules.remove(self._session, gone)
            self._guest.stored["disks"] = [disk for disk in disks_of(self._guest) if disk["path"] != gone["path"]]

        return remove

    def _changing(self, path: str, item: Json) -> Callable[[], None]:
        def change() -> None:
            self._guest.stored["disks"] = [
                disk_rules.change(self._session, disk, item) if disk["path"] == path else disk for disk in disks_of(self._guest)
            ]

        return change

    def _adding(self, disk: Json, item: Json) -> Callable[[], None]:
        def add() -> None:
            disk_rules.make(self._session, disk, item)
            self._guest.stored["disks"] = [*disks_of(self._guest), disk]

        return add

    def _set_flexible_size(self) -> None:
        self._store("flexible_disk_size", self._wanted["flexible_disk_size"])
        settings.settle_flexible_size(self._session, self._guest)

    def _plan_datasets(self) -> None:
        kept = {name for name, one in PROPERTIES.items() if Acts.DATASET in {one.os, one.hvm}}
        wanted = {name: value for name, value in self._wanted.items() if name in kept}
        if wanted:
            self.parts.append(lambda: settings.apply_to_datasets(self._session, self._guest, wanted))
        flags = settings.indestructible_datasets(self._guest)
        if flags.keys() & self._wanted.keys():
            self.parts.append(lambda: self._set_flags(flags))

    def _set_flags(self, flags: Mapping[str, str]) -> None:
        for name, dataset in flags.items():
            if name in self._wanted:
                set_indestructible(self._session, dataset, wanted=bool(self._wanted[name]))
                self._store(name, self._wanted[name])

    def _plan_maps(self) -> None:
        for name in _MAPS[:-1]:
            if {f"set_{name}", f"remove_{name}"} & self._wanted.keys():
                self.parts.append(self._storing_map(name))

    def _storing_map(self, name: str) -> Callable[[], None]:
        def store() -> None:
            self._guest.stored[name] = self._map_after(name)

        return store

    def _map_after(self, name: str) -> Json:
        removed = {str(one) for one in self._wanted.get(f"remove_{name}", ())}
        left = {key: value for key, value in self._guest.stored[name].items() if key not in removed}
        return left | dict(self._wanted.get(f"set_{name}", {}))

    def _plan_configuration(self) -> None:
        """Scalars, nics, filesystems, devices and routes: one change of the zone's configuration."""
        stored = dict(self._guest.stored)
        changed = self._scalars() | self._items() | self._nics()
        if {"set_routes", "remove_routes"} & self._wanted.keys():
            changed["routes"] = self._map_after("routes")
        if "routes" in changed:
            check_routes(changed["routes"], changed.get("nics", stored["nics"]))
        if "nics" in changed or changed.get("vnc_port") is not None:
            refuse_conflicts(
                self._session.state, self._guest.uuid, changed.get("nics", stored["nics"]), changed.get("vnc_port")
            )
        if changed:
            self.parts.append(lambda: self._store_all(changed))

    def _store_all(self, changed: Json) -> None:
        for name, value in changed.items():
            self._store(name, value)

    def _store(self, name: str, value: object) -> None:
        unless = PROPERTIES[name].kept_unless
        if value is None or (unless is not None and value is unless):
            self._guest.stored.pop(name, None)
        else:
            self._guest.stored[name] = value

    def _scalars(self) -> Json:
        stored = self._guest.stored
        changed: Json = {}
        for name, value in self._wanted.items():
            one = PROPERTIES[name]
            by_itself = name in settings.MEMORY or name == "flexible_disk_size" or name.startswith("indestructible_")
            if by_itself or "c" not in one.actions or Acts.DATASET in {one.os, one.hvm}:
                continue
            changed[name] = one.default if value is None else value
        if changed.get("cpu_cap") == 0:
            changed["cpu_cap"] = None
        if "cpu_shares" in changed:
            changed["cpu_shares"] = min(changed["cpu_shares"], settings.MOST_CPU_SHARES)
        if "hostname" in changed and changed["hostname"] is None:
            changed["hostname"] = stored["zonename"]
        if "limit_priv" in changed and not changed["limit_priv"]:
            changed["limit_priv"] = default_privileges(self._brand)
        sizes = {name: self._wanted[name] for name in settings.MEMORY if name in self._wanted}
        if sizes:
            changed |= memory.changed_values(self._brand, sizes, stored)
            self.changed |= frozenset(settings.MEMORY)
        return changed

    def _items(self) -> Json:
        changed: Json = {}
        for name, key in _KEYS.items():
            added, changes = self._wanted.get(f"add_{name}", []), self._wanted.get(f"update_{name}", [])
            removed = self._wanted.get(f"remove_{name}", [])
            if not (added or changes or removed):
                continue
            if name == "pci_devices" and self._guest.state != lifecycle.STOPPED:
                now = f"{self._guest.state} ({self._guest.zone_state})"
                raise Failed(f'updates to pci_devices are only allowed when state is "stopped", currently: {now}')
            left = [dict(item) for item in self._guest.stored.get(name, []) if item[key] not in removed]
            for item in changes:
                found = next((one for one in left if one[key] == item.get(key)), None)
                if found is None:
                    raise Failed(f"There is no existing item of {name} with {key}: {item.get(key)}")
                found.update(item)
            changed[name] = [*left, *added] or None
        return changed

    def _nics(self) -> Json:
        added, changes = self._wanted.get("add_nics", []), self._wanted.get("update_nics", [])
        removed = {nics.padded_mac(str(mac)) for mac in self._wanted.get("remove_nics", ())}
        if not (added or changes or removed):
            return {}
        state, stored = self._session.state, self._guest.stored
        left = [nic for nic in stored["nics"] if nic["mac"] not in removed]
        primary = []
        for item in changes:
            if not item.get("mac"):
                raise Failed("NIC object needs a .mac property to update")
            mac = nics.padded_mac(item["mac"])
            place = next((place for place, nic in enumerate(left) if nic["mac"] == mac), None)
            if place is None:
                raise Failed("There is no existing NIC with that mac address")
            left[place] = nics.updated(state, self._brand, left[place], item)
            primary += [mac] if item.get("primary") else []
        made = nics.added(state, self._brand, {**stored, "nics": left}, added)
        primary += [nic["mac"] for nic in made if nic.get("primary")]
        self.changed |= {"nics"}
        return {"nics": nics.in_order(self._brand, nics.with_primary([*left, *made], primary))}
