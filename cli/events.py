"""``orderlog events``: read the event log, and prove that it is what was recorded."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli import audit
from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json, commands
from cli.output import wants_json, write_line, write_table
from cli.storage import event_log

if TYPE_CHECKING:
    from infrastructure.codec import RawEvent
    from infrastructure.postgres.event_store import PostgresEventStore

_EVENTS_AT_ONCE = 1_000
_POLL_SECONDS = 0.2
_COLUMNS = ("position", "recorded_at", "type", "stream_id", "version", "trader_id", "data")

app = commands("Read the event log, and prove that it is what was recorded.")
app.command()(audit.verify)
app.command()(audit.checkpoint)
app.command("public-key")(audit.public_key)


@app.command()
def tail(
    *,
    after: Annotated[int, typer.Option(min=0, metavar="POSITION", help="Begin behind this position.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is recorded from now on.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many events.")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="Only of this type; may be given again.")] = None,
    trader: Annotated[str | None, typer.Option("--trader", metavar="TRADER", help="Only of this trader.")] = None,
    order: Annotated[str | None, typer.Option("--order", metavar="ID", help="Only of this order.")] = None,
    as_json: Json = False,
) -> None:
    """Write events in the order in which they were recorded; as JSON, one on each line."""
    from domain.events import TOPICS, order_stream  # noqa: PLC0415 - takes longer to import than --help
    from domain.values import OrderId, parse_trader_id  # noqa: PLC0415 - see above

    unknown = [name for name in type_ or () if name not in TOPICS]
    if unknown:
        raise CommandError(f"There is no event type {unknown[0]}; there are {', '.join(TOPICS)}", ExitCode.MISUSE)
    filters = {
        "types": type_ or (),
        "trader_id": None if trader is None else parse_trader_id(trader),
        "stream_id": None if order is None else order_stream(OrderId(_order_id(order))),
    }

    async def write() -> None:
        remaining, begun = limit, False
        async with _store() as store:
            async for events in _batches(store, after, filters, follow=follow):
                wanted = events[:remaining]
                _write(wanted, as_json=as_json, header=not begun)
                begun = True
                if remaining is not None:
                    remaining -= len(wanted)
                    if remaining == 0:
                        return

    asyncio.run(write())


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="POSITION|ORDER_ID", help="One event, or all of an order.")],
    *,
    as_json: Json = False,
) -> None:
    """Show the event at a position, or all events of an order."""
    from domain.events import order_stream  # noqa: PLC0415 - see above
    from domain.values import OrderId  # noqa: PLC0415 - see above

    by_position = which.isdecimal()
    stream = None if by_position else order_stream(OrderId(_order_id(which)))

    async def found() -> "Sequence[RawEvent]":
        async with _store() as store:
            if by_position:
                return [event for event in await store.raw(int(which) - 1, 1) if event.position == int(which)]
            return [event async for events in _batches(store, 0, {"stream_id": stream}) for event in events]

    events = asyncio.run(found())
    if not events:
        raise CommandError(f"There is no event at position {which}" if by_position else f"There is no order {which}")
    _write(events, as_json=as_json)


async def _batches(
    store: "PostgresEventStore", after: int, filters: dict[str, Any], *, follow: bool = False
) -> "AsyncIterator[Sequence[RawEvent]]":
    """The events behind the position that pass the filters, a batch at a time; for ever when they are followed."""
    while True:
        end = await store.position()
        events = await store.raw(after, _EVENTS_AT_ONCE, **filters)
        if events:
            yield events
        if len(events) == _EVENTS_AT_ONCE:
            after = events[-1].position
            continue
        if not follow:
            return
        # Nothing up to here passes the filters that has not been seen, and need not be looked at again.
        after = max(after, end, *(event.position for event in events))
        await asyncio.sleep(_POLL_SECONDS)


@asynccontextmanager
async def _store() -> "AsyncIterator[PostgresEventStore]":
    from infrastructure.postgres.event_store import PostgresEventStore  # noqa: PLC0415 - see above

    with event_log(settings()) as url:
        async with PostgresEventStore(url) as store:
            yield store


def _write(events: "Sequence[RawEvent]", *, as_json: bool, header: bool = True) -> None:
    if wants_json(as_json):
        import msgspec  # noqa: PLC0415 - see above

        from api.audit import event_view  # noqa: PLC0415 - see above

        for event in events:
            write_line(msgspec.json.encode(event_view(event)).decode())
    else:
        write_table(_COLUMNS, map(_row, events), header=header)


def _row(event: "RawEvent") -> tuple[str, ...]:
    data, metadata = json.loads(event.data), json.loads(event.metadata)
    shown = " ".join(f"{name}={value}" for name, value in data.items() if value not in (None, [], ""))
    at = f"{event.recorded_at:%Y-%m-%d %H:%M:%S.%f}"
    return (str(event.position), at, event.type, event.stream_id, str(event.version), metadata["trader_id"], shown)


def _order_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise CommandError(f"{text} is not an order id", ExitCode.MISUSE) from None
