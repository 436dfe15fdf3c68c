"""What a payload may hold: read as JSON and checked as `vmadm validate` does (smartos-vmadm.md 2)."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reconciler.emulation.guests.brands import BRANDS
from reconciler.emulation.guests.failures import Failed
from reconciler.emulation.guests.forms import Form, converted, is_good, is_unset
from reconciler.emulation.guests.images import check_images
from reconciler.emulation.guests.item_properties import ITEMS, ItemProperty
from reconciler.emulation.guests.properties import OLD_NAMES, PROPERTIES
from reconciler.emulation.guests.rows import Json
from reconciler.emulation.state import State
from reconciler.emulation.zfs.pools import pool_named

MOST_VCPUS = 32
# A path to another one is taken only by an update.
_BOOTROMS = ("bios", "uefi")
_ARRAYS = tuple(f"{verb}_{name}" for verb in ("add", "update", "remove") for name in ITEMS)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class Complaints:
    """What is wrong with a payload, in the words of `vmadm validate`."""

    bad_values: list[str] = field(default_factory=list)
    bad_properties: list[str] = field(default_factory=list)
    missing_properties: list[str] = field(default_factory=list)

    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.bad_values or self.bad_properties or self.missing_properties)

    def shown(self) -> Json:
        """The object that `validate` prints."""
        return {
            "bad_values": self.bad_values,
            "bad_properties": self.bad_properties,
            "missing_properties": self.missing_properties,
        }

    def bad_property(self, name: str) -> None:
        """Notes once a property that is not allowed here."""
        if name not in self.bad_properties:
            self.bad_properties.append(name)


def parsed(raw: bytes) -> Json:
    """The object that a payload is, old names of properties replaced; raises Failed for anything else."""
    try:
        # What is no UTF-8 becomes the character for that, as in the real program.
        found = json.loads(raw.decode("utf-8", "replace"), parse_constant=_no_number)
        text = _LONE_SURROGATE.sub("\ufffd", json.dumps(found, ensure_ascii=False))
        payload = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Failed(f"Invalid JSON payload: {error}") from error
    if not isinstance(payload, dict):
        raise Failed("Invalid JSON payload: not an object")
    for old, name in OLD_NAMES.items():
        if old in payload:
            value = payload.pop(old)
            payload.setdefault(name, value)
    return payload


def _no_number(text: str) -> object:
    raise ValueError(f"Unexpected token {text[:1]}")


def refuse_non_arrays(payload: Mapping[str, object]) -> None:
    """Raises Failed for an update whose lists of items are no arrays."""
    for name in _ARRAYS:
        if name in payload and not isinstance(payload[name], list):
            raise Failed(f"{name} must be an array.")


def complaints(state: State, brand: str, action: str, payload: Json) -> Complaints:
    """All that is wrong with a payload for `create` or `update`; fills in what its images say."""
    found = Complaints()
    for name, value in payload.items():
        one = PROPERTIES.get(name)
        if one is None or brand not in one.brands or action[0] not in one.actions:
            found.bad_property(name)
        elif not _is_good(state, one.form, value, one.minimum, _maximum(brand, name)):
            found.bad_values.append(name)
        elif one.form is Form.ITEMS:
            _check_items(state, found, brand, name, payload)
    if action == "create":
        if brand == "bhyve" and payload.get("bootrom") not in (*_BOOTROMS, "", None) and "bootrom" not in found.bad_values:
            found.bad_values.append("bootrom")
        for name in _required(brand):
            if is_unset(Form.STRING, payload.get(name)):
                found.missing_properties.append(name)
    found.bad_values += check_images(state, brand, payload)
    return found


def _maximum(brand: str, name: str) -> int | None:
    return MOST_VCPUS if (brand, name) == ("bhyve", "vcpus") else PROPERTIES[name].maximum


def _required(brand: str) -> tuple[str, ...]:
    if BRANDS[brand].hvm:
        return ("brand",)
    return ("brand", "image_uuid", "kernel_version") if brand == "lx" else ("brand", "image_uuid")


def _is_good(state: State, form: Form, value: object, minimum: int, maximum: int | None) -> bool:
    if form is Form.POOL:
        return isinstance(value, str) and pool_named(state, value) is not None
    return is_good(form, value, minimum, maximum)


def _check_items(state: State, found: Complaints, brand: str, key: str, payload: Json) -> None:
    making = not key.startswith("update_")
    family = key.removeprefix("add_").removeprefix("update_")
    for place, item in enumerate(payload[key]):
        if not isinstance(item, dict):
            found.bad_values.append(f"{key}.{place}")
            continue
        for name, value in item.items():
            one = ITEMS[family].get(name)
            if one is None or not _may_have(one, brand, making=making):
                found.bad_property(f"{key}.*.{name}")
            elif not _is_good(state, one.form, value, one.minimum, one.maximum) or (not making and value == "auto"):
                found.bad_values.append(f"{key}.{place}.{name}")
        if making:
            _EXTRA.get(family, _nothing_more)(found, f"{key}.{place}", item, payload)


def _may_have(one: ItemProperty, brand: str, *, making: bool) -> bool:
    return brand in one.brands and (("a" in one.actions) if making else "u" in one.actions and brand in one.updatable)


def _nothing_more(found: Complaints, place: str, item: Json, payload: Json) -> None:
    del found, place, item, payload


def _check_new_nic(found: Complaints, place: str, item: Json, payload: Json) -> None:
    del payload
    if is_unset(Form.STRING, item.get("nic_tag")):
        found.missing_properties.append(f"{place}.nic_tag")


def _check_new_disk(found: Complaints, place: str, item: Json, payload: Json) -> None:
    if item.get("nocreate") in (True, "true") or item.get("media") == "cdrom":
        if "path" not in item:
            found.missing_properties.append(f"{place}.path")
        return
    if "image_uuid" in item:
        if "size" in item and "flexible_disk_size" not in payload:
            found.bad_property(f"{place}.size")
        if "block_size" in item:
            found.bad_property(f"{place}.block_size")
        return
    if is_unset(Form.INTEGER, item.get("size")):
        found.missing_properties.append(f"{place}.size")
    for name in ("image_name", "image_size"):
        if name in item:
            found.bad_property(f"{place}.{name}")
    if "path" in item:
        found.bad_property(f"{place}.path")


def _check_new_filesystem(found: Complaints, place: str, item: Json, payload: Json) -> None:
    del payload
    for name in ("source", "target", "type"):
        if is_unset(Form.STRING, item.get(name)):
            found.missing_properties.append(f"{place}.{name}")


def _check_new_device(found: Complaints, place: str, item: Json, payload: Json) -> None:
    del payload
    if not str(item.get("path", "")).startswith("/devices"):
        (found.bad_values if "path" in item else found.missing_properties).append(f"{place}.path")


_EXTRA: Mapping[str, Callable[[Complaints, str, Json, Json], None]] = {
    "nics": _check_new_nic,
    "disks": _check_new_disk,
    "filesystems": _check_new_filesystem,
    "pci_devices": _check_new_device,
}


def accepted(state: State, brand: str, action: str, payload: Json) -> Json:
    """The payload as create and update go on with it: good values converted, what is not allowed silently left out.

    What is to be unset is None. Raises Failed for bad values and for missing properties.
    """
    found = complaints(state, brand, action, payload)
    if found.bad_values:
        raise Failed(f"Invalid value(s) for: {','.join(found.bad_values)}")
    if found.missing_properties:
        raise Failed(f"Missing required properties: {','.join(found.missing_properties)}")
    kept: Json = {}
    for name, value in payload.items():
        if name in found.bad_properties:
            continue
        form = PROPERTIES[name].form
        kept[name] = _accepted_items(found, name, value) if form is Form.ITEMS else converted(form, value)
    return kept


def _accepted_items(found: Complaints, key: str, items: list[Json]) -> list[Json]:
    family = ITEMS[key.removeprefix("add_").removeprefix("update_")]
    kept = []
    for place, item in enumerate(items):
        one: dict[str, Any] = {}
        for name, value in item.items():
            if f"{key}.*.{name}" in found.bad_properties or f"{key}.{place}.{name}" in found.bad_properties:
                continue
            kept_value = converted(family[name].form, value)
            # Only what is there can be given up.
            if kept_value is not None or key.startswith("update_"):
                one[name] = kept_value
        kept.append(one)
    return kept
