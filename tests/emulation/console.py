"""Running commands on an emulated host the way a person would, and reading what they print."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from reconciler.emulation import EmulatedHost


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command line gave, as text."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def complaint(self) -> str:
        """What was said on stderr before the usage text."""
        return self.stderr.partition("usage:")[0]


def run(host: EmulatedHost, line: str) -> Printed:
    """The answer to a command line, quoted as in a shell."""
    answer = host.run(shlex.split(line))
    return Printed(answer.exit_code, answer.stdout.decode(), answer.stderr.decode())


def must(host: EmulatedHost, *lines: str) -> str:
    """Runs command lines that have to succeed; gives what the last one printed."""
    printed = Printed(0, "", "")
    for line in lines:
        printed = run(host, line)
        assert printed.exit_code == 0, f"{line}: {printed.stderr}"
    return printed.stdout


def value(host: EmulatedHost, name: str, property_name: str) -> tuple[str, str]:
    """Value and source of a property, as `zfs get -Hp` prints them."""
    shown = must(host, f"zfs get -Hp -o value,source {property_name} {shlex.quote(name)}").rstrip("\n")
    found, _, source = shown.rpartition("\t")
    return found, source
