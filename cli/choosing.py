"""Which events: the same options for every command that reads the log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.archives import log_at
from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.storage import event_log

if TYPE_CHECKING:
    from datetime import datetime

    from domain.events import StreamId
    from domain.values import OrderId, TraderId
    from infrastructure.codec import RawEvent
    from infrastructure.exports import Line
    from infrastructure.postgres.event_store import PostgresEventStore
    from infrastructure.postgres.filters import Filters

_POLL_SECONDS = 0.2

After = Annotated[int, typer.Option(min=0, metavar="POSITION", help="Begin behind this position.")]
To = Annotated[int | None, typer.Option(min=0, metavar="POSITION", help="Only up to this position.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only what was recorded at this time (RFC 3339) or later.")
]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Only what was recorded up to this time (RFC 3339).")]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Only of this type; may be given again.")
]
OfTrader = Annotated[str | None, typer.Option("--trader", metavar="TRADER", help="Only of this trader.")]
OfOrder = Annotated[str | None, typer.Option("--order", metavar="ID", help="Only of this order.")]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The events with a position above ``after`` that pass every filter; None and an empty tuple filter nothing."""

    after: int
    to: int | None
    since: "datetime | None"
    until: "datetime | None"
    types: Sequence[str]
    trader_id: "TraderId | None"
    stream_id: "StreamId | None"

    def before_end(self, end: int) -> "Chosen":
        """What there is of them while the log ends here."""
        return replace(self, to=end if self.to is None else min(self.to, end))

    async def batches(
        self, store: "PostgresEventStore", size: int, *, follow: bool = False
    ) -> "AsyncIterator[Sequence[RawEvent]]":
        """The events, at most so many at a time; for ever when they are followed."""
        after = self.after
        while True:
            end = await store.position()
            events = await store.raw(after, size, **self._filters())
            if events:
                yield events
            if len(events) == size:
                after = events[-1].position
                continue
            if not follow:
                return
            # Nothing up to here passes the filters that has not been seen, and need not be looked at again.
            after = max(after, end, *(event.position for event in events))
            await asyncio.sleep(_POLL_SECONDS)

    def lines(self, store: "PostgresEventStore", size: int) -> "AsyncGenerator[Sequence[Line]]":
        """The events that there are as files have them, at most so many at a time."""
        from infrastructure.reading_ahead import reading_ahead  # noqa: PLC0415 - takes longer to import than --help

        filters = self._filters()

        async def read(before: "Sequence[Line] | None") -> "Sequence[Line]":
            return await store.lines(before[-1].position if before else self.after, size, **filters)

        return reading_ahead(read)

    def _filters(self) -> "Filters":
        from application.ports import AsOf  # noqa: PLC0415 - takes longer to import than --help
        from infrastructure.postgres.filters import Filters  # noqa: PLC0415 - see above

        return Filters(
            types=self.types,
            trader_id=self.trader_id,
            stream_id=self.stream_id,
            since=self.since,
            as_of=AsOf(self.until, self.to),
        )


def chosen(
    *,
    after: int = 0,
    to: int | None = None,
    since: str | None = None,
    until: str | None = None,
    types: Sequence[str] | None = None,
    trader: str | None = None,
    order: str | None = None,
) -> Chosen:
    """The choice that the options make.

    Raises:
        CommandError: one of them is nothing that can be chosen.
    """
    from domain.events import TOPICS, order_stream  # noqa: PLC0415 - see above
    from domain.values import parse_trader_id  # noqa: PLC0415 - see above

    unknown = [name for name in types or () if name not in TOPICS]
    if unknown:
        raise CommandError(f"There is no event type {unknown[0]}; there are {', '.join(TOPICS)}", ExitCode.MISUSE)
    return Chosen(
        after,
        to,
        since=None if since is None else moment("--since", since),
        until=None if until is None else moment("--until", until),
        types=tuple(types or ()),
        trader_id=None if trader is None else parse_trader_id(trader),
        stream_id=None if order is None else order_stream(order_id(order)),
    )


def moment(option: str, text: str) -> "datetime":
    """The time that an option gives.

    Raises:
        CommandError: it is none.
    """
    from api.fields import parse_time  # noqa: PLC0415 - see above

    try:
        return parse_time(text)
    except ValueError:
        problem = f"{option} {text} is no time: it is written like 2026-11-22T12:00:00Z (RFC 3339)"
        raise CommandError(problem, ExitCode.MISUSE) from None


def order_id(text: str) -> "OrderId":
    """The order id that an argument gives.

    Raises:
        CommandError: it is none.
    """
    from domain.values import OrderId  # noqa: PLC0415 - see above

    try:
        return OrderId(str(UUID(text)))
    except ValueError:
        raise CommandError(f"{text} is not an order id", ExitCode.MISUSE) from None


@asynccontextmanager
async def opened_log(archive: Path | None = None) -> "AsyncIterator[PostgresEventStore]":
    """The log of the settings' database, behind its archived beginning if there is one."""
    with event_log(settings()) as url:
        async with log_at(url, archive) as store:
            yield store
