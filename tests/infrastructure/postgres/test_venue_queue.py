"""How many orders wait for the venue is told by one process, and known to the others as long as anybody can say."""

import logging

import pytest

from infrastructure.postgres.venue_queue import VenueQueue, tell_queue
from tests.infrastructure.postgres.pools import pool_of


async def test_what_was_told_and_what_was_taken_since_is_known_also_while_the_database_is_away(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with pool_of(database_url) as pool:
        queue = VenueQueue(pool, limit=5)
        queue.grow()
        await queue._refresh()
        assert (queue.waiting, queue.is_full) == (0, False)  # nobody has ever told
        await tell_queue(pool, 3)
        await queue._refresh()
        assert queue.waiting == 3
        queue.grow()
        await queue._refresh()
        assert (queue.waiting, queue.is_full) == (4, False)
        queue.grow()
        await pool.close()
        await queue._refresh()
    assert (queue.waiting, queue.is_full) == (5, True)
    assert "nobody can say how many orders wait for the venue" in caplog.text
