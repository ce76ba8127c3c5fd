"""``orderlog events``: read the event log, take it along, and prove that it is what was recorded."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli import archives, audit, exporting, replaying
from cli.archives import ArchiveDirectory
from cli.choosing import After, OfOrder, OfTrader, Since, To, Types, Until, chosen, opened_log, order_id
from cli.exits import CommandError, ExitCode
from cli.options import Json, commands
from cli.output import wants_json, write_line, write_table

if TYPE_CHECKING:
    from infrastructure.codec import RawEvent

_EVENTS_AT_ONCE = 1_000
_COLUMNS = ("position", "recorded_at", "type", "stream_id", "version", "trader_id", "data")

app = commands("Read the event log, take it along, and prove that it is what was recorded.")
app.command()(exporting.export)
app.command()(replaying.replay)
app.command()(audit.verify)
app.command()(audit.checkpoint)
app.command("public-key")(audit.public_key)
app.command()(audit.prove)
app.command("check-proof")(audit.check_proof)
app.command()(archives.archive)
app.command()(archives.restore)


@app.command()
def tail(
    *,
    after: After = 0,
    to: To = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    trader: OfTrader = None,
    order: OfOrder = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is recorded from now on.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Stop after so many events.")] = None,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Write events in the order in which they were recorded; as JSON, one on each line."""
    if follow and (to is not None or until is not None):
        raise CommandError(
            "--follow goes on with what is recorded from now on: it has no --to and no --until", ExitCode.MISUSE
        )
    wanted = chosen(after=after, to=to, since=since, until=until, types=type_, trader=trader, order=order)

    async def write() -> None:
        remaining, begun = limit, False
        async with opened_log(archive) as store:
            async for batch in wanted.batches(store, _EVENTS_AT_ONCE, follow=follow):
                events = batch[:remaining]
                _write(events, as_json=as_json, header=not begun)
                begun = True
                if remaining is not None:
                    remaining -= len(events)
                    if remaining == 0:
                        return

    asyncio.run(write())


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="POSITION|ORDER_ID", help="One event, or all of an order.")],
    *,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Show the event at a position, or all events of an order."""
    by_position = which.isdecimal()
    wanted = chosen(after=max(int(which) - 1, 0), to=int(which)) if by_position else chosen(order=order_id(which))

    async def found() -> "Sequence[RawEvent]":
        async with opened_log(archive) as store:
            return [event async for events in wanted.batches(store, _EVENTS_AT_ONCE) for event in events]

    events = asyncio.run(found())
    if not events:
        raise CommandError(f"There is no event at position {which}" if by_position else f"There is no order {which}")
    _write(events, as_json=as_json)


def _write(events: "Sequence[RawEvent]", *, as_json: bool, header: bool = True) -> None:
    if wants_json(as_json):
        import msgspec  # noqa: PLC0415 - takes longer to import than --help

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
