"""The vocabulary check: words that we gave up for another, wherever people read or write code or documents of ours.

Run by `make check`; prints each place and ends with 1 when there is one.
"""

import re
import subprocess
import sys
from pathlib import Path

GIVEN_UP = {
    r"actual[ _]state": "observed",
    r"current[ _]state": "observed",
    r"live[ _]state": "observed",
    r"real[ _]state": "observed",
    r"target[ _]state": "resource (or desired state, for all of them)",
    r"change[ _]?set": "plan",
    r"execution plan": "plan",
    r"playbook": "manifest",
    r"desired config(?:uration)?": "manifest, or desired state",
    r"connector": "transport",
    r"drivers?": "provider",
    r"operand": "resource",
    r"tomb ?stone": "mark",
    r"owner tag": "mark",
    r"commit hash": "revision",
    r"out[- ]of[- ]sync": "drifted",
    r"(?:re)?sync(?:ed|ing|s)? status": "converged, or a condition",
    r"applied state": "ledger",
    r"state database": "ledger, or state file",
    r"failed to look": "unreadable",
}
"""Pattern, and the word to use instead (docs/architecture.md, "Words")."""

LOOKED_AT = ("reconciler/", "providers/", "docs/", "README.md", "desired-state/", "examples/")
LEFT_OUT = ("reconciler/emulation/", "providers/tools/")
"""Other people's words: the text of the tools that are emulated and read."""


def places(root: Path) -> list[str]:
    """`path:line: word: use ... instead` for each word found."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
    )
    found = []
    for name in sorted(listed.stdout.splitlines()):
        if not name.startswith(LOOKED_AT) or name.startswith(LEFT_OUT) or not (root / name).is_file():
            continue
        for number, line in enumerate((root / name).read_text("utf-8", "replace").splitlines(), start=1):
            for pattern, instead in GIVEN_UP.items():
                if match := re.search(rf"\b{pattern}\b", line, re.IGNORECASE):
                    found.append(f"{name}:{number}: {match[0]!r}: use {instead} instead")
    return found


if __name__ == "__main__":
    complaints = places(Path(__file__).resolve().parents[2])
    print("\n".join(complaints) or "vocabulary: no word that we gave up")
    sys.exit(bool(complaints))
