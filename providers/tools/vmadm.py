"""Commands of `vmadm` (smartos-vmadm.md 1). Payloads go on stdin: an argument can't say null, and is seen by all."""

import json
from collections.abc import Mapping
from typing import TypeAlias

from providers.tools.vmadm_native import Json
from reconciler.model.command import Command

Payload: TypeAlias = Mapping[str, Json]

LONG_S = 900.0
"""For what boots, halts or copies a guest: a create may wait 300 s and more, a virtual machine has 180 s to halt."""

UPDATE_S = 300.0
"""An update waits up to 60 s for each thing that it changed, and for other updates of the same guest."""

LOOKUP = ("vmadm", "lookup", "-j")
ALL_GUESTS = Command(LOOKUP, changes=False, deadline_s=120.0)
"""All guests as whole objects. Every provider asks by this command: equal ones run once."""


def get(uuid: str) -> Command:
    """One guest as a whole object."""
    return Command(("vmadm", "get", uuid), changes=False)


def find(*uuids: str) -> Command:
    """The guests that have one of these ids; an empty array where there are none."""
    return Command((*LOOKUP, f"uuid=~^({'|'.join(uuids)})$"), changes=False)


def validate_create(payload: Payload) -> Command:
    return Command(("vmadm", "validate", "create"), text(payload), changes=False)


def validate_update(brand: str, payload: Payload) -> Command:
    return Command(("vmadm", "validate", "update", brand), text(payload), changes=False)


def create(payload: Payload) -> Command:
    return Command(("vmadm", "create"), text(payload), deadline_s=LONG_S)


def update(uuid: str, payload: Payload) -> Command:
    return Command(("vmadm", "update", uuid), text(payload), deadline_s=UPDATE_S)


def start(uuid: str) -> Command:
    """Sets autoboot too; no error for a guest that runs."""
    return Command(("vmadm", "start", uuid), deadline_s=LONG_S)


def stop(uuid: str) -> Command:
    """Clears autoboot too; no error for a guest that does not run."""
    return Command(("vmadm", "stop", uuid), deadline_s=LONG_S)


def reboot(uuid: str) -> Command:
    return Command(("vmadm", "reboot", uuid), deadline_s=LONG_S)


def delete(uuid: str) -> Command:
    """Destroys the guest, its root, its delegated dataset and its disks, without asking."""
    return Command(("vmadm", "delete", uuid), deadline_s=LONG_S)


def reprovision(uuid: str, image: str) -> Command:
    """A new root from an image; the rest of the guest stays."""
    return Command(("vmadm", "reprovision", uuid), text({"image_uuid": image}), deadline_s=LONG_S)


def text(payload: Payload) -> str:
    """The payload as it is sent: equal payloads give equal text, and what can't be seen in print is escaped."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"))
