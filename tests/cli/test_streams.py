"""Results on stdout, all else on stderr; and streams that are closed, full, or have lost their reader."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.children import Shell
from tests.e2e.ground import Ground, dataset

NOISE = ("Traceback", "internal error", "Exception ignored", "BrokenPipeError")


@pytest.fixture
def wide(ground: Ground) -> Ground:
    """More output than a pipe holds."""
    ground.write(*(dataset(f"tank/a{number}", site__note="x" * 500) for number in range(100)))
    return ground


def piped(shell: Shell, *arguments: str, stdout: int, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    return subprocess.Popen(
        shell.arguments(*arguments),
        cwd=shell.directory,
        env=shell.variables,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
    )


def closed_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize("output", ["text", "json"])
def test_a_reader_that_stops_early_is_no_trouble(wide: Ground, shell: Shell, output: str) -> None:
    process = piped(shell, "plan", "tree", "--output", output, stdout=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.read(10)
    process.stdout.close()
    assert process.stderr is not None
    told = process.stderr.read()
    code = process.wait()
    process.stderr.close()

    assert len(first) == 10
    assert code == 1
    assert not any(sign in told for sign in NOISE), told


@pytest.mark.parametrize("command", [("plan", "tree", "--output", "json"), ("providers",)])
def test_a_pipe_that_nobody_ever_read_is_no_trouble(ground: Ground, shell: Shell, command: tuple[str, ...]) -> None:
    writing = closed_pipe()
    process = piped(shell, *command, stdout=writing)
    os.close(writing)
    _, told = process.communicate()

    assert process.returncode == 1
    assert not any(sign in told for sign in NOISE), told


def test_an_apply_goes_on_when_nobody_reads_its_progress(ground: Ground, shell: Shell) -> None:
    ground.write(dataset("tank/a"), dataset("tank/a/b"), dataset("tank/a/b/c"))
    reading, writing = os.pipe()
    process = piped(shell, "apply", "tree", "--yes", stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    with os.fdopen(reading) as plan:
        # The plan is shown; then whoever read it leaves.
        for line in plan:
            if line.startswith("3 to create"):
                break
    process.wait()

    assert process.returncode == 0
    assert ground.names() >= {"tank/a", "tank/a/b", "tank/a/b/c"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_under_the_output_is_told(ground: Ground, shell: Shell) -> None:
    with open("/dev/full", "w") as full:
        process = piped(shell, "plan", "tree", stdout=full.fileno())
    _, told = process.communicate()

    assert process.returncode == 1
    assert "no space left on device" in told
    assert not any(sign in told for sign in NOISE), told


@pytest.mark.parametrize(
    ("closed", "command", "code"),
    [
        ("<&-", ("apply", "tree"), 64),
        ("<&-", ("apply", "tree", "--yes"), 0),
        (">&-", ("plan", "tree", "--output", "json"), 0),
        ("2>&-", ("apply", "tree", "--yes"), 0),
    ],
)
def test_closed_descriptors_are_no_trouble(
    ground: Ground, shell: Shell, closed: str, command: tuple[str, ...], code: int
) -> None:
    ground.write(dataset("tank/a"))

    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *shell.arguments(*command)],
        cwd=shell.directory,
        env=shell.variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert not any(sign in done.stderr for sign in NOISE), done.stderr
    assert ("tank/a" in ground.names()) == ("--yes" in command)


def test_results_are_on_stdout_and_warnings_and_progress_on_stderr(ground: Ground, shell: Shell) -> None:
    (ground.tree / "repository.yaml").unlink()
    ground.write(dataset("tank/a"))

    planned, applied, again = shell.run("plan", "tree"), shell.run("apply", "tree", "--yes"), shell.run("render", "tree")

    assert "create  Dataset/tank/a" in planned.out
    assert "warning" in planned.err
    assert "warning" not in planned.out + applied.out + again.out
    assert applied.out == "h: converged (1 action)\n"
    assert "succeeded  create" in applied.err
    assert again.out.startswith("# hosts/h/objects.yaml:1\napiVersion: reconciler/v1\n")
