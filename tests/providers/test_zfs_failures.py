"""What zfs says when it fails, and what we make of it."""

from collections.abc import Callable

import pytest

from providers.tools import failures
from providers.tools.zfs_errors import TABLE, says_gone
from reconciler.model.command import Command, Completed, Ending, Failure, RetryClass

NOW, LATER, LOOK, NEVER = RetryClass.NOW, RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
COMMAND = Command(("zfs", "set", "quota=1", "tank/a"))


def failure(answer: Completed) -> Failure:
    return failures.failure(answer, TABLE)


def exited(stderr: str, code: int = 1) -> Completed:
    return Completed(COMMAND, Ending.EXITED, code, stderr=stderr)


@pytest.mark.parametrize(
    ("stderr", "retry", "said", "reason"),
    [
        ("cannot destroy 'tank/a': dataset is busy\n", NOW, "in use", "zfs-fuse lets go a moment after the unmount"),
        ("cannot rename 'tank/a': dataset is busy\n", NOW, "in use", "the same"),
        ("cannot destroy snapshot tank/a@s: dataset is busy\n", NOW, "in use", "the newer wording"),
        ("umount: /x: target is busy.\ncannot unmount '/x': umount failed: 32\n", NOW, "in use", "open files on Linux"),
        ("cannot unmount '/export/x': Device busy\n", NOW, "in use", "open files on illumos"),
        (
            "cannot mount 'tank/a': mountpoint or dataset is busy\nproperty may be set but unable to remount filesystem\n",
            LATER,
            "could be mounted again",
            "the same command again would succeed and mount nothing",
        ),
        ("cannot create 'tank/a': dataset already exists\n", LOOK, "exists already", "somebody was faster, or it was us"),
        ("cannot open 'tank/a': dataset does not exist\n", LOOK, "not there any more", "somebody was faster"),
        ("could not find any snapshots to destroy; check snapshot names.\n", LOOK, "not there any more", "the same"),
        (
            "cannot mount '/proc/x/y': failed to create mountpoint\nfilesystem successfully created, but not mounted\n",
            LOOK,
            "could not be mounted",
            "it is there, and the next pass mounts it",
        ),
        ("cannot create 'tank/a/b': parent does not exist\n", LATER, "contain it", "the parent may come"),
        ("cannot create 'tank2/x': no such pool 'tank2'\n", LATER, "pool is not there", "the pool may be imported"),
        (
            "cannot destroy 'tank/a': filesystem has children\nuse '-r' to destroy the following datasets:\ntank/a/b\n",
            LOOK,
            "tank/a/b",
            "what was not planned is named, and never destroyed along",
        ),
        (
            "cannot destroy 'tank/a@s': snapshot has dependent clones\nuse '-R' to destroy the following datasets:\ntank/c\n",
            LOOK,
            "tank/c",
            "the clone is named",
        ),
        ("cannot destroy snapshot tank/a@s: snapshot is cloned\n", LOOK, "cloned", "the kernel's wording"),
        (
            "cannot set property for 'tank/a': size is less than current used or reserved space\n",
            LATER,
            "below what is used",
            "space may be freed",
        ),
        ("cannot create 'tank/z': out of space\n", LATER, "not enough space", "space may be freed"),
        ("cannot set property for 'tank/a': 'casesensitivity' is readonly\n", NEVER, "when the object is made", "create-only"),
        ("cannot set property for 'tank/a': 'compression' must be one of 'on | off'\n", NEVER, "on | off", "not in this ZFS"),
        ("cannot set property for 'tank/a': invalid property 'sync'\n", NEVER, "no such property", "not in this ZFS"),
        (
            "cannot set property for 'tank/a': 'mountpoint' cannot be set while dataset 'zoned' property is set\n",
            NEVER,
            "a zone manages it",
            "only the zone may",
        ),
        ("cannot open 'tank/a': permission denied\n", NEVER, "may not", "not root"),
        ("cannot unmount 'tank/a': not currently mounted\n", LOOK, "as wanted already", "the end of an earlier try"),
        ("cannot mount 'tank/a': filesystem already mounted\n", LOOK, "as wanted already", "the same"),
        ("cannot open 'tank': pool I/O is currently suspended\n", LATER, "stopped all I/O", "disks must be mended"),
    ],
)
def test_each_text_has_a_cause_and_a_retry_class(stderr: str, retry: RetryClass, said: str, reason: str) -> None:
    found = failure(exited(stderr))

    assert found.retry is retry, reason
    assert said in found.cause
    assert stderr.splitlines()[0] in found.cause
    assert found.remedy


def test_a_missing_daemon_is_something_to_start_on_the_host(zfs_fuse_output: Callable[[str], str]) -> None:
    found = failure(exited(zfs_fuse_output("no-daemon.txt")))

    assert found.retry is LATER
    assert "does not answer" in found.cause
    assert "start" in found.remedy


def test_wrong_usage_is_never_tried_again_and_does_not_print_the_usage(zfs_fuse_output: Callable[[str], str]) -> None:
    found = failure(exited(zfs_fuse_output("list-parsable.txt"), code=2))

    assert found.retry is NEVER
    assert "invalid option 'p'" in found.cause
    assert "PROPERTY" not in found.cause


@pytest.mark.parametrize("ending", [Ending.DEADLINE, Ending.SIGNALLED, Ending.LOST, Ending.TOO_MUCH])
def test_an_end_that_says_nothing_of_what_was_done_means_looking_again(ending: Ending) -> None:
    assert failure(Completed(COMMAND, ending, None)).retry is LOOK


def test_a_shells_word_for_a_signal_means_looking_again() -> None:
    assert failure(exited("internal error: out of memory\n", code=134)).retry is LOOK


@pytest.mark.parametrize("answer", [Completed(COMMAND, Ending.NOT_FOUND, None), exited("bash: zfs: command not found\n", 127)])
def test_a_missing_tool_needs_a_person(answer: Completed) -> None:
    found = failure(answer)

    assert found.retry is NEVER
    assert "no zfs" in found.cause


def test_unknown_words_are_shown_and_tried_later() -> None:
    found = failure(exited("cannot frobnicate: the moon is full\n"))

    assert found.retry is LATER
    assert "the moon is full" in found.cause


def test_no_text_of_the_table_hides_behind_an_earlier_one() -> None:
    for place, known in enumerate(TABLE):
        for text in known.texts:
            hiding = [earlier.meaning for earlier in TABLE[:place] if any(said in text for said in earlier.texts)]

            assert not hiding, text


@pytest.mark.parametrize(
    ("answer", "gone", "reason"),
    [
        (exited("cannot open 'tank/a': dataset does not exist\n"), True, "certain"),
        (exited("cannot open 'tank/a': no such pool\n"), True, "certain"),
        (exited("cannot open 'tank/a': permission denied\n"), False, "it may be there"),
        (exited("Please make sure that the zfs-fuse daemon is running.\n"), False, "we could not look"),
        (exited("parent does not exist\n"), False, "not about the object"),
        (exited("cannot open 'tank/a': dataset does not exist\n", 255), False, "the transport's own exit code"),
        (
            Completed(COMMAND, Ending.LOST, None, stderr="cannot open 'tank/a': dataset does not exist\n"),
            False,
            "half an answer",
        ),
    ],
)
def test_gone_is_only_what_the_tool_says_is_gone(answer: Completed, gone: bool, reason: str) -> None:
    assert says_gone(answer) is gone, reason
