"""Firewall rules of guests on a whole Linux host: real packets through real bridges, ports as zones and machines have them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from providers.tools import linux_ports
from providers.tools.linux_marks import LinkMark
from providers.tools.linux_ports import Membership, Port, Style
from reconciler.model.command import Command, Completed, Ending
from reconciler.model.key import ObjectName
from reconciler.model.observed import Mark
from tests.real.linux_host import LinuxHost, Peer, until
from tests.real.tree import OWNER, Tree, manifest

BRIDGE, HOST_4, HOST_6 = "br0", "10.7.0.254", "fd07::fe"
TABLE = ("table", "bridge", "reconciler")

_ECHO = """
import socket, sys, threading
def datagrams(port):
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", port))
    while True:
        said, who = server.recvfrom(100)
        server.sendto(said, who)
def connections(port):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        threading.Thread(target=answer, args=(server.accept()[0],), daemon=True).start()
def answer(connection):
    while said := connection.recv(100):
        connection.sendall(said)
for port in map(int, sys.argv[1:]):
    threading.Thread(target=datagrams, args=(port,)).start()
    threading.Thread(target=connections, args=(port,)).start()
"""
"""Answers what it hears on each port, by TCP and UDP."""

_ASK = """
import socket, sys
kind, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
asking = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
asking.settimeout(0.3)
asking.connect((address, port))
for line in sys.stdin:
    try:
        asking.sendall(b"x")
        print("heard" if asking.recv(9) else "closed", flush=True)
    except OSError:
        print("nothing", flush=True)
"""
"""Says something for each line that it reads, always by the one connection, and tells whether an answer came."""


@dataclass(frozen=True)
class Guest:
    """What stands for a guest: a network namespace behind a port that is made as a guest's is."""

    peer: Peer
    port: Port
    number: int

    @property
    def ipv4(self) -> str:
        return f"10.7.0.{self.number}"

    @property
    def ipv6(self) -> str:
        return f"fd07::{self.number}"

    def hears(self, other: "Guest | str", kind: str = "tcp", port: int = 80) -> bool:
        """Whether what is asked of that guest, or of that address, is answered."""
        return _hears(self.peer.ask, other.ipv4 if isinstance(other, Guest) else other, kind, port)


def _hears(ask: Callable[..., Any], address: str, kind: str, port: int) -> bool:
    if kind == "ping":
        return bool(ask("busybox", "ping", "-c", "1", "-W", "1", address).returncode == 0)
    done = ask(sys.executable, "-c", _ASK, kind, address, str(port), stdin="x\n")
    return bool(done.stdout == "heard\n")


