"""Remotes over ssh, slow and broken ones, and several processes on one mirror."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.source.background import fetched
from reconciler.source.errors import SourceAway, SourceError
from reconciler.source.git.source import GitSource
from reconciler.source.limits import Limits
from tests.source.git_remote import Opener, Remote
from tests.source.ssh_stub import URL, calls, failing_first, hanging, honest, hung, wait_for

REFUSED = "ssh: connect to host host.invalid port 22: Connection refused"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_repository_is_fetched_by_ssh(remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    commit = remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = honest(tmp_path / "ssh")
    source = opened(repo=f"ssh://git@host.invalid{remote.path}")

    assert source.fetch() == commit
    assert all("git@host.invalid git-upload-pack" in call for call in calls(tmp_path / "ssh"))


def test_a_repository_is_fetched_by_an_address_as_scp_has_it(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path
) -> None:
    commit = remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = honest(tmp_path / "ssh")

    assert opened(repo=f"git@host.invalid:{remote.path}").fetch() == commit


def test_a_fetch_without_news_asks_once(remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = honest(tmp_path / "ssh")
    source = opened(repo=f"{URL}{remote.path}")
    source.fetch()
    before = len(calls(tmp_path / "ssh"))

    source.fetch()

    assert len(calls(tmp_path / "ssh")) - before == 1


def test_a_fetch_that_fails_for_a_passing_reason_is_tried_again(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path
) -> None:
    commit = remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = failing_first(tmp_path / "ssh", 2, REFUSED)
    pauses: list[float] = []
    source = opened(repo=f"{URL}{remote.path}", limits=Limits(patience_s=60), pause=pauses.append)

    assert source.fetch() == commit
    assert len(pauses) == 2


def test_without_patience_a_fetch_is_tried_once(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path
) -> None:
    remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = failing_first(tmp_path / "ssh", 1, REFUSED)

    with pytest.raises(SourceAway, match="Connection refused") as failed:
        opened(repo=f"{URL}{remote.path}").fetch()

    assert failed.value.transient
    assert len(calls(tmp_path / "ssh")) == 1


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        ("git@host.invalid: Permission denied (publickey).", "access"),
        ("Host key verification failed.", "known_hosts"),
        ("ERROR: Repository not found.", "address"),
        ("fatal: '/x' does not appear to be a git repository", "address"),
    ],
)
def test_what_a_person_must_mend_is_not_tried_again(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path, complaint: str, remedy: str
) -> None:
    remote.commit({"a.yaml": "a"})
    environ["GIT_SSH_COMMAND"] = failing_first(tmp_path / "ssh", 9, complaint)
    pauses: list[float] = []

    with pytest.raises(SourceAway) as failed:
        opened(repo=f"{URL}{remote.path}", limits=Limits(patience_s=60), pause=pauses.append).fetch()

    assert remedy in failed.value.remedy
    assert pauses == []


def test_what_a_remote_says_can_not_steer_the_terminal(
    remote: Remote, opened: Opener, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["GIT_SSH_COMMAND"] = failing_first(tmp_path / "ssh", 9, "$(printf '\\033[2Jgone')")

    with pytest.raises(SourceAway) as failed:
        opened(repo=f"{URL}{remote.path}").fetch()

    assert "\\x1b[2Jgone" in failed.value.cause
    assert "\x1b" not in str(failed.value)


def test_a_remote_that_hangs_is_given_up_and_its_ssh_killed(opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    environ["GIT_SSH_COMMAND"] = hanging(tmp_path / "ssh", pids)

    with pytest.raises(SourceAway, match=r"took too long: killed after 0\.5 s") as failed:
        opened(repo=f"{URL}/x", limits=Limits(command_s=0.5)).fetch()

    assert failed.value.transient
    wait_for(lambda: not is_alive(hung(pids)[0]), "the end of ssh")


def test_closing_ends_a_fetch_that_hangs(opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    environ["GIT_SSH_COMMAND"] = hanging(tmp_path / "ssh", pids)
    source = opened(repo=f"{URL}/x")
    failures: list[SourceError] = []

    def fetch() -> None:
        try:
            source.fetch()
        except SourceError as error:
            failures.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    wait_for(lambda: hung(pids), "a fetch that hangs")
    source.close()
    thread.join()

    assert "closed while git was running" in failures[0].cause
    wait_for(lambda: not is_alive(hung(pids)[0]), "the end of ssh")


def test_closing_ends_the_patience_of_a_fetch(opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    environ["GIT_SSH_COMMAND"] = failing_first(tmp_path / "ssh", 1_000_000, REFUSED)
    source = opened(repo=f"{URL}/x", limits=Limits(patience_s=1_000_000))
    failures: list[SourceError] = []

    def fetch() -> None:
        try:
            source.fetch()
        except SourceError as error:
            failures.append(error)

    thread = threading.Thread(target=fetch)
    thread.start()
    wait_for(lambda: len(calls(tmp_path / "ssh")) >= 2, "a second try")
    source.close()
    thread.join()

    assert len(failures) == 1


def test_a_closed_source_runs_nothing(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    source = opened()
    revision = source.fetch()
    source.close()

    with pytest.raises(SourceError, match="closed"):
        source.fetch()
    with pytest.raises(SourceError, match="closed"):
        source.tree(revision)


def test_closing_leaves_no_child(remote: Remote, opened: Opener) -> None:
    remote.commit({"a.yaml": "a"})
    others = children()
    source = opened()
    tree = source.tree(source.fetch())
    list(source.read(entry.blob for entry in tree.entries))
    kept = children() - others

    source.close()

    assert len(kept) == 1
    assert children() - others == set()


def children() -> set[int]:
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    return {int(pid) for pid in mine.read_text().split()}


def test_a_fetch_beside_the_event_loop_gives_the_revision(remote: Remote, opened: Opener) -> None:
    commit = remote.commit({"a.yaml": "a"})

    assert asyncio.run(fetched(opened())) == commit


def test_a_fetch_beside_the_event_loop_raises_what_went_wrong(opened: Opener, tmp_path: Path) -> None:
    with pytest.raises(SourceAway, match="does not appear to be a git repository"):
        asyncio.run(fetched(opened(repo=str(tmp_path / "nowhere"))))


def test_the_event_loop_ends_without_waiting_for_a_hung_fetch(opened: Opener, environ: dict[str, str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    environ["GIT_SSH_COMMAND"] = hanging(tmp_path / "ssh", pids)
    source = opened(repo=f"{URL}/x")

    async def give_up() -> None:
        waiting = asyncio.create_task(fetched(source))
        await asyncio.to_thread(wait_for, lambda: hung(pids), "a fetch that hangs")
        waiting.cancel()

    asyncio.run(give_up())

    assert is_alive(hung(pids)[0])


HUNG = """
import asyncio, os, sys
from pathlib import Path
from reconciler.source.background import fetched
from reconciler.source.location import located
from reconciler.source.opening import opened

