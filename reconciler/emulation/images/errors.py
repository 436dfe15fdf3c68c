"""How imgadm says that it could not do something."""

from __future__ import annotations


class ImgadmError(Exception):
    """A command that fails: its code, its sentence and the exit code."""

    def __init__(self, code: str, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code


def not_installed(pool: str, uuid: str) -> ImgadmError:
    """The image is not on that pool."""
    return ImgadmError("ImageNotInstalled", f'image "{uuid}" was not found on zpool "{pool}"', exit_code=3)


def usage(message: str) -> ImgadmError:
    """The command line is wrong."""
    return ImgadmError("Usage", message)
