"""A host to work on, emulated or real, with the command line pointed at it."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconciler.cli.main import run
from reconciler.emulation.host import EmulatedHost

HOST = "apiVersion: reconciler/v1\nkind: Host\nmetadata: {{name: h}}\nspec:\n  transport: {transport}\n"
REPOSITORY = "apiVersion: reconciler/v1\nkind: Repository\nmetadata: {name: tests}\n"


@dataclass(frozen=True)
class Said:
    """The end of one command line."""

    exit_code: int
    out: str
    err: str


@dataclass
class Ground:
    """One host named `h` with a pool; `zfs` runs a command there behind the reconciler's back."""

    root: Path
    pool: str
    transport: str
    zfs: Callable[..., str]
    capture: pytest.CaptureFixture[str]
    has_volumes: bool = True
    """Whether its ZFS has zvols."""
    compression: str = "lz4"
    tree: Path = field(init=False)

    def __post_init__(self) -> None:
        self.tree = self.root / "tree"
        (self.tree / "hosts/h").mkdir(parents=True)
        (self.tree / "repository.yaml").write_text(REPOSITORY)
        (self.tree / "hosts/h/host.yaml").write_text(HOST.format(transport=self.transport))

    @property
    def state(self) -> Path:
        return self.root / "state"

    def write(self, *manifests: str) -> None:
        """The host's manifests, all of them."""
        (self.tree / "hosts/h/objects.yaml").write_text("\n---\n".join(manifests) or "# nothing\n")

    def reconciler(self, command: str, *arguments: str) -> Said:
        """Runs one command line over the tree."""
        self.capture.readouterr()
        code = run([command, str(self.tree), "--state", str(self.state), *arguments])
        shown = self.capture.readouterr()
        return Said(code, shown.out, shown.err)

    def apply(self) -> Said:
        return self.reconciler("apply", "--yes")

    def converges(self) -> Said:
        """One apply ends with 0, and the plan after it is empty."""
        applied = self.apply()
        assert applied.exit_code == 0, applied.out + applied.err
        assert "h: converged" in applied.out
        after = self.reconciler("plan", "--exit-code")
        assert after.exit_code == 0, after.out + after.err
        return applied

    def value(self, name: str, prop: str) -> tuple[str, str]:
        """Value and source of a property."""
        line = self.zfs("get", "-Hp", "-o", "value,source", prop, name)
        value, _, source = line.rstrip("\n").partition("\t")
        return value, source

    def names(self) -> set[str]:
        """All datasets and volumes below the pool, without it."""
        listed = self.zfs(
            "list", "-H", "-r", "-t", "filesystem,volume" if self.has_volumes else "filesystem", "-o", "name", self.pool
        )
        return set(listed.split()) - {self.pool}


def dataset(name: str, lifecycle: str = "{}", moved_from: str = "", **properties: object) -> str:
    """A Dataset manifest; property names with `__` for a colon."""
    lines = "".join(f"    {key.replace('__', ':')}: {value}\n" for key, value in properties.items())
    moved = f"  movedFrom: {moved_from}\n" if moved_from else ""
    spec = f"spec:\n  properties:\n{lines}" if lines else "spec: {}\n"
    return f"apiVersion: reconciler/v1\nkind: Dataset\nmetadata:\n  name: {name}\n{moved}lifecycle: {lifecycle}\n{spec}"


def volume(name: str, size: str, lifecycle: str = "{}") -> str:
    return (
        f"apiVersion: reconciler/v1\nkind: Volume\nmetadata:\n  name: {name}\nlifecycle: {lifecycle}\nspec:\n  size: {size}\n"
    )


def emulated(root: Path, system: str, pool: str, capture: pytest.CaptureFixture[str]) -> Ground:
    """An emulated host in the state directory."""
    ground: Ground

    def zfs(*argv: str) -> str:
        path = ground.state / "hosts" / "h.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        with EmulatedHost.open(path, system=system, hostname="h") as host:
            answer = host.drift(("zfs", *argv))
        assert answer.exit_code == 0, answer.stderr.decode()
        return answer.stdout.decode()

    ground = Ground(root, pool, f"{{type: emulated, system: {system}}}", zfs, capture)
    return ground


def real(root: Path, pool: str, capture: pytest.CaptureFixture[str]) -> Ground:
    """This machine with a zfs-fuse pool."""

    def zfs(*argv: str) -> str:
        for _ in range(60):
            done = subprocess.run(["zfs", *argv], check=False, capture_output=True, text=True, timeout=60)
            if "dataset is busy" not in done.stderr:
                break
            # zfs-fuse lets go of an unmounted dataset a little later (linux-host.md, "Busy").
            time.sleep(0.05)
        assert done.returncode == 0, f"zfs {argv}: {done.stderr}"
        return done.stdout

    return Ground(root, pool, "{type: local}", zfs, capture, has_volumes=False, compression="gzip")
