"""The log's partitions: each holds the events of a range of positions, and the next one is made before it is needed."""

from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres.patience import LONG_SECONDS, Pool

SIZE = 10_000_000
"""Positions in a new partition."""

_RANGE = "SELECT first_position, last_position FROM event_partitions WHERE %s BETWEEN first_position AND last_position"

_EXTEND = "SELECT extend_events(%s, %s)"

_EXTEND_AHEAD = "SELECT extend_events(position + 1 + %(size)s, %(size)s) FROM log_head"


class CurrentPartition:
    """The partition at the end of the log, remembered from one append to the next."""

    def __init__(self) -> None:
        self._first, self._last = 0, -1

    def first_position(self, connection: Connection[TupleRow], position: int) -> int | None:
        """Where the partition begins that the position is in; None when nobody has made it yet."""
        if not self._first <= position <= self._last:
            row = connection.execute(_RANGE, (position,)).fetchone()
            if row is None:
                return None
            self._first, self._last = row
        return self._first


def extend(connection: Connection[TupleRow], position: int) -> None:
    """Make a partition for the position, and all that are missing before it."""
    connection.execute(_EXTEND, (position, SIZE))


async def extend_ahead(pool: Pool) -> None:
    """Make the partition beyond the one at the end of the log, so that no append has to.

    Raises:
        psycopg.Error: the database cannot be reached, or something else changes the table just now.
    """
    async with pool.connection(answer_seconds=LONG_SECONDS) as connection:
        await connection.execute(_EXTEND_AHEAD, {"size": SIZE})
