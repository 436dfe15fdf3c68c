"""The datalinks of a host as rows: active ones, and those that come back at the next boot."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.emulation.state import State

LINK_SCHEMA = """
CREATE TABLE link (
    id INTEGER PRIMARY KEY AUTOINCREMENT, namespace TEXT NOT NULL, name TEXT NOT NULL, class TEXT NOT NULL,
    active INTEGER NOT NULL, persistent INTEGER NOT NULL,
    over INTEGER REFERENCES link (id) ON DELETE SET NULL, port_of INTEGER REFERENCES link (id) ON DELETE SET NULL,
    mac TEXT NOT NULL, mac_type TEXT NOT NULL, vid INTEGER NOT NULL, mtu INTEGER NOT NULL, zone TEXT NOT NULL,
    state TEXT NOT NULL, policy TEXT NOT NULL, lacp TEXT NOT NULL, timer TEXT NOT NULL, UNIQUE (namespace, name)
);
CREATE INDEX link_over ON link (over);
CREATE INDEX link_zone ON link (zone);
CREATE TABLE link_property (
    link INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (link, name)
) WITHOUT ROWID;
CREATE TABLE stored_property (
    link INTEGER NOT NULL REFERENCES link (id) ON DELETE CASCADE, name TEXT NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (link, name)
) WITHOUT ROWID;
CREATE TABLE address (
    name TEXT PRIMARY KEY, interface TEXT NOT NULL, type TEXT NOT NULL, state TEXT NOT NULL, address TEXT NOT NULL,
    persistent INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE route (destination TEXT PRIMARY KEY, gateway TEXT NOT NULL, interface TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE usbkey (place INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, value TEXT NOT NULL);
"""

PHYS, AGGR, VLAN, VNIC, ETHERSTUB = "phys", "aggr", "vlan", "vnic", "etherstub"
_COLUMNS = (
    "id, namespace, name, class, active, persistent, over, port_of, mac, mac_type, vid, mtu, zone, state, policy, lacp, timer"
)


@dataclass(frozen=True, slots=True)
class Link:
    """One datalink."""

    id: int
    namespace: str
    """The zone whose namespace the name belongs to; empty for the global zone."""
    name: str
    kind: str
    """phys, aggr, vlan, vnic or etherstub."""
    active: int
    persistent: int
    over: int | None
    """The link that a VNIC or VLAN stands on."""
    port_of: int | None
    """The aggregation that a physical link belongs to."""
    mac: str
    mac_type: str
    """As show-vnic prints it: fixed, random, factory."""
    vid: int
    """VLAN id, 0 for none."""
    mtu: int
    zone: str
    """The running zone that has the link; empty for the global zone."""
    state: str
    """up, down or unknown."""
    policy: str
    """Of an aggregation: L2, L3, L4 joined by commas."""
    lacp: str
    """Of an aggregation: off, active or passive."""
    timer: str
    """Of an aggregation: short or long."""


def links(state: State) -> list[Link]:
    """All links of all zones in the order of their making."""
    return [Link(*row) for row in state.rows(f"SELECT {_COLUMNS} FROM link ORDER BY id")]


def link_named(state: State, name: str, namespace: str = "") -> Link | None:
    """The link of that name, active or only stored."""
    if not name.isascii():
        return None
    row = state.row(f"SELECT {_COLUMNS} FROM link WHERE namespace = ? AND name = ?", namespace, name)
    return Link(*row) if row else None


def link_with_id(state: State, number: int) -> Link:
    """A link that is known to exist."""
    row = state.row(f"SELECT {_COLUMNS} FROM link WHERE id = ?", number)
    assert row is not None
    return Link(*row)


def links_over(state: State, link: Link) -> list[Link]:
    """The VNICs and VLANs that stand on a link."""
    return [Link(*row) for row in state.rows(f"SELECT {_COLUMNS} FROM link WHERE over = ? ORDER BY id", link.id)]


def is_taken(state: State, lower: Link, mac: str, vid: int) -> bool:
    """Whether an active link over `lower` has that address in that VLAN."""
    return state.row("SELECT 1 FROM link WHERE over = ? AND active AND mac = ? AND vid = ?", lower.id, mac, vid) is not None


def ports(state: State, aggregation: Link) -> list[Link]:
    """The physical links of an aggregation."""
    return [Link(*row) for row in state.rows(f"SELECT {_COLUMNS} FROM link WHERE port_of = ? ORDER BY id", aggregation.id)]


def add_link(
    state: State,
    name: str,
    kind: str,
    *,
    persistent: bool,
    namespace: str = "",
    over: Link | None = None,
    mac: str = "",
    mac_type: str = "",
    vid: int = 0,
    mtu: int,
    zone: str = "",
    link_state: str = "up",
    policy: str = "",
    lacp: str = "",
    timer: str = "",
) -> Link:
    """Makes an active link; its name must be free."""
    number = state.write(
        "INSERT INTO link (namespace, name, class, active, persistent, over, mac, mac_type, vid, mtu, zone, state, policy, lacp"
        ", timer) VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        namespace, name, kind, int(persistent), over.id if over else None, mac, mac_type, vid, mtu, zone, link_state,
        policy, lacp, timer,
    )  # fmt: skip
    return link_with_id(state, number)


def update_link(state: State, link: Link, /, **columns: object) -> None:
    """Changes columns of a link's row."""
    assignments = ", ".join(f"{column} = ?" for column in columns)
    state.write(f"UPDATE link SET {assignments} WHERE id = ?", *columns.values(), link.id)


def remove_link(state: State, link: Link) -> None:
    """Takes a link away with its properties."""
    state.write("DELETE FROM link WHERE id = ?", link.id)
