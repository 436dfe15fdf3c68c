"""Fetching by GitPython, the one place that imports it."""

import os
from pathlib import Path

from reconciler.source.git.program import Ended, GitProgram, command, unstartable


def fetched(program: GitProgram, git_dir: Path, url: str, refspec: str) -> Ended:
    """Brings what the refspec names, and nothing else, into the mirror.

    Started by GitPython's `Git.execute` and not by its `Remote.fetch`: that one reads FETCH_HEAD, which fetches share, and at a
    deadline it looks for processes to kill by their parents, which misses those whose parent has gone.
    """
    # GitPython raises at import when its first `git version` fails; that git is missing is ours to say.
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    import git as gitpython

    argv = command(git_dir, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--update-shallow", "--", url, refspec)
    # GitPython adds its variables to those of this process and can drop none: what we do not pass is made empty instead.
    ours = {"GIT_COMMON_DIR": git_dir, "GIT_OBJECT_DIRECTORY": git_dir / "objects", "GIT_WORK_TREE": git_dir}
    foreign = {name: str(ours.get(name, "")) for name in os.environ if name.startswith("GIT_") and name not in program.env}
    try:
        handle = gitpython.Git().execute(argv, as_process=True, env=foreign | program.env, start_new_session=True)
    except gitpython.GitCommandNotFound as error:
        raise unstartable(FileNotFoundError(2, "not found")) from error
    process = handle.proc
    assert process is not None
    return program.ended(process, argv)
