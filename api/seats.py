"""How many streams may be open: of each trader, and of all in this process."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.answers import EVENT_STREAM, SAFE_HEADERS
from api.problems import Problem
from domain.values import TraderId

_RETRY_AFTER_SECONDS = "5"


class Seats:
    """The places that there are for streams, and who sits there."""

    def __init__(self, per_process: int, per_trader: int) -> None:
        self._per_process = per_process
        self._per_trader = per_trader
        self._taken: Counter[TraderId] = Counter()
        self._all = 0

    def check(self, trader_id: TraderId) -> None:
        """See that there is a place for one more.

        Raises:
            Problem: there is none.
        """
        whose = None
        if self._taken[trader_id] >= self._per_trader:
            whose = (
                f"This trader has {self._per_trader:,} streams open at this process, which is as many as a trader may"
            )
        elif self._all >= self._per_process:
            whose = f"This process has {self._per_process:,} streams open, which is as many as it takes"
        if whose is not None:
            raise Problem("TOO_MANY_STREAMS", whose, headers={"retry-after": _RETRY_AFTER_SECONDS})

    @contextmanager
    def taken(self, trader_id: TraderId) -> Iterator[None]:
        """One place is taken."""
        self._taken[trader_id] += 1
        self._all += 1
        try:
            yield
        finally:
            self._all -= 1
            self._taken[trader_id] -= 1
            if not self._taken[trader_id]:
                del self._taken[trader_id]


class SeatedEvents(StreamingResponse):
    """Server-sent events, for which a place is taken as long as they go out."""

    def __init__(self, events: AsyncIterator[bytes], seats: Seats, trader_id: TraderId) -> None:
        super().__init__(events, headers=SAFE_HEADERS, media_type=EVENT_STREAM)
        self._seats = seats
        self._trader_id = trader_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        with self._seats.taken(self._trader_id):
            await super().__call__(scope, receive, send)
