"""Measures what `--help` costs over a bare start of Python. Writes its table into benchmarks/results.md."""

import argparse
import subprocess
import sys
from pathlib import Path

from results import write
from turns import Times


def main() -> int:
    options = _options()
    floor, ours = Times(), Times()
    reconciler = str(Path(sys.executable).parent / "reconciler")
    for _ in range(options.rounds):
        floor.take(lambda: subprocess.run([sys.executable, "-I", "-c", "pass"], check=True))
        ours.take(lambda: subprocess.run([reconciler, "--help"], check=True, stdout=subprocess.DEVNULL))
    figure = ours.figure("`--help`; floor: `python -I -c pass`", floor, 5.0)
    print(figure.row())
    if not options.dry:
        write("Start", f"Median of {options.rounds} rounds in which floor and ours take turns.", [figure])
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
