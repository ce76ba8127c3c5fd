"""What the log is right now, for a checkpoint of it."""

from collections.abc import Callable

from infrastructure.audit.checkpoint import LogState
from infrastructure.postgres.log_rows import examine


class TamperedLogError(Exception):
    """The log is not what was recorded, so nothing is signed or proven; the message says where and what."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"Nothing is signed of a log that was tampered with; {problem}")


def log_state(
    database_url: str, *, begun: Callable[[int], Callable[[int], None]] = lambda _events: lambda _steps: None
) -> LogState:
    """The state of the log, which is examined first: nobody should sign what contradicts itself.

    Args:
        database_url: where the log is.
        begun: as ``examine`` has it.

    Raises:
        TamperedLogError: it is not what was recorded.
        psycopg.Error: it cannot be read.
    """
    state, difference = examine(database_url, begun=begun)
    if difference is not None:
        raise TamperedLogError(difference.described())
    return state
