"""The time of this machine."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """The system's clock, and real waiting."""

    def now(self) -> datetime:
        """The current time, UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that asks

    async def sleep(self, seconds: float) -> None:
        """Wait this long."""
        await asyncio.sleep(seconds)
