"""The log itself, for auditors: as a page, as a download, or as a stream that goes on live.

Events go out as they are stored, byte for byte. A download or stream reads a page, sends it, and reads the next: it
holds one page however long the log is, and a slow client slows down only its own reading.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp

from api.answers import EVENT_STREAM, JSON, NDJSON, SAFE_HEADERS, Answer, json_answer
from api.auth import AUDITOR
from api.endpoints import Call
from api.fan_out import PAGE, ClosingError
from api.queries import own_order
from api.requests import parse_last_event_id
from api.schemas import EventsQuery
from api.seats import SeatedEvents
from api.views import View
from application.ports import AsOf
from application.status import time_text
from domain.events import StreamId, order_stream
from domain.refusals import OrderNotFound
from infrastructure.codec import RawEvent
from infrastructure.postgres.event_store import PostgresEventStore

_LIMIT = 100
_HEARTBEAT = b": heartbeat\n\n"
_encode = msgspec.json.Encoder().encode


def event_view(raw: RawEvent) -> View:
    """An event as it is stored."""
    return {
        "position": raw.position,
        "stream_id": raw.stream_id,
        "version": raw.version,
        "type": raw.type,
        "data": msgspec.Raw(raw.data.encode()),
        "metadata": msgspec.Raw(raw.metadata.encode()),
        "recorded_at": time_text(raw.recorded_at),
        "hash": raw.hash.hex(),
    }


async def list_order_events(call: Call) -> Answer:
    """An order's events, for its trader and for auditors."""
    order_id = call.order_id
    if AUDITOR not in call.caller.roles:
        await own_order(call)
    events: list[RawEvent] = []
    full = True
    while full:
        after = events[-1].position if events else 0
        page = await call.engine.store.raw(after, PAGE, stream_id=order_stream(order_id))
        events += page
        full = len(page) == PAGE
    if not events:
        raise OrderNotFound
    return json_answer({"events": [event_view(raw) for raw in events], "position": events[-1].position})


async def list_events(call: Call) -> ASGIApp:
    """The log, in the form that the client accepts."""
    query: EventsQuery = call.query
    accepted = _accepted(call.headers.get(b"accept", b"").decode("latin-1"))
    if accepted == EVENT_STREAM:
        last = parse_last_event_id(call.headers)
        after = query.after if last is None else last
        await call.engine.store.see_that_all_is_here(after, _stream_id(query))
        call.running.seats.check(call.trader_id)
        return SeatedEvents(_sse(call, query, after), call.running.seats, call.trader_id)
    if accepted == NDJSON:
        await call.engine.store.see_that_all_is_here(query.after, _stream_id(query))
        # The end is that of now, so that a download ends while the log grows.
        end = await call.engine.store.position()
        store = await call.engine.exports.reaching(end)
        return StreamingResponse(_ndjson(store, query, end), headers=SAFE_HEADERS, media_type=NDJSON)
    # Whatever the log held before the page was read is in it or before it.
    position = call.running.fan_out.position
    limit = query.limit or _LIMIT
    page = await _page(call.engine.store, query, query.after, limit)
    last_position = page[-1].position if page else query.after
    position = last_position if len(page) == limit else max(position, last_position)
    return json_answer({"events": [event_view(raw) for raw in page], "position": position})


async def _page(store: PostgresEventStore, query: EventsQuery, after: int, limit: int) -> Sequence[RawEvent]:
    return await store.raw(
        after,
        limit,
        types=(query.type,) if query.type else (),
        trader_id=query.trader_id,
        stream_id=_stream_id(query),
        since=query.since,
        as_of=AsOf(query.until, query.to),
    )


def _accepted(accept: str) -> str:
    """The first form that the header ``Accept`` names and we have, whatever weights it gives."""
    media_types = [each.partition(";")[0].strip().lower() for each in accept.split(",")]
    return next((each for each in media_types if each in {JSON, NDJSON, EVENT_STREAM}), JSON)


def _stream_id(query: EventsQuery) -> StreamId | None:
    return order_stream(query.order_id) if query.order_id else None


async def _ndjson(store: PostgresEventStore, query: EventsQuery, end: int) -> AsyncIterator[bytes]:
    async for page in _pages(store, query, query.after):
        lines = [_encode(event_view(raw)) + b"\n" for raw in page if raw.position <= end]
        yield b"".join(lines)
        if len(lines) < len(page):
            return


async def _sse(call: Call, query: EventsQuery, after: int) -> AsyncIterator[bytes]:
    fan_out = call.running.fan_out
    sent = 0
    while True:
        known = fan_out.position
        async for page in _pages(call.engine.store, query, after, sent):
            yield b"".join(b"id: %d\ndata: %s\n\n" % (raw.position, _encode(event_view(raw))) for raw in page)
            after = page[-1].position
            sent += len(page)
        if query.until is not None or sent == query.limit or (query.to is not None and known >= query.to):
            return
        after = max(after, known)
        try:
            async with asyncio.timeout(fan_out.heartbeat_seconds):
                await fan_out.beyond(after)
        except TimeoutError:
            yield _HEARTBEAT
        except ClosingError:
            return
        if call.engine.clock.now().timestamp() >= call.caller.expires_at:
            return


async def _pages(
    store: PostgresEventStore, query: EventsQuery, after: int, sent: int = 0
) -> AsyncIterator[Sequence[RawEvent]]:
    """What there is above the position, at most ``query.limit`` with what was sent before."""
    full = True
    while full:
        wanted = PAGE if query.limit is None else min(PAGE, query.limit - sent)
        page = await _page(store, query, after, wanted) if wanted else ()
        full = len(page) == PAGE
        if page:
            yield page
            after = page[-1].position
            sent += len(page)
