"""Zones on Linux: LXC containers, each with its root on a ZFS clone of an Image."""

from collections.abc import Mapping

from providers.tools import linux_link_errors, linux_ports, lxc, lxc_errors, zfs
from providers.tools.lxc_listing import read_listing
from providers.tools.zfs_rows import read_rows
from providers.zones.linux_host import lxc_host
from providers.zones.linux_reading import CONTAINER, ROOT_PROPERTIES, read_zone, surroundings
from providers.zones.linux_refusals import refusal
from providers.zones.linux_steps import steps
from reconciler.model.change import Change, FieldChange
from reconciler.model.command import Command, Completed, Failure, Outputs, Probe, Step, probe
from reconciler.model.errors import ReadError, ReconcilerError
from reconciler.model.facts import HostFacts
from reconciler.model.observed import EVERY_FIELD, REMOVAL, Observed
from reconciler.model.value import Value
from reconciler.provider.contract import Refusal
from reconciler.provider.field import Acts
from reconciler.provider.readers import rows

ROOTS, SNAPSHOTS = "zones.roots", "zones.snapshots"
"""Names of the probes."""

_FOLLOWS_AT_ONCE = ("over", "vlan", "maxBandwidth")
_ABOUT_LINKS = ("-link", "-links", "-vlan", "-firewall")
"""What the names of scripts about ports end in."""

_AT_BOOT = frozenset({"hostname", "dnsDomain", "resolvers", "routes"})


class LxcZones:
    """Zones of a Linux host."""

    def __init__(self, facts: HostFacts) -> None:
        self.host = lxc_host(facts)

    def probes(self, fields: Mapping[str, frozenset[str]]) -> tuple[Probe, ...]:
        if "Zone" not in fields or self.host is None:
            return ()
        types = ("filesystem",) if self.host.gets_by_type else None
        found = [lxc.ZONES, probe(ROOTS, *lxc.where_zones_are(self.host.path, zfs.get(ROOT_PROPERTIES, types=types)))]
        if not self.host.links.missing:
            found += linux_ports.probes()
        if fields["Zone"] & {REMOVAL, EVERY_FIELD}:
            found.append(probe(SNAPSHOTS, *zfs.list_snapshots()))
        return tuple(found)

    def read(self, outputs: Outputs, fields: Mapping[str, frozenset[str]]) -> tuple[Observed, ...]:
        if lxc.ZONES.name not in outputs or self.host is None or "Zone" not in fields:
            return ()
        listing = read_listing(outputs[lxc.ZONES.name].stdout)
        snapshots = rows(outputs[SNAPSHOTS].stdout, ("name", "userrefs")) if SNAPSHOTS in outputs else None
        around = surroundings(
            read_rows(outputs[ROOTS].stdout, ROOT_PROPERTIES),
            linux_ports.read_ports(outputs) if not self.host.links.missing else None,
            None if snapshots is None else ((name, holds not in ("0", "-")) for name, holds in snapshots),
        )
        return tuple(read_zone(one, listing, around, self.host, fields["Zone"]) for one in listing.containers.values())

    def refusal(self, field: str, value: Value) -> Refusal | None:
        return refusal(field, value, self.host)

    def acts(self, change: FieldChange, observed: Observed) -> Acts | None:
        head, _, rest = change.name.partition(".")
        if change.name in _AT_BOOT:
            return Acts.STAGED
        if head != "nics" or not rest:
            return None
        field = rest.partition(".")[2]
        if not field:
            return Acts.LIVE if change.after is None else Acts.STAGED
        is_there = observed.fields.get(f"nics.{rest.partition('.')[0]}.over") is not None
        return Acts.LIVE if is_there and (field in _FOLLOWS_AT_ONCE or field.startswith("allow.")) else Acts.STAGED

    def steps(self, change: Change) -> tuple[Step, ...]:
        if self.host is None:
            raise ReconcilerError("the host has no LXC", remedy="install the package lxc")
        return steps(change, self.host)

    def confirm(self) -> Probe:
        return Probe("zones.confirm", lxc.ZONES.command)

    def confirmed(self, change: Change, answer: Completed) -> Observed | None:
        if not answer.succeeded or self.host is None:
            raise ReadError(0, f"{change.key.object}, or that it does not exist", answer.stderr)
        listing = read_listing(answer.stdout)
        name = str(change.observed.fields[CONTAINER]) if change.observed is not None else change.key.name
        found = listing.containers.get(change.key.name) or listing.containers.get(name)
        if found is None:
            return None
        asked = change.resource.fields if change.resource is not None else {}
        return read_zone(found, listing, surroundings(None, None, ()), self.host, tuple(asked))

    def explain(self, failed: Completed) -> Failure | None:
        """Cause, remedy and retry class of one of our commands that did not exit 0; None for one that is not of a zone."""
        script = _script(failed.command)
        if failed.command.argv[0] in ("ip", "tc", "nft", "bridge") or script.endswith(_ABOUT_LINKS):
            return linux_link_errors.explain(failed)
        return lxc_errors.explain(failed) if script in lxc.SCRIPTS or failed.command.argv[0].startswith("lxc-") else None


def _script(command: Command) -> str:
    """The name of a fixed script; empty for a tool."""
    return command.argv[3] if command.argv[:2] == ("sh", "-c") and len(command.argv) > 3 else ""
