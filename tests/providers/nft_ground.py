"""The ports and rules that were on the host when `output/nftables-1.0.6` was recorded."""

from providers.tools.fwadm_rules import Rule
from providers.tools.nft_firewall import Membership
from providers.tools.nft_rules import Written
from reconciler.model.key import ObjectName
from reconciler.model.lifecycle import OnRemoval, Protect
from reconciler.model.observed import Mark

MEMBERS = {
    "web1_0": Membership("web1", (("role", "web"), ("a b", "ä=1")), is_firewalled=True),
    "web1_1": Membership("web1", (("role", "web"), ("a b", "ä=1")), is_firewalled=True),
    "db1_0": Membership("db1", (("role", "db"),)),
}


def written(name: str, rule: Rule, *, is_enabled: bool = True, is_logged: bool = False) -> Written:
    """A rule of owner lab, with a whole mark."""
    mark = Mark("lab", ObjectName("FirewallRule", name), "4c4c4544-0042", Protect.REMOVAL, OnRemoval.DELETE)
    return Written(name, rule, is_enabled, is_logged, mark)


_MIXED = (
    "10.0.0.1",
    "10.1.0.0/16",
    "10.1.0.0/17",
    "fd00::/9",
    "fd00::1",
    "guest/web1",
    "guests/all",
    "tag/a b=ä=1",
    "tag/role",
)

RULES = (
    written("ssh", Rule(("any",), ("guests/all",), "allow", "tcp", ("22",))),
    written("web.a-b", Rule(_MIXED, ("tag/role=web",), "allow", "tcp", ("80", "443", "8000-8100", "8101-9000"), priority=10)),
    written("all-udp", Rule(("10.0.0.0/8",), ("guest/db1", "guest/web1"), "block", "udp", ("all",), priority=100)),
    written("ping", Rule(("any",), ("tag/role=web",), "allow", "icmp", types=("3:1", "8", "11:0", "13"))),
    written("ping6", Rule(("any",), ("tag/role=web",), "allow", "icmp6", types=("all",))),
    written(
        "out", Rule(("guest/web1",), ("10.9.0.0/16", "fd00::/8"), "block", "tcp", ("1-65535",), priority=10), is_logged=True
    ),
    written("noted", Rule(("any",), ("guest/web1",), "allow", "udp", ("53", "54"), priority=7), is_logged=True),
    written("off", Rule(("0.0.0.0/0",), ("guests/all",), "allow", "tcp", ("all",)), is_enabled=False),
)
