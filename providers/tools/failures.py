"""What a tool says when it fails, and what to make of it: the part that is alike for all tools."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reconciler.model.command import Completed, Ending, Failure, RetryClass

_LATER, _LOOK, _NEVER = RetryClass.LATER, RetryClass.LOOK_AGAIN, RetryClass.NEVER
_USAGE = 2
_NOT_FOUND = 127
_SHOWN_LINES = 4

LOOKS_ANEW = "run again: the next pass looks at it anew"


@dataclass(frozen=True, slots=True)
class Said:
    """Texts that the tools print for one trouble, what they mean, and what helps."""

    meaning: str
    remedy: str
    retry: RetryClass
    texts: tuple[str, ...]


def said(meaning: str, remedy: str, retry: RetryClass, *texts: str) -> Said:
    """An entry of a table."""
    return Said(meaning, remedy, retry, texts)


def failure(answer: Completed, table: Sequence[Said], judge: Callable[[Completed], Said | None] | None = None) -> Failure:
    """Cause, remedy and retry class of a command that did not exit 0; the cause ends with what the tool said.

    `judge` decides where it can; else the first entry of the table with a text that is found. Exit code 2 is a command that
    the tool does not take.
    """
    match answer.ending:
        case Ending.EXITED:
            return _exited(answer, table, judge)
        case Ending.NOT_FOUND:
            return _missing(answer)
        case Ending.SIGNALLED:
            return _unknown("it was ended by a signal", answer)
        case Ending.DEADLINE:
            return _unknown(f"it did not end within {answer.command.deadline_s:.0f} s", answer)
        case Ending.LOST:
            return _unknown("its answer was lost", answer)
        case Ending.TOO_MUCH:
            return _unknown("it printed more than any listing can be", answer)


def _exited(answer: Completed, table: Sequence[Said], judge: Callable[[Completed], Said | None] | None) -> Failure:
    if answer.exit_code == _NOT_FOUND:
        return _missing(answer)
    if answer.exit_code is not None and answer.exit_code > _NOT_FOUND:
        return _unknown("it was ended by a signal", answer)
    if judge is not None and (judged := judge(answer)) is not None:
        return Failure(_with_words(judged.meaning, answer), judged.remedy, judged.retry)
    for known in table:
        if any(text in answer.stderr for text in known.texts):
            retry = _NEVER if answer.exit_code == _USAGE else known.retry
            return Failure(_with_words(known.meaning, answer), known.remedy, retry)
    if answer.exit_code == _USAGE:
        return Failure(
            _with_words("this tool does not know the command as we write it", answer),
            f"compare with the usage of {answer.command.argv[0]} on the host; its version may not be supported",
            _NEVER,
        )
    cause = _with_words("it failed", answer)
    return Failure(cause, "run the command by hand on the host and look", _LATER)


def _missing(answer: Completed) -> Failure:
    tool = answer.command.argv[0]
    return Failure(f"the host has no {tool}", f"install {tool}, or correct the PATH of the host's transport", _NEVER)


def _unknown(what: str, answer: Completed) -> Failure:
    return Failure(_with_words(f"{what}; what it has done is not known", answer), LOOKS_ANEW, _LOOK)


def _with_words(cause: str, answer: Completed) -> str:
    """The cause with the exit code and the tool's own words; of a usage text only what stands before it."""
    said = _on_one_line(answer.stderr.partition("\nusage:")[0].strip() or answer.stdout.strip())
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if len(lines) > _SHOWN_LINES:
        # Some tools say first what failed, others last.
        lines = [*lines[: _SHOWN_LINES // 2], "...", *lines[-_SHOWN_LINES // 2 :]]
    told = [" / ".join(lines)] if lines else []
    if answer.exit_code is not None:
        told.insert(0, f"exit code {answer.exit_code}")
    return f"{cause} ({': '.join(told)})" if told else cause


def _on_one_line(said: str) -> str:
    """An object that is printed over many lines is one thing; any other text stays as it is."""
    if not said.startswith("{"):
        return said
    try:
        return json.dumps(json.loads(said))
    except (ValueError, RecursionError):
        return said