@dataclass
class Ground:
    """A bridge on which the host has an address, and guests in it."""

    tree: Tree

    @property
    def host(self) -> LinuxHost:
        return self.tree.host

    def guest(self, name: str, number: int, *, is_firewalled: bool = False, **tags: str) -> Guest:
        mark = LinkMark(Mark(OWNER, ObjectName("Zone", name)), "net0")
        membership = Membership(name, tuple(tags.items()), is_firewalled)
        port = Port(f"{name}_0", Style.VETH, BRIDGE, f"02:07:00:00:00:{number:02x}", mark, membership=membership)
        self.make(port)
        self.host.run("ip", "netns", "add", name)
        self.host.run("ip", "link", "set", linux_ports.guest_end(port.name), "netns", name, "name", "eth0")
        made = Guest(Peer(self.host, name), port, number)
        made.peer.run("ip", "link", "set", "lo", "up")
        made.peer.run("ip", "addr", "add", f"{made.ipv4}/24", "dev", "eth0")
        made.peer.run("ip", "addr", "add", f"{made.ipv6}/64", "dev", "eth0", "nodad")
        made.peer.run("ip", "link", "set", "eth0", "up")
        made.peer.start(sys.executable, "-c", _ECHO, "80", "81", "8000")
        until(lambda: made.hears("127.0.0.1", port=8000), lambda: f"{name} does not listen")
        return made

    def make(self, port: Port) -> None:
        for command in linux_ports.make(port):
            self.host.run(*command.argv, stdin=command.stdin)

    def alter(self, port: Port) -> tuple[str, ...]:
        """Brings a port in line, and tells what was not."""
        fields = linux_ports.differs(port, self.seen()[port.name])
        for command in linux_ports.alter(port, fields):
            self.host.run(*command.argv, stdin=command.stdin)
        return fields

    def seen(self) -> Mapping[str, linux_ports.SeenPort]:
        return linux_ports.read_ports({probe.name: self._answer(probe.command) for probe in linux_ports.probes()})

    def _answer(self, command: Command) -> Completed:
        return Completed(command, Ending.EXITED, 0, self.host.run(*command.argv))

    def from_host(self, guest: Guest, kind: str = "tcp") -> bool:
        return _hears(self.host.ask, guest.ipv4, kind, 80)

    def table(self) -> str:
        """The whole table, without what passes by."""
        return self.host.run("nft", "-s", "-t", "list", *TABLE)

    def written(self, name: str) -> str:
        """What nft has of one rule."""
        chains = [line.split()[1] for line in self.table().splitlines() if line.startswith("\tchain ")]
        of_it = [chain for chain in chains if chain.endswith(f"/{name}")]
        return "".join(self.host.run("nft", "-s", "list", "chain", *TABLE[1:], chain) for chain in of_it)


