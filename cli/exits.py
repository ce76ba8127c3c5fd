"""How a command ends: an exit code and, when it failed, one sentence for a person."""

import os
import sys
from enum import IntEnum

_OUR_PACKAGES = frozenset({"domain", "application", "projections", "infrastructure", "api", "cli"})
_CONNECTING_PACKAGES = frozenset({"httpx2", "redis"})


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    FAILED = 1
    MISUSE = 2
    DIFFERENCE = 3
    LAG = 4
    ALREADY_RUNNING = 5


class CommandError(Exception):
    """The command cannot do what was asked; the message says why and, where somebody can help it, what to do."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def explained(error: Exception) -> CommandError:
    """The error as a sentence. Those of our own packages say themselves, and so do those of what we connect to.

    Anything else is a defect of this program, and is reported like every unexpected error; Python's development mode (``python -X dev``) shows where it is.
    """
    if isinstance(error, CommandError):
        return error
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    said = " ".join(str(error).split()) or kind.__name__
    if package in _OUR_PACKAGES:
        if kind.__name__ == "StoreUnavailableError":
            return CommandError(f"The database cannot be used: {said}")
        if kind.__name__ == "EventsArchivedError":
            return CommandError(f"{said}: give --archive DIR to a command that takes it, or `orderlog events restore`")
        misuse = kind.__name__ == "SettingsError"
        return CommandError(str(error), ExitCode.MISUSE if misuse else ExitCode.FAILED)
    if package == "psycopg":
        return CommandError(f"The database cannot be used: {said}")
    if isinstance(error, OSError) or package in _CONNECTING_PACKAGES:
        return CommandError(said)
    if sys.flags.dev_mode:
        raise error
    from infrastructure.errors import report_defect  # noqa: PLC0415 - there are none, mostly

    error_id = report_defect(error, os.environ)
    return CommandError(
        f"This is a defect of orderlog ({kind.__name__}: {error}), reported as {error_id}; PYTHONDEVMODE=1 shows where it is"
    )
