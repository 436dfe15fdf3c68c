"""Floors 0 and 1 and the providers do no I/O: a whole validation and plan under an audit hook."""

import subprocess
import sys

SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.purity_run import load_and_plan, prepared

prepared = prepared(Path(sys.argv[1]))
FORBIDDEN = ("open", "os.", "subprocess.", "socket.", "shutil.", "tempfile.", "sqlite3.", "pathlib.", "ctypes.")


def refuse(event, arguments):
    if armed and event.startswith(FORBIDDEN):
        raise RuntimeError(f"I/O on a pure floor: {event} {arguments!r}")


armed = False
load_and_plan(prepared)
sys.addaudithook(refuse)
armed = True
load_and_plan(prepared)
armed = False
print("pure")
"""


def test_validating_and_planning_touch_no_file_process_or_socket() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, "desired-state"], check=False, capture_output=True, text=True)

    assert (done.stdout, done.stderr, done.returncode) == ("pure\n", "", 0)
