"""The throw-away host itself, as examples/linux/run.sh makes and takes it away: one inside the host that the tests run on."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.real.linux_host import LinuxHost, until

RUN = Path(__file__).resolve().parents[2] / "examples/linux/run.sh"
HEAVY = ("libvirtd",)
"""What takes long to start, and most of these tests do not need."""

Without = Callable[..., dict[str, str]]
Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where the new hosts have their files."""
    place = tmp_path / "scratch"
    place.mkdir()
    return place


@pytest.fixture
def without(tmp_path: Path, scratch: Path) -> Without:
    """An environment in which some programs are not installed."""

    def made(*programs: str, **more: str) -> dict[str, str]:
        place = tmp_path / f"bin-{'-'.join(programs)}"
        place.mkdir(exist_ok=True)
        for folder in os.environ["PATH"].split(":"):
            for program in Path(folder).iterdir() if Path(folder).is_dir() else ():
                if program.name not in programs and not (place / program.name).is_symlink():
                    (place / program.name).symlink_to(program)
        return {**os.environ, "RECONCILER_REQUIRE_REAL": "", "TMPDIR": str(scratch), **more, "PATH": str(place)}

    return made


@pytest.fixture
def start(host: LinuxHost, without: Without, scratch: Path) -> Iterator[Run]:
    """Starts a command on a new host; at the end, everything that was made for any of them is gone."""
    running: list[subprocess.Popen[str]] = []

    def begun(*command: str, env: dict[str, str] | None = None, stdin: str = "") -> subprocess.Popen[str]:
        made = subprocess.Popen(
            [RUN, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=without(*HEAVY) if env is None else env,
        )
        running.append(made)
        assert made.stdin is not None
        with suppress(BrokenPipeError):
            made.stdin.write(stdin)
            made.stdin.flush()
        return made

    yield begun
    for made in running:
        made.kill()
        made.communicate(timeout=30)

    until(lambda: not _left(scratch), lambda: f"left: {_left(scratch)}")
    until(lambda: not host.processes(str(scratch)), lambda: "processes run on")
    assert len(host.processes("zfs-fuse --no-daemon")) == 1


def _left(scratch: Path) -> list[Path]:
    return [*scratch.iterdir(), *Path("/sys/fs/cgroup").glob("*/reconciler-host.*")]


def _said(running: subprocess.Popen[str]) -> str:
    """What its command says first, so that the host stands."""
    assert running.stdout is not None
    return running.stdout.readline().strip()


def _ended(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = running.communicate(timeout=60)
    return running.returncode, out, err


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -USR1 $$", 138), ("no-such-program", 127)])
def test_the_exit_code_is_the_commands(start: Run, script: str, code: int) -> None:
    assert _ended(start("sh", "-c", script))[0] == code


def test_the_command_reads_what_it_is_given_and_does_not_ignore_ctrl_c(start: Run) -> None:
    code, out, _ = _ended(start("sh", "-c", "cat; hostname; grep SigIgn /proc/self/status", stdin="one\ntwo words\n"))

    said, _, ignored = out.rstrip().rpartition("\n")
    assert (code, said) == (0, "one\ntwo words\nlinux01")
    assert int(ignored.split()[1], 16) & (1 << signal.SIGINT - 1 | 1 << signal.SIGQUIT - 1) == 0


def test_two_hosts_side_by_side_do_not_meet(start: Run, host: LinuxHost, without: Without) -> None:
    hosts = [start("sh", "-c", f"{_MAKE.format(number)} echo made; read line; {_LIST}", env=without()) for number in (1, 2)]
    assert [_said(one) for one in hosts] == ["made", "made"]

    assert [one for one in host.left() if "control group" not in one] == []
    for number, one in enumerate(hosts, start=1):
        out, err = one.communicate("go\n", timeout=60)
        assert (one.returncode, err) == (0, "")
        assert out.split() == [f"d{number}", f"tank/d{number}", f"l{number}", f"c{number}", f"t{number}"]


def test_folders_of_images_and_volumes_are_the_hosts_own(start: Run) -> None:
    folders = [Path(f"/var/lib/reconciler-{name}") for name in ("images", "volumes")]
    places = " ".join(f"{folder}/mine" for folder in folders)

    code, out, _ = _ended(start("sh", "-c", f"mkdir {places} && ls -d {places}"))

    assert (code, out.split()) == (0, places.split())
    assert not [folder for folder in folders if (folder / "mine").exists()]


_DOMAIN = "<domain type='qemu'><name>d{0}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
_MAKE = (
    f'echo "{_DOMAIN}" >/tmp/d{{0}}.xml && virsh -q define /tmp/d{{0}}.xml >/dev/null; rm /tmp/d{{0}}.xml; '
    "zfs create tank/d{0}; ip link add l{0} type bridge; mkdir /var/lib/lxc/c{0}; nft add table inet t{0};"
)
_LIST = (
    "virsh -q list --all --name; zfs list -H -o name | tail -n +2; ip -br link | grep -v ^lo | cut -d' ' -f1; "
    "ls /var/lib/lxc; nft list tables | cut -d' ' -f3"
)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_reaches_the_command_which_ends_as_it_likes(start: Run, sign: signal.Signals) -> None:
    name = sign.name.removeprefix("SIG")
    running = start("sh", "-c", f"trap 'echo told; exit 3' {name}; echo here; while :; do sleep 0.1; done")
    assert _said(running) == "here"

    running.send_signal(sign)

    assert _ended(running)[:2] == (3, "told\n")


@pytest.mark.parametrize("whom", ["the script", "the first process inside", "the command", "the daemon"])
def test_nothing_is_left_when_something_of_it_is_killed(start: Run, host: LinuxHost, scratch: Path, whom: str) -> None:
    running = start("sh", "-c", "zfs create tank/a && (setsid sleep 1000 &) && echo here && exec sleep 1001")
    assert _said(running) == "here"
    until(lambda: bool(host.processes("sleep 1001", whole=True)), lambda: "the command does not run")
    (first,) = (int(place.read_text()) for place in scratch.glob("*/pid"))
    pid = {
        "the script": lambda: running.pid,
        "the first process inside": lambda: first,
        "the command": lambda: host.processes("sleep 1001", whole=True)[0],
        "the daemon": lambda: max(host.processes("zfs-fuse --no-daemon")),
    }[whom]()

    os.kill(pid, signal.SIGKILL)
    if whom == "the daemon":
        running.terminate()

    code = _ended(running)[0]
    assert code == {"the script": -9, "the daemon": 143}.get(whom, 137)
    assert whom == "the script" or host.processes("sleep 1000", whole=True) == ()


def test_what_stays_when_even_the_sweeper_was_killed_goes_with_the_next_run(start: Run, host: LinuxHost, scratch: Path) -> None:
    running = start("sh", "-c", "echo here && exec sleep 1001")
    assert _said(running) == "here"
    (sweeper,) = [pid for pid in host.processes("--sweep") if _parent(pid) == running.pid]
    for pid in (sweeper, *(pid for pid in host.processes("flock") if _parent(pid) == sweeper), running.pid):
        os.kill(pid, signal.SIGKILL)
    _ended(running)
    assert len(list(scratch.iterdir())) == 1
    until(lambda: not host.processes("sleep 1001", whole=True), lambda: "the command runs on")

    assert _ended(start("true"))[0] == 0

    assert list(scratch.iterdir()) == []


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_what_is_missing_is_named_with_how_to_get_it(start: Run, without: Without) -> None:
    for program in ("zfs-fuse", "nft", "ip"):
        code, _, err = _ended(start("true", env=without(program)))
        assert code == 69
        assert err.startswith(f"no throw-away host: {program} is not installed; remedy: {RUN.parent}/install.sh")

    code, _, err = _ended(start("true", env=without("lxc-start", *HEAVY)))
    assert code == 0
    assert "left out: containers (lxc-start is not installed; remedy: " in err
    assert "left out: machines (libvirtd is not installed; remedy: " in err

    code, _, err = _ended(start("true", env=without("lxc-start", RECONCILER_REQUIRE_REAL="1")))
    assert code == 69
    assert "no throw-away host: containers: lxc-start is not installed; remedy: " in err
