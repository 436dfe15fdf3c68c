"""A host made by an older version gets the tables that it lacks when it is opened."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path

import pytest

from reconciler.emulation import EmulatedHost, EmulationError
from reconciler.emulation.parts import PARTS
from tests.emulation.console import must


def _older(path: Path, system: str) -> None:
    """A host as the first layout had it: datasets only."""
    with EmulatedHost.open(path, system=system, hostname="hv01", links=["ixgbe0", "ixgbe1"], clock=lambda: 1.8e9) as host:
        must(host, f"zfs create {'zones' if system == 'smartos' else 'tank'}/kept")
    connection = sqlite3.connect(path, isolation_level=None)
    schema = "".join(PARTS[name]().schema for name in PARTS)
    for table, column in re.findall(r"ALTER TABLE (\w+) ADD COLUMN (\w+)", schema):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    made = re.findall(r"CREATE TABLE (\w+)", schema)
    assert "link" in made
    for table in reversed(made):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM fact WHERE name = 'parts'")
    connection.execute("PRAGMA user_version = 1")
    connection.close()


def _layout(path: Path) -> int:
    connection = sqlite3.connect(path)
    found: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return found


@pytest.mark.parametrize(
    ("system", "dataset"), [("smartos", "zones/kept"), ("omnios", "tank/kept"), ("linux-zfs-fuse", "tank/kept")]
)
def test_a_host_of_the_first_layout_is_brought_up(tmp_path: Path, system: str, dataset: str) -> None:
    path = tmp_path / "host.db"
    _older(path, system)

    with EmulatedHost.open(path) as host:
        assert host.storage.exists(dataset)
        assert host.links.names() == (() if system == "linux-zfs-fuse" else ("ixgbe0", "ixgbe1"))
        assert [tag.link for tag in host.links.tags()] == (["ixgbe0", "ixgbe1"] if system == "smartos" else [])
        host.reboot()

    assert _layout(path) == 2


def test_a_brought_up_host_is_as_a_new_one(tmp_path: Path) -> None:
    shown = []
    for name in ("old", "new"):
        path = tmp_path / f"{name}.db"
        if name == "old":
            _older(path, "smartos")
        links = ["ixgbe0", "ixgbe1"]
        with EmulatedHost.open(path, system="smartos", hostname="hv01", links=links, clock=lambda: 1.8e9) as host:
            shown.append(
                [must(host, line) for line in ("cat /usbkey/config", "dladm show-phys -m", "ipadm show-addr", "sysinfo")]
            )

    assert shown[0] == shown[1]


def test_many_may_open_an_older_host_at_once(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    _older(path, "smartos")
    seen: list[tuple[str, ...]] = []

    def look() -> None:
        with EmulatedHost.open(path) as host:
            seen.append(host.links.names())

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [("ixgbe0", "ixgbe1")] * 8


def test_a_host_of_a_newer_layout_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host.db"
    EmulatedHost.open(path, system="omnios").close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA user_version = 3")
    connection.close()

    with pytest.raises(EmulationError, match="no emulated host's state of layout 1 to 2"):
        EmulatedHost.open(path)
