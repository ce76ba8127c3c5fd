"""The clock of the machine."""

import time
from datetime import UTC, datetime, timedelta

from infrastructure.clock import SystemClock


async def test_it_tells_the_time_in_utc_and_waits() -> None:
    clock = SystemClock()
    before = clock.now()
    assert before.tzinfo is UTC
    assert abs(before - datetime.fromtimestamp(time.time_ns() / 1e9, UTC)) < timedelta(seconds=10)
    await clock.sleep(0.01)
    assert clock.now() >= before
