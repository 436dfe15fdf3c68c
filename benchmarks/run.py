"""Runs all benchmarks, one after another, each writing its own table into benchmarks/results.md. `--quick`: a few minutes."""

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_SCRIPTS = {
    "startup.py": ("--rounds", "10"),
    "planning.py": ("--rounds", "3", "--sizes", "10000"),
    "guests.py": ("--rounds", "10", "--sizes", "300"),
    "commit.py": ("--commits", "20"),
    "datasets.py": ("--rounds", "3", "--sizes", "500"),
    "linux.py": ("--rounds", "3", "--machine-rounds", "1"),
}
"""Each script with what makes it quick."""


def main() -> int:
    quick = sys.argv[1:] == ["--quick"]
    if sys.argv[1:] and not quick:
        sys.exit(f"{__doc__}\nEach script has options of its own: {', '.join(_SCRIPTS)} --help")
    for script, less in _SCRIPTS.items():
        print(f"{script}:", flush=True)
        if (code := subprocess.call([sys.executable, str(_HERE / script), *(less if quick else ())])) != 0:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
