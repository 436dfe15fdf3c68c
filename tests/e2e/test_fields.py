"""Every field of Dataset and Volume on every kind of host: set, change, null.

Set converges. A change converges where it is live or a permitted replacement, and is blocked with its remedy where it can
never be. null converges where the table allows it and is an error with its place elsewhere. What a system lacks is blocked.
"""

import pytest

from reconciler.provider.field import Changing, Null
from reconciler.provider.kind import Kind
from reconciler.provider.registry import Registry
from tests.e2e.ground import Ground

REPLACING = "{onRemoval: delete, disruption: replace}"

DATASET_VALUES: dict[str, tuple[str, str]] = {
    "aclinherit": ("discard", "passthrough"),
    "aclmode": ("discard", "passthrough"),
    "aclimplicit": ("on", "off"),
    "acltype": ("off", "posix"),
    "atime": ("off", "on"),
    "canmount": ("noauto", "on"),
    "casesensitivity": ("mixed", "insensitive"),
    "checksum": ("sha256", "fletcher2"),
    "compression": ("gzip-9", "lzjb"),
    "copies": ("2", "3"),
    "context": ("a_u:b_r:c_t:s0", "a_u:b_r:d_t:s0"),
    "defcontext": ("a_u:b_r:c_t:s0", "a_u:b_r:d_t:s0"),
    "fscontext": ("a_u:b_r:c_t:s0", "a_u:b_r:d_t:s0"),
    "rootcontext": ("a_u:b_r:c_t:s0", "a_u:b_r:d_t:s0"),
    "dedup": ("verify", "off"),
    "devices": ("off", "on"),
    "direct": ("always", "standard"),
    "dnodesize": ("auto", "legacy"),
    "exec": ("off", "on"),
    "filesystem_limit": ("100", "200"),
    "logbias": ("throughput", "latency"),
    "mlslabel": ("none", "none"),
    "mountpoint": ("none", "legacy"),
    "nbmand": ("on", "off"),
    "normalization": ("formC", "formD"),
    "overlay": ("off", "on"),
    "prefetch": ("none", "all"),
    "primarycache": ("metadata", "all"),
    "quota": ("64MiB", "96MiB"),
    "readonly": ("on", "off"),
    "recordsize": ("16K", "64K"),
    "redundant_metadata": ("most", "all"),
    "refquota": ("64MiB", "1.5g"),
    "refreservation": ("8MiB", "4MiB"),
    "relatime": ("on", "off"),
    "reservation": ("8MiB", "4MiB"),
    "secondarycache": ("metadata", "all"),
    "setuid": ("off", "on"),
    "sharenfs": ("ro", "off"),
    "sharesmb": ("off", "off"),
    "snapdev": ("visible", "hidden"),
    "snapdir": ("visible", "hidden"),
    "snapshot_limit": ("100", "200"),
    "special_small_blocks": ("16K", "32K"),
    "sync": ("always", "disabled"),
    "utf8only": ("on", "off"),
    "version": ("4", "4"),
    "volmode": ("dev", "full"),
    "vscan": ("on", "off"),
    "xattr": ("off", "on"),
    "zoned": ("on", "off"),
    "site:role": ("a", "two words"),
}
NOT_ON_VOLUMES = frozenset({"quota", "refquota"})
SHARING = frozenset({"sharenfs", "sharesmb"})
"""On a real machine these would talk to its NFS and SMB servers."""

LABEL = "mlslabel"
"""Only a system with Trusted Extensions lets it change."""


def fields(kind: Kind) -> list[str]:
    return [*kind.entries["properties"].known, "site:role"]


def manifest(kind: str, name: str, prop: str, value: str) -> str:
    size = "  size: 64MiB\n" if kind == "Volume" else ""
    return (
        f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata:\n  name: {name}\nlifecycle: {REPLACING}\n"
        f"spec:\n{size}  properties:\n    {prop}: {value}\n"
    )


def test_the_table_of_values_has_every_property(registry: Registry) -> None:
    known = {prop for kind in ("Dataset", "Volume") for prop in fields(registry.kinds[kind])}

    assert sorted(known) == sorted(DATASET_VALUES)


@pytest.mark.parametrize("kind_name", ["Dataset", "Volume"])
def test_every_property_is_set_changed_and_cleared_as_its_table_says(
    ground: Ground, registry: Registry, kind_name: str
) -> None:
    kind = registry.kinds[kind_name]
    if kind_name == "Volume" and not ground.has_volumes:
        pytest.skip("zfs-fuse has only volumes in files, which are tested on a host of their own")
    lacking = []
    for prop in fields(kind):
        if prop == LABEL or (prop in SHARING and ground.transport.startswith("{type: local")):
            continue
        first, second = DATASET_VALUES[prop]
        name = f"{ground.pool}/{prop.replace(':', '-')}"
        ground.write(manifest(kind_name, name, prop, first))
        refused = ground.reconciler("plan")
        if refused.exit_code == 3:
            assert "unsupported" in refused.out, refused.out
            assert "remedy: " in refused.out
            lacking.append(prop)
            continue
        ground.converges()
        ground.write(manifest(kind_name, name, prop, second))
        ground.converges()
        check_null(ground, kind, manifest(kind_name, name, prop, "null"), prop)
        ground.write()
        assert ground.apply().exit_code == 0, prop
    assert len(lacking) < len(fields(kind)) / 2, lacking


def check_null(ground: Ground, kind: Kind, text: str, prop: str) -> None:
    ground.write(text)
    if kind.rule(f"properties.{prop}").null is Null.REFUSED:
        refused = ground.reconciler("validate")
        place = f"hosts/h/objects.yaml:{text[: text.index('null')].count(chr(10)) + 1}:"
        assert refused.exit_code == 1
        assert place in refused.out, refused.out
        assert "null is not allowed" in refused.out
    else:
        ground.converges()


@pytest.mark.parametrize("ground", ["omnios"], indirect=True)
def test_fields_that_never_change_are_blocked_with_their_remedy(ground: Ground, registry: Registry) -> None:
    volume = registry.kinds["Volume"]
    never = {name: rule for name, rule in volume.rules.items() if rule.changing is Changing.NEVER}
    values = {"sparse": ("true", "false"), "blockSize": ("8K", "16K"), "backing": ("zvol", "zvol")}
    assert set(never) == set(values)
    for name, (first, second) in values.items():
        if first == second:
            continue
        head = (
            f"apiVersion: reconciler/v1\nkind: Volume\nmetadata: {{name: tank/{name}}}\n"
            f"lifecycle: {REPLACING}\nspec:\n  size: 64MiB\n"
        )
        ground.write(f"{head}  {name}: {first}\n")
        ground.converges()

        ground.write(f"{head}  {name}: {second}\n")
        refused = ground.reconciler("plan")

        assert refused.exit_code == 3
        assert "immutable" in refused.out
        assert "hosts/h/objects.yaml:7:" in refused.out
        assert "remedy: " in refused.out
        ground.write()
        ground.apply()
