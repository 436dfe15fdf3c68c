"""The images that the source of a new SmartOS host offers. The uuids are made up and fixed (docs/emulation.md)."""

import hashlib
from collections.abc import Mapping

DEFAULT_SOURCE = "https://images.smartos.org"

_OWNER = "9dce1460-0c4c-4417-ab8b-25ca478c5a78"
_MIB = 1 << 20


def _manifest(
    uuid: str, name: str, version: str, kind: str, os: str, published: str, size_mib: int, description: str, **more: object
) -> Mapping[str, object]:
    sha1 = hashlib.sha1(uuid.encode(), usedforsecurity=False).hexdigest()
    return {
        "v": 2,
        "uuid": uuid,
        "owner": _OWNER,
        "name": name,
        "version": version,
        "state": "active",
        "disabled": False,
        "public": True,
        "published_at": published,
        "type": kind,
        "os": os,
        "files": [{"sha1": sha1, "size": size_mib * _MIB + int(sha1[:4], 16), "compression": "gzip"}],
        "description": description,
        **more,
    }


_MINIMAL = {"brand": "joyent-minimal", "min_platform": {"7.0": "20210826T002459Z"}, "networks": [{"name": "net0"}]}
_HVM: Mapping[str, object] = {
    "nic_driver": "virtio", "disk_driver": "virtio", "cpu_type": "host", "users": [{"name": "root"}], "image_size": 10240,
}  # fmt: skip
_KEYED = {"networks": [{"name": "net0", "description": "public"}], "ssh_key": True}

OFFERED: tuple[Mapping[str, object], ...] = (
    _manifest(
        "502eeef2-8267-489f-b19c-a206906f57ef", "minimal-64-lts", "22.4.1", "zone-dataset", "smartos",
        "2023-08-07T09:38:49Z", 38, "A minimal 64-bit SmartOS image.", requirements=_MINIMAL,
    ),
    _manifest(
        "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64", "base-64-lts", "23.4.0", "zone-dataset", "smartos",
        "2024-03-11T14:02:26Z", 155, "A 64-bit SmartOS image with just essential packages installed.",
        requirements=_MINIMAL,
    ),
    _manifest(
        "2f1dc911-6401-4fa4-8e9d-67ea2e39c271", "base-64-lts", "24.4.1", "zone-dataset", "smartos",
        "2025-03-02T10:11:53Z", 161, "A 64-bit SmartOS image with just essential packages installed.",
        requirements=_MINIMAL,
    ),
    _manifest(
        "b7493690-f019-4612-958b-bab5f844283e", "web-64-lts", "24.4.1", "zone-dataset", "smartos",
        "2025-03-09T16:40:07Z", 22, "The base-64-lts image with a web server, as an incremental image.",
        requirements=_MINIMAL, origin="2f1dc911-6401-4fa4-8e9d-67ea2e39c271",
    ),
    _manifest(
        "e1faace4-e19b-11e5-928b-83849e2fd94a", "debian-12", "20240612", "lx-dataset", "linux",
        "2024-06-12T19:55:31Z", 112, "Container-native Debian 12 (bookworm) 64-bit image.",
        requirements={"networks": [{"name": "net0"}], "brand": "lx", "min_platform": {"7.0": "20210826T002459Z"}},
    ),
    _manifest(
        "c8b1ca70-b4e6-4a5e-96d5-5c4c4e0e9b21", "ubuntu-certified-24.04", "20250210", "zvol", "linux",
        "2025-02-10T20:01:15Z", 603, "Ubuntu 24.04 LTS for bhyve, started by UEFI.",
        **_HVM, requirements={**_KEYED, "bootrom": "uefi", "min_ram": 1024},
        tags={"org.smartos:cloudinit_datasource": "nocloud"},
    ),
    _manifest(
        "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2", "debian-12", "20240701", "zvol", "linux",
        "2024-07-01T08:30:44Z", 329, "Debian 12 (bookworm) for KVM and bhyve.",
        **_HVM, requirements=_KEYED,
    ),
)  # fmt: skip
"""Two sizes of plain SmartOS images and a newer version of one, an incremental image on that, one for lx, two disks."""
