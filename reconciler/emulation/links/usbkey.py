"""`/usbkey/config` of SmartOS: the keys that outlive a reboot (smartos-vmadm.md 12)."""

from __future__ import annotations

from reconciler.emulation.state import State

CONFIG_PATH = "/usbkey/config"


def config(state: State) -> dict[str, str]:
    """All keys with their values, in the file's order."""
    return dict(state.rows("SELECT key, value FROM usbkey ORDER BY place"))


def config_text(state: State) -> str:
    """The text of the file."""
    lines = ["#", "# This file was auto-generated and must be source-able by bash.", "#", ""]
    return "".join(f"{line}\n" for line in (*lines, *(f"{key}={value}" for key, value in config(state).items())))


def set_key(state: State, key: str, value: str) -> None:
    """Writes a key; a new one goes to the end."""
    state.write(
        "INSERT INTO usbkey (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value
    )


def drop_key(state: State, key: str) -> None:
    """Takes a key away."""
    state.write("DELETE FROM usbkey WHERE key = ?", key)
