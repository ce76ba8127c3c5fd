"""Statements: every movement of a trader's cash in a span of time, from the log, a page at a time.

A page is read, told and forgotten, so a statement takes the same memory however long an account has been there.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final, NamedTuple, Protocol, cast, get_args

from domain.account import effect
from domain.events import TOPICS, RecordedEvent, StreamId, account_stream
from domain.frozen import dataclass
from domain.movements import CashEvent, Movement, movement_of
from domain.values import ZERO, Money, TraderId, exactly, tidy

EVENTS_AT_ONCE: Final = 1_000
CASH_TYPES: Final = tuple(topic for topic, event in TOPICS.items() if event in get_args(CashEvent))


class Streams(Protocol):
    """Streams of the log, part by part."""

    async def part(
        self, stream_id: StreamId, after_version: int, limit: int, types: Sequence[str]
    ) -> Sequence[RecordedEvent]:
        """At most ``limit`` events of these types after a version of the stream, in order.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        ...


class Mark(NamedTuple):
    """A place in a statement: the balance after this version of the account."""

    version: int
    balance: Money


BEGINNING: Final = Mark(0, Money(ZERO))


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement, the event behind it, and the balance that it led to."""

    recorded: RecordedEvent
    movement: Movement
    balance: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """Movements of one page: ``opening`` and all of them lead to ``closing``; ``next`` is None when there are no more."""

    opening: Money
    entries: Sequence[Entry]
    closing: Money
    next: Mark | None


@dataclass(frozen=True, slots=True)
class Span:
    """After one time and up to another; None: from the beginning, until now."""

    after: datetime | None = None
    until: datetime | None = None


async def statement(streams: Streams, trader_id: TraderId, span: Span, limit: int, at: Mark | None = None) -> Statement:
    """What moved in a span, at most ``limit`` movements.

    The opening balance is the cash that there was at the beginning of the span, the closing one that at its end, so spans
    that follow each other have statements that do. A later page begins ``at`` the mark that the one before it ended with.

    Raises:
        StoreUnavailableError: the log cannot be read.
    """
    mark = at or (BEGINNING if span.after is None else await _balance_at(streams, trader_id, span.after))
    opening = mark.balance
    entries: list[Entry] = []
    async with aclosing(_cash_events(streams, trader_id, mark, min(limit + 1, EVENTS_AT_ONCE))) as events:
        async for recorded in events:
            if span.until is not None and recorded.recorded_at > span.until:
                break
            if len(entries) == limit:
                return Statement(opening, entries, mark.balance, mark)
            mark = _moved(mark, recorded)
            entries.append(_entry(recorded, mark))
    return Statement(opening, entries, mark.balance, None)


async def _balance_at(streams: Streams, trader_id: TraderId, time: datetime) -> Mark:
    mark = BEGINNING
    async with aclosing(_cash_events(streams, trader_id, mark, EVENTS_AT_ONCE)) as events:
        async for recorded in events:
            if recorded.recorded_at > time:
                break
            mark = _moved(mark, recorded)
    return mark


async def _cash_events(
    streams: Streams, trader_id: TraderId, mark: Mark, size: int
) -> AsyncGenerator[RecordedEvent, None]:
    version, is_full = mark.version, True
    while is_full:
        part = await streams.part(account_stream(trader_id), version, size, CASH_TYPES)
        for recorded in part:
            yield recorded
        is_full = len(part) == size
        version = part[-1].version if part else version


def _moved(mark: Mark, recorded: RecordedEvent) -> Mark:
    with exactly():
        moved = effect(cast("CashEvent", recorded.event)).cash
        return Mark(recorded.version, Money(tidy(mark.balance + moved)))


def _entry(recorded: RecordedEvent, mark: Mark) -> Entry:
    with exactly():
        return Entry(recorded, movement_of(cast("CashEvent", recorded.event)), mark.balance)
