"""What is allowed and hardly meant is a warning, each time that the tree is read."""

from providers.crossbow import PROVIDER as CROSSBOW
from providers.zones import PROVIDER as ZONES
from reconciler.desired.cache import LoadMemory
from reconciler.model.desired import Severity
from reconciler.provider.registry import Registry
from tests.desired.guests import text
from tests.desired.trees import BASE, tree_of, valid

KINDS = Registry.of([CROSSBOW, ZONES])
RULE = text("FirewallRule", "web", "from: [any], to: [guest/front], action: allow, protocol: tcp, ports: [80]")


def zone(spec: str) -> str:
    return text("Zone", "front", f"brand: joyent-minimal, image: 2f1dc911-6401-4fa4-8e9d-67ea2e39c271{spec}")


def test_a_rule_for_a_guest_on_which_no_rule_acts_is_a_warning_at_every_load() -> None:
    tree, memory = tree_of(BASE | {"hosts/hv01/net.yaml": f"{RULE}---\n{zone('')}"}), LoadMemory()
    for _ in range(2):
        (finding,) = valid(tree.load(KINDS, memory=memory)).warnings
        assert (finding.severity, finding.subject) == (Severity.WARNING, "FirewallRule web")
        assert "it names front, whose manifest does not say firewallEnabled: true" in finding.cause


def test_a_rule_for_a_guest_with_its_firewall_on_is_no_warning() -> None:
    tree = tree_of(BASE | {"hosts/hv01/net.yaml": f"{RULE}---\n{zone(', firewallEnabled: true')}"})
    assert not valid(tree.load(KINDS)).warnings
