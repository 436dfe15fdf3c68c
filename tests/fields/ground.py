"""An emulated SmartOS host for guests of one brand, led through whole passes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from providers.crossbow import PROVIDER as CROSSBOW
from providers.kvm import PROVIDER as KVM
from providers.zfs import PROVIDER as ZFS
from providers.zones import PROVIDER as ZONES
from reconciler.controller.passes import HostResult
from reconciler.desired.manifest import resource
from reconciler.desired.problem import Problem
from reconciler.emulation.guests.view import GuestView
from reconciler.emulation.host import EmulatedHost
from reconciler.hosts.connect import emulated_state
from reconciler.model.origin import Origin
from reconciler.model.plan import HostPlan
from reconciler.model.resource import Resource
from reconciler.provider.registry import Registry
from tests.fields.rows import MACHINES
from tests.passes.ground import NO_LIMITS, Ground

PROVIDERS = (ZFS, CROSSBOW, ZONES, KVM)
KINDS = Registry.of(PROVIDERS).kinds

IMAGES = {
    "joyent-minimal": "2f1dc911-6401-4fa4-8e9d-67ea2e39c271",
    "joyent": "2f1dc911-6401-4fa4-8e9d-67ea2e39c271",
    "lx": "e1faace4-e19b-11e5-928b-83849e2fd94a",
    "bhyve": "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2",
    "kvm": "d42a37a0-6d5c-4f5a-9d0c-3ea4d1e1f8b2",
}
OTHER_IMAGE = "8adac45a-1f3c-4b7f-a5a2-6d2c9f5e1b64"


def kind_of(brand: str) -> str:
    return "VirtualMachine" if brand in MACHINES else "Zone"


def judged(kind: str, name: str, spec: Mapping[str, Any], **lifecycle: str) -> Resource | list[Problem]:
    document = {
        "apiVersion": "reconciler/v1",
        "kind": kind,
        "metadata": {"name": name},
        "lifecycle": {"onRemoval": "delete", **lifecycle},
        "spec": spec,
    }
    return resource(document, "hv01", Origin("hosts/hv01/a.yaml", 1, 1), KINDS)  # type: ignore[arg-type]


def wanted(kind: str, name: str, spec: Mapping[str, Any], **lifecycle: str) -> Resource:
    found = judged(kind, name, spec, **lifecycle)
    assert isinstance(found, Resource), (name, found)
    return found


def least(brand: str) -> dict[str, Any]:
    """The least that a guest of the brand can be."""
    if brand in MACHINES:
        return {"engine": brand, "memory": "1GiB", "disks": [{"name": "root", "size": "64MiB", "boot": True}]}
    return {"brand": brand, "image": IMAGES[brand], "memory": "512MiB"} | ({"kernelVersion": "4.3.0"} if brand == "lx" else {})


def placed(spec: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The spec with a field stated: `memory`, `console.vnc.port`, `nics[].mtu` (of the last nic), `nics[]` (names)."""
    head, dot, rest = path.partition(".")
    found = dict(spec)
    if head.endswith("[]"):
        name = head[:-2]
        if not dot:
            found[name] = [_ITEMS[name](one) for one in value]
        else:
            items = found.get(name) or [_ITEMS[name]("net0" if name == "nics" else "/mnt/a")]
            found[name] = [*items[:-1], placed(items[-1], rest, value)]
    else:
        found[head] = placed(found.get(head, {}), rest, value) if dot else value
    return found


_ITEMS = {
    "nics": lambda name: {"name": name, "over": "external"},
    "mounts": lambda target: {"target": target, "source": "/opt"},
    "disks": lambda name: {"name": name, "size": "64MiB"},
}


def numbered(value: Any, number: int) -> Any:
    """A value with `{n}` in its texts replaced."""
    if isinstance(value, str):
        return value.replace("{n:02x}", f"{number:02x}").replace("{n}", str(number))
    if isinstance(value, list):
        return [numbered(one, number) for one in value]
    if isinstance(value, dict):
        return {key: numbered(one, number) for key, one in value.items()}
    return value


def without(spec: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The spec with a field stated no more."""
    head, dot, rest = path.partition(".")
    found = dict(spec)
    name = head.removesuffix("[]")
    if not dot:
        del found[name]
    elif head != name:
        found[name] = [*found[name][:-1], without(found[name][-1], rest)]
    else:
        found[name] = without(found[name], rest)
    return found


def concrete(path: str, spec: Mapping[str, Any]) -> str:
    """The field in a plan for a row's: `nics.net0.mtu` for `nics[].mtu` (of the last nic), `nics` for `nics[]`."""
    head, is_list, rest = path.partition("[]")
    if not (is_list and rest):
        return head
    last = spec[head][-1]
    return f"{head}.{last.get('name') or last['target']}{rest}"


@dataclass
class Fields(Ground):
    """The host, with its images installed."""

    def __post_init__(self) -> None:
        self.providers = PROVIDERS
        self.guardrails = replace(NO_LIMITS, restarts_per_host=1000)
        state = emulated_state(self.state, "hv01")
        state.parent.mkdir(parents=True, exist_ok=True)
        self.host = EmulatedHost.open(state, system=self.system, hostname="hv01")
        for image in sorted({*IMAGES.values(), OTHER_IMAGE}):
            self.do("imgadm", "import", "-q", "-P", "zones", image)

    def do(self, *argv: str) -> str:
        """A command behind our back, which must succeed."""
        answer = self.host.drift(argv)
        assert answer.exit_code == 0, answer.stderr.decode()
        return answer.stdout.decode()

    def guests(self) -> dict[str, GuestView]:
        """All guests by alias."""
        views = [self.host.guests.guest(uuid) for uuid in self.host.guests.uuids()]
        return {str(view.alias): view for view in views}

    def guest(self, name: str) -> GuestView:
        return self.guests()[name]


def failures(result: HostResult) -> Iterator[str]:
    for outcome in result.outcomes:
        if outcome.failure is not None:
            yield f"{outcome.key.name}: {outcome.failure}"


def left_over(plan: HostPlan) -> Iterator[str]:
    """What a plan that should be empty holds."""
    for action in plan.actions:
        names = ", ".join(f"{one.name} {one.before!r} -> {one.after!r} ({one.effect})" for one in action.change.fields)
        yield f"{action.key.name}: {action.verb} is left to do: {names}"
    for item in plan.blocked:
        yield f"{item.key.name}: blocked: {item.reason}: {item.cause}; {item.remedy}"