@pytest.fixture
def ground(tree: Tree) -> Iterator[Ground]:
    host = tree.host
    host.run("ip", "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
    host.run("ip", "link", "set", BRIDGE, "up")
    host.run("ip", "addr", "add", f"{HOST_4}/24", "dev", BRIDGE)
    host.run("ip", "addr", "add", f"{HOST_6}/64", "dev", BRIDGE, "nodad")
    return Ground(tree)


def rule(name: str, **spec: Any) -> dict[str, Any]:
    """A rule that lets everybody in to port 80 of the guests with tag role=web, with other values."""
    given = {"from": ["any"], "to": ["tag/role=web"], "action": "allow", "protocol": "tcp", "ports": [80]}
    given |= {key.removesuffix("_"): value for key, value in spec.items()}
    return manifest("FirewallRule", name, {key: value for key, value in given.items() if value is not ...})


def icmp(name: str, **spec: Any) -> dict[str, Any]:
    return rule(name, **{"protocol": "icmp", "ports": ..., "types": ["8"], **spec})


def test_a_firewalled_guest_lets_nothing_in_and_everything_out_and_hears_the_answers(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True), ground.guest("db1", 2)
    server = ground.host.start(sys.executable, "-c", _ECHO, "80")
    assert server.poll() is None

    for address, kind in ((web.ipv4, "tcp"), (web.ipv4, "ping"), (web.ipv6, "tcp"), (web.ipv6, "udp")):
        assert not other.hears(address, kind), f"{kind} to {address} is let in"
    assert not ground.from_host(web)
    for address in (other.ipv4, other.ipv6, HOST_4, HOST_6):
        for kind in ("tcp", "udp", "ping"):
            assert web.hears(address, kind), f"{kind} to {address} is not answered"
    assert other.hears(HOST_4)
    assert ground.from_host(other), "on a guest that is not firewalled nothing acts"

    opened = Port(
        *(getattr(web.port, name) for name in ("name", "style", "over", "mac", "mark")), membership=Membership("web1")
    )
    assert ground.alter(opened) == ("firewall",)
    assert other.hears(web), "and it is taken off while the guest runs"
    assert ground.alter(web.port) == ("firewall",)
    assert not other.hears(web)


def test_a_rule_lets_in_what_it_says_and_nothing_else_and_changes_at_once(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    closed = ground.guest("db2", 3, is_firewalled=True, role="db")

    ground.tree.converges(rule("web"))
    assert other.hears(web)
    assert other.hears(web.ipv6)
    assert ground.from_host(web)
    assert not other.hears(web, port=81)
    assert not other.hears(web, "udp")
    assert not other.hears(closed)

    ground.tree.converges(rule("web", ports=["81", "7999-8001"]))
    assert not other.hears(web)
    assert other.hears(web, port=81)
    assert other.hears(web, port=8000)

    ground.tree.converges(rule("web", protocol="udp", from_=[other.ipv4]))
    assert other.hears(web, "udp")
    assert not other.hears(web.ipv6, "udp")
    assert not closed.hears(web, "udp")

    ground.tree.converges(rule("web", from_=["guests/all"], ports=["all"]), icmp("ping", to=["guests/all"]))
    assert closed.hears(web, port=81)
    assert not ground.from_host(web), "the host is no guest"
    assert other.hears(web, "ping")
    assert other.hears(closed, "ping")

    ground.tree.converges(icmp("ping", to=["guests/all"], enabled=False))
    assert not other.hears(web)
    assert not other.hears(web, "ping")
    assert ground.tree.observe()["FirewallRule/ping"]["fields"]["enabled"] is False
    ground.tree.converges(icmp("ping", to=["guests/all"], enabled=True))
    assert other.hears(web, "ping")


def test_what_a_rule_let_in_ends_with_it_and_what_the_guest_began_goes_on(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    ground.tree.converges(rule("web"), rule("other", to=["tag/role=web"], ports=[81]))
    inward = Talk(ground.host, other, web)
    outward = Talk(ground.host, web, other)
    assert inward.goes_on()
    assert outward.goes_on()

    ground.tree.converges(rule("other", to=["tag/role=web"], ports=[81]))

    assert not inward.goes_on()
    assert outward.goes_on()


class Talk:
    """A connection that stays open."""

    def __init__(self, host: LinuxHost, asking: Guest, asked: Guest) -> None:
        self._told, self._lines = host.scratch / f"{asking.peer.name}.told", host.scratch / f"{asking.peer.name}.lines"
        self._told.write_text("")
        self._lines.write_text("")
        words = f"tail -f {self._lines} | {sys.executable} -u -c '{_ASK}' tcp {asked.ipv4} 80 >{self._told}"
        asking.peer.start("sh", "-c", words)

    def goes_on(self) -> bool:
        """Whether one thing more that is said is answered."""
        before = len(self._told.read_text().splitlines())
        with self._lines.open("a") as lines:
            lines.write("x\n")
        until(lambda: len(self._told.read_text().splitlines()) > before, lambda: "nobody tells")
        return self._told.read_text().splitlines()[-1] == "heard"


def test_what_a_guest_sends_is_blocked_by_rules_but_not_its_answers(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    server = ground.host.start(sys.executable, "-c", _ECHO, "80")
    assert server.poll() is None

    ground.tree.converges(rule("no", from_=["tag/role"], to=["any"], action="block", ports=["all"]), rule("web"))

    assert not web.hears(other)
    assert not web.hears(HOST_4)
    assert web.hears(other, "udp")
    assert other.hears(web), "what a rule lets in is answered"
    assert other.hears(web.ipv6)
    assert other.hears(HOST_4), "the rule is not about this one"


def test_of_rules_that_differ_the_higher_priority_decides_and_else_the_one_counter_to_the_default(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)

    ground.tree.converges(rule("allow"), rule("block", action="block"))
    assert other.hears(web), "in, what allows"
    ground.tree.converges(rule("allow"), rule("block", action="block", priority=1))
    assert not other.hears(web)
    ground.tree.converges(rule("allow", priority=2), rule("block", action="block", priority=1))
    assert other.hears(web)

    outward = {"from_": ["tag/role=web"], "to": ["any"], "priority": 0}
    ground.tree.converges(rule("allow", **outward), rule("block", action="block", **outward))
    assert not web.hears(other), "out, what blocks"
    ground.tree.converges(rule("allow", **{**outward, "priority": 1}), rule("block", action="block", **outward))
    assert web.hears(other)


FORMS = (
    rule("lists", from_=["tag/a b=ä", "10.0.0.1", "10.1.0.0/16", "fd00::/9", "guests/all"], to=["tag/role=web", "tag/x"]),
    rule("ports", ports=[22, "22-80", "79-90", 8080], priority=100, log=True),
    rule("all-ports", protocol="udp", ports=["all"], action="block", log=True),
    icmp("codes", types=["8", "3:1", "3:4"], log=True),
    icmp("all-types", types=["all"], from_=["10.0.0.1", "fd00::1"]),
    icmp("icmp6", protocol="icmp6", types=["128", "1:3"], from_=["0.0.0.0/0", "::/0"]),
    rule("addresses-that-match-nothing", from_=["guests/all", "10.0.0.1"], to=["10.0.0.2"]),
    rule("disabled", enabled=False),
    manifest(
        "FirewallRule", "words", {"rule": 'FROM (ip 10.0.0.1 OR tag "a" = "b c") TO all vms BLOCK tcp PORTS 1-9, 22 PRIORITY 7'}
    ),
)


def test_every_form_of_a_rule_is_made_read_back_and_changed_into_another(ground: Ground) -> None:
    ground.tree.converges(*FORMS)
    seen = ground.tree.observe()
    for form in FORMS:
        stated = {name: value for name, value in form["spec"].items() if name in ("priority", "enabled", "log", "action")}
        fields = seen[f"FirewallRule/{form['metadata']['name']}"]["fields"]
        assert {name: fields[name] for name in stated} == stated

    other = {"from_": ["10.9.9.9"], "to": ["guests/all"], "ports": [1], "enabled": True, "log": False, "priority": 0}
    ground.tree.converges(*(rule(form["metadata"]["name"], **other) for form in FORMS))
    ground.tree.converges(*FORMS)


def test_a_change_that_fails_half_way_leaves_the_rule_as_it_was(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    ground.tree.converges(rule("web"))
    # What bears the name of a set that the rule needs is none.
    ground.host.run("nft", "add", "map", *TABLE[1:], "tag/new", "{ type ifname : verdict; }")
    before = ground.table()

    ground.tree.write(rule("web", to=["tag/role=web", "tag/new"], ports=[81]))
    applied = ground.tree.apply()

    assert applied.exit_code == 5, applied.out + applied.err
    assert ground.table() == before
    assert other.hears(web)
    assert not other.hears(web, port=81)
    ground.host.run("nft", "delete", "map", *TABLE[1:], "tag/new")
    ground.tree.converges()
    assert other.hears(web, port=81)


def test_a_port_that_can_not_join_stays_what_it_was(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    before, filters = ground.table(), ground.seen()["web1_0"].filter
    ground.host.run("nft", "add", "map", *TABLE[1:], "tag/new", "{ type ifname : verdict; }")
    wanted = Port(
        "web1_0", Style.VETH, BRIDGE, "02:07:00:00:00:99", web.port.mark, membership=Membership("web1", (("new", ""),))
    )

    for command in linux_ports.alter(wanted, ("firewall", "filter"))[:1]:
        assert ground.host.ask(*command.argv, stdin=command.stdin).returncode != 0

    ground.host.run("nft", "delete", "map", *TABLE[1:], "tag/new")
    assert ground.table() == before
    assert ground.seen()["web1_0"].filter == filters
    assert not other.hears(web)


BY_HAND = (
    ("flush", "chain", *TABLE[1:], "in/000/allow/web"),
    ("insert", "rule", *TABLE[1:], "in/000/allow/web", "tcp", "dport", "80", "drop"),
    ("flush", "chain", *TABLE[1:], "rules/in"),
    ("flush", "chain", *TABLE[1:], "rule/web"),
    ("flush", "chain", *TABLE[1:], "inbound"),
    ("delete", "chain", *TABLE[1:], "forward/in"),
    ("flush", *TABLE),
)


def test_a_rule_that_somebody_changed_by_hand_is_found_and_repaired(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    ground.tree.converges(rule("web"))
    before = sorted(ground.table().splitlines())

    for by_hand in BY_HAND:
        ground.host.run("nft", *by_hand)
        ground.tree.is_repaired("FirewallRule/web")
        assert sorted(ground.table().splitlines()) == before, by_hand

    assert other.hears(web)
    assert not other.hears(web, port=81)


def test_a_table_that_somebody_deleted_is_found_by_rules_and_by_ports(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    ground.tree.converges(rule("web"))
    before = ground.table()
    ground.host.run("nft", "delete", *TABLE)
    assert other.hears(web, port=81), "nothing acts any more"

    assert ground.alter(web.port) == ("firewall",)
    assert not other.hears(web), "a port that joins brings the firewall back, even before its rules"
    ground.tree.is_repaired("FirewallRule/web")
    assert ground.alter(other.port) == ("firewall",)

    assert ground.alter(web.port) == ()
    assert sorted(ground.table().splitlines()) == sorted(before.splitlines())
    assert other.hears(web)


def test_a_port_that_gets_other_tags_is_in_no_old_set_any_more(ground: Ground) -> None:
    web, other = ground.guest("web1", 1, is_firewalled=True, role="web"), ground.guest("db1", 2)
    ground.tree.converges(rule("web"), rule("db", to=["tag/role=db"], ports=[81]))
    wanted = Port(
        "web1_0", Style.VETH, BRIDGE, web.port.mac, web.port.mark, membership=Membership("web1", (("role", "db"),), True)
    )

    assert ground.alter(wanted) == ("firewall",)

    assert not other.hears(web)
    assert other.hears(web, port=81)


def test_without_the_ledger_the_marks_tell_whose_rules_they_are(ground: Ground) -> None:
    ground.tree.converges(rule("web"), rule("off", enabled=False))
    for file in ground.tree.state.iterdir():
        file.unlink()

    assert ground.tree.plan().exit_code == 0
    ground.tree.converges(rule("web"))
    assert "FirewallRule/off" not in ground.tree.observe()


def test_a_rule_of_another_owner_is_never_touched(ground: Ground) -> None:
    ground.tree.converges(rule("web"))
    theirs = ground.table().replace(f"reconciler:{OWNER}:", "reconciler:others:")
    ground.host.run("nft", "-f", "-", stdin=f"delete {' '.join(TABLE)}\n{theirs}")

    ground.tree.write(rule("web", ports=[81]))
    planned = ground.tree.plan()

    assert planned.blocked == [("otherOwner", "FirewallRule/web")]
    assert planned.actions == []


def test_the_last_port_or_rule_takes_the_table_with_it(ground: Ground) -> None:
    web = ground.guest("web1", 1, is_firewalled=True, role="web")
    ground.tree.converges(rule("web"), rule("off", enabled=False))

    ground.tree.converges(rule("off", enabled=False))
    for command in linux_ports.unmake(web.port.name):
        ground.host.run(*command.argv, stdin=command.stdin)
    assert ground.host.tables() == (" ".join(TABLE),)
    ground.tree.converges("# nothing")
    assert ground.host.tables() == ()

    ground.make(web.port)
    ground.tree.converges(rule("web"))
    ground.tree.converges("# nothing")
    assert " ".join(TABLE) in ground.host.tables()
    for command in (*linux_ports.unmake(web.port.name), *linux_ports.unmake(web.port.name)):
        ground.host.run(*command.argv, stdin=command.stdin)
    assert ground.host.tables() == ()


def test_a_tag_that_nft_can_not_name_is_refused_before_anything_runs(ground: Ground) -> None:
    ground.tree.write(rule("web", to=["tag/" + "k" * 130]))
    planned = ground.tree.plan()

    assert planned.blocked == [("unsupported", "FirewallRule/web")]
    assert "comment of nft" in planned.out
