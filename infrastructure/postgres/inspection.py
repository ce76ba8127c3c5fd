"""What an operator wants to know of a database at a glance: where the log ends, and whether that holds together."""

from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from infrastructure.postgres.connecting import conninfo

_LOG_HEAD = """
SELECT head.position, head.recorded_at, clock_timestamp(),
       coalesce(last.position, 0) = head.position AND (last.position IS NULL OR last.hash = head.hash)
FROM log_head AS head LEFT JOIN (SELECT position, hash FROM events ORDER BY position DESC LIMIT 1) AS last ON true
"""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The end of the log. ``agrees``: it is where the last event is, and has that event's hash."""

    position: int
    recorded_at: datetime | None
    database_time: datetime
    agrees: bool


def log_head(database_url: str) -> LogHead:
    """Look at the end of the log.

    Raises:
        psycopg.Error: the database cannot be reached, or has no log.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        row = connection.execute(_LOG_HEAD).fetchone()
    if row is None:
        raise psycopg.DataError("log_head has lost its only row")
    position, recorded_at, database_time, agrees = row
    return LogHead(position, recorded_at.astimezone(UTC) if position else None, database_time.astimezone(UTC), agrees)


def checkpoints(database_url: str) -> dict[str, int]:
    """How far each reader of the log has come, by name.

    Raises:
        psycopg.Error: the database cannot be reached, or has no log.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        return dict(connection.execute("SELECT name, position FROM checkpoints ORDER BY name").fetchall())