async def main():
    waiting = asyncio.create_task(fetched(opened(located(repo=sys.argv[1]), Path(sys.argv[2]), os.environ)))
    while not os.path.exists(sys.argv[3]):
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def test_a_process_ends_without_waiting_for_a_hung_fetch(state: Path, environ: dict[str, str], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    env = environ | {"GIT_SSH_COMMAND": hanging(tmp_path / "ssh", pids), "PYTHONPATH": str(Path(__file__).parents[2])}

    ended = subprocess.run([sys.executable, "-c", HUNG, f"{URL}/x", str(state), str(pids)], env=env, timeout=60, check=False)

    assert ended.returncode == 0
    wait_for(lambda: hung(pids), "the hung process's id")
    os.killpg(os.getpgid(hung(pids)[0]), signal.SIGKILL)


FETCHING = """
import os, sys
from pathlib import Path
from reconciler.source.location import located
from reconciler.source.opening import opened
source = opened(located(repo=sys.argv[1], ref="main"), Path(sys.argv[2]), os.environ)
revision = source.fetch()
entries = source.tree(revision).entries
print(revision, b"".join(content for _, content in source.read(e.blob for e in entries)).decode())
source.close()
"""


def side_by_side(remote: Remote, state: Path, environ: dict[str, str], count: int) -> list[str]:
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FETCHING, str(remote.path), str(state)],
            env=environ | {"PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    ended = [process.communicate() for process in processes]
    assert [err for _, err in ended] == [""] * count
    return [out.strip() for out, _ in ended]


def test_several_processes_clone_and_fetch_at_once(remote: Remote, state: Path, environ: dict[str, str]) -> None:
    first = remote.commit({"a.yaml": "one"})
    assert side_by_side(remote, state, environ, 4) == [f"{first} one"] * 4

    second = remote.commit({"a.yaml": "two"})
    assert side_by_side(remote, state, environ, 4) == [f"{second} two"] * 4


@pytest.fixture
def lock_held(remote: Remote, opened: Opener, state: Path) -> Callable[[], int]:
    remote.commit({"a.yaml": "a"})
    opened().fetch()

    def hold() -> int:
        (lock,) = (state / "git").glob("*.lock")
        descriptor = os.open(lock, os.O_RDWR)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    return hold


def test_readers_do_not_wait_for_somebody_who_fetches(remote: Remote, opened: Opener, lock_held: Callable[[], int]) -> None:
    descriptor = lock_held()
    source: GitSource = opened()

    revision = source.fetch()
    blob = source.tree(revision).entries[0].blob
    assert (source.last_good(), dict(source.read([blob]))) == (revision, {blob: b"a"})
    os.close(descriptor)


def test_a_fetch_waits_for_another_ones_end(remote: Remote, opened: Opener, lock_held: Callable[[], int]) -> None:
    descriptor = lock_held()
    new = remote.commit({"a.yaml": "b"})

    def pause(_: float) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    assert opened(pause=pause).fetch() == new
    os.close(descriptor)


def test_a_fetch_that_another_keeps_away_gives_up(remote: Remote, opened: Opener, lock_held: Callable[[], int]) -> None:
    descriptor = lock_held()
    remote.commit({"a.yaml": "b"})

    with pytest.raises(SourceAway, match=r"another process has been fetching for 0\.3 s"):
        opened(limits=Limits(command_s=0.3), pause=time.sleep).fetch()
    os.close(descriptor)
