"""What the log is right now, for a checkpoint of it."""

from collections.abc import Callable

from infrastructure.archives.files import Archive
from infrastructure.audit.checkpoint import LogState
from infrastructure.postgres.log_rows import examine


class TamperedLogError(Exception):
    """The log is not what was recorded, so nothing is signed or proven; the message says where and what."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"Nothing is signed of a log that was tampered with; {problem}")


def log_state(
    database_url: str,
    archive: Archive | None = None,
    *,
    begun: Callable[[int], Callable[[int], None]] = lambda _events: lambda _steps: None,
) -> LogState:
    """The state of the log, which is examined first: nobody should sign what contradicts itself.

    Args:
        database_url: where the log is.
        archive: the beginning of the log, where it is not in the database any more.
        begun: as ``examine`` has it.

    Raises:
        TamperedLogError: it is not what was recorded.
        EventsArchivedError: its beginning is archived, and there is no ``archive`` of it.
        ArchiveError: the archive cannot be read.
        psycopg.Error: it cannot be read.
    """
    state, difference = examine(database_url, archive=archive, begun=begun)
    if difference is not None:
        raise TamperedLogError(difference.described())
    return state
