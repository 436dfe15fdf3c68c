"""A benchmark inside examples/linux/run.sh: with a pool `tank` of its own, which nothing outside sees."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_INSIDE = "RECONCILER_BENCH_INSIDE"


def inside_pool() -> int | None:
    """Runs this script again with a pool and gives its exit code; None when there is one already."""
    if os.environ.get(_INSIDE) == "1":
        return None
    command = [str(_ROOT / "examples/linux/run.sh"), sys.executable, *sys.argv]
    return subprocess.call(command, env={**os.environ, _INSIDE: "1"})
