"""What a document tells: its console blocks, each command with what it shows of its output."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sessions(document: Path) -> list[tuple[str, str]]:
    """Commands and what the document shows of their output, in order."""
    blocks = re.findall(r"^```console\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    return [
        (command, shown)
        for block in blocks
        for command, shown in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]


def pattern(shown: str) -> re.Pattern[str]:
    """What the output must be: `…` alone on a line stands for any lines, inside a line for any text."""
    parts = []
    for line in shown.splitlines():
        if line == "…":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(piece) for piece in line.split("…")) + r"\n")
    return re.compile("".join(parts))


def exit_code(command: str) -> int:
    """What the document says that a command ends with."""
    wanted = re.search(r"# ends with (\d+)", command)
    return int(wanted[1]) if wanted else 0
