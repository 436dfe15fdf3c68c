"""Why bytes are not YAML that we take, and where."""

from reconciler.model.errors import ReconcilerError


class YamlError(ReconcilerError):
    """A place in a file (line and column count from 1), what is wrong there, and what to do."""

    def __init__(self, line: int, column: int, cause: str, remedy: str) -> None:
        super().__init__(cause, remedy=remedy)
        self.line = line
        self.column = column
