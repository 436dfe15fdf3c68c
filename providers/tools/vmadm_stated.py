"""Which of the fields read from a guest no manifest has, and which ones a manifest for it would state."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from providers.tools import vmadm_fields, vmadm_native
from reconciler.model.change import STATE
from reconciler.model.value import Fields, Value
from reconciler.provider.guest import FINISHED

BOOTED = "bootTimestamp"
"""When the guest booted, as vmadm tells it; only while it runs. No field of a manifest."""

AWAY = "volumesAway"
"""Where volumes of the guest were moved out of the way, each with its own name, TAB between. No field of a manifest."""

TAKEN_PLACES = "takenPlaces"
"""Names in the places for detached disks that begin with the guest's uuid. No field of a manifest."""

_NATIVE = vmadm_native.PREFIX

USUAL: Mapping[str, Value] = MappingProxyType(
    {
        "cpuShares": 100,
        "maxTasks": 2000,
        "dnsDomain": "local",
        f"{_NATIVE}zfs_io_priority": 100,
        f"{_NATIVE}max_msg_ids": 4096,
        f"{_NATIVE}max_sem_ids": 4096,
        f"{_NATIVE}max_shm_ids": 4096,
        f"{_NATIVE}max_lwps": 2000,
        f"{_NATIVE}cpu_shares": 100,
        f"{_NATIVE}zfs_root_recsize": 131072,
        f"{_NATIVE}zfs_data_recsize": 131072,
        f"{_NATIVE}virtio_txtimer": 200000,
        f"{_NATIVE}virtio_txburst": 128,
        f"{_NATIVE}boot": "order=cd",
        f"{_NATIVE}com1": "/dev/zconsole",
        f"{_NATIVE}com2": "socket,/tmp/vm.ttyb",
    }
)
"""What a guest has when nobody says otherwise (smartos-vmadm.md 5)."""

_FOLLOWS = {
    f"{_NATIVE}{name}"
    for name in ("max_physical_memory", "max_locked_memory", "max_shm_memory", "max_swap", "tmpfs", "limit_priv")
}
"""What follows from other properties unless somebody gives it."""

_NEVER = {STATE, FINISHED, BOOTED, AWAY, TAKEN_PLACES, *_FOLLOWS, *(f"cloudInit.{name}" for name in vmadm_fields.CLOUD_INIT)}
"""Whether a guest runs is no choice to keep it at; cloudInit is stated as the metadata that carries it."""

_NEVER_OF_ITEMS = frozenset({"path", "uuid", "missing", "options", "sparse", "pool", "media"})


def worth_stating(fields: Fields, uuid: str) -> Iterator[str]:
    """The names of those fields, as far as can be told."""
    for name, value in fields.items():
        if value is None or value is False or value == () or name in _NEVER or value == USUAL.get(name, ()):
            continue
        head, _, inner = name.partition(".")
        if name.startswith(_NATIVE):
            if value == vmadm_native.NATIVE[name.removeprefix(_NATIVE)].absent:
                continue
        elif (name == "hostname" and value == uuid) or (head in ("disks", "mounts") and _is_given(fields, inner)):
            continue
        yield name


def _is_given(fields: Fields, inner: str) -> bool:
    """Whether a field of a disk or mount follows from what it is; the block size of one made of an image is the image's."""
    item, _, field = inner.rpartition(".")
    if field == "blockSize":
        return fields.get(f"disks.{item}.image") is not None
    return field in _NEVER_OF_ITEMS or ".properties." in inner
