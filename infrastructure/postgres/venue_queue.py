"""How many orders wait for the venue: told by the worker that leads, and known to every process that takes orders."""

import logging

import psycopg

from infrastructure.postgres.heartbeats import beat
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.refreshing import Refreshed

log = logging.getLogger(__name__)

_NAME = "venue_queue"
_REFRESH_SECONDS = 1.0

_TOLD = f"SELECT detail::bigint, at FROM heartbeats WHERE name = '{_NAME}'"  # noqa: S608 - of a constant


async def tell_queue(pool: Pool, waiting: int) -> None:
    """Say how many orders the venue has not acknowledged yet.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    await beat(pool, _NAME, str(waiting), is_ok=True)


class VenueQueue(Refreshed):
    """The orders that wait for the venue, as last told, and those that this process has taken since.

    So a limit holds also while nobody tells: with several API processes, each lets at most as many pass as the last word
    left room for. Use as an async context manager.

    Args:
        pool: for what is told.
        limit: how many may wait.
    """

    def __init__(self, pool: Pool, limit: int) -> None:
        super().__init__("venue-queue")
        self.limit = limit
        self._pool = pool
        self._told = 0
        self._told_at: object = None
        self._taken = 0

    @property
    def waiting(self) -> int:
        """How many orders wait, as far as this process knows; 0 where no worker has ever said."""
        return 0 if self._told_at is None else self._told + self._taken

    @property
    def is_full(self) -> bool:
        """Whether no more orders are to be taken."""
        return self.waiting >= self.limit

    def grow(self) -> None:
        """This process has taken an order."""
        self._taken += 1

    def _pause_seconds(self) -> float:
        return _REFRESH_SECONDS

    async def _refresh(self) -> None:
        try:
            async with self._pool.connection() as connection:
                row = await (await connection.execute(_TOLD)).fetchone()
        except psycopg.Error as error:
            log.debug("nobody can say how many orders wait for the venue: %s", error)
            return
        if row is not None and row[1] != self._told_at:
            self._told, self._told_at = row
            self._taken = 0
