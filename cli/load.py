"""``orderlog load``: send a file of real order flow through a running engine."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.engine import engine_url, running_engine, settings, sign
from cli.exits import CommandError, ExitCode
from cli.options import Json, Url
from cli.output import say, wants_json, write_json, write_table

if TYPE_CHECKING:
    from cli.replay.replay import Wanted
    from infrastructure.settings import Settings

_OPERATOR = "load-ops"


class Format(StrEnum):
    """What the file is written in."""

    LOBSTER = "lobster"


def _speed(text: str | float) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < float("inf"):
        raise typer.BadParameter("must be `max`, or how many times faster than it happened")
    return speed


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The messages.")],
    *,
    format_: Annotated[Format, typer.Option("--format", help="How the file is written.")] = Format.LOBSTER,
    traders: Annotated[int, typer.Option(min=2, metavar="N", help="As how many traders: load-1 to load-N.")] = 10,
    speed: Annotated[
        str, typer.Option(metavar="X", help="X times as fast as it happened; `max` or 0: as fast as possible.")
    ] = "max",
    symbol: Annotated[str, typer.Option(help="What the messages are about.")] = "AAPL",
    no_rebase: Annotated[
        bool, typer.Option("--no-rebase", help="Send the file's prices as they are, not moved to the venue's price.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Send a file of real order flow through the engine, as many traders, and measure what comes back.

    Ends with exit code 3 when the read tables are not what the log leads to.
    """
    from cli.replay.lobster import read_messages  # noqa: PLC0415 - what it takes is imported when it is used
    from cli.replay.replay import Wanted  # noqa: PLC0415 - see above
    from domain.values import parse_symbol  # noqa: PLC0415 - see above
    from infrastructure.ids import UuidIds  # noqa: PLC0415 - see above

    pace = _speed(speed)
    known = settings()
    described = {"file": str(file), "format": format_.value, "symbol": symbol, "traders": traders, "speed": speed}
    address = engine_url(known, url)
    messages = list(read_messages(file))
    if not messages:
        raise CommandError(f"{file} has no messages")
    tokens = {f"load-{number}": sign(known, f"load-{number}", ["trader"]) for number in range(1, traders + 1)}
    tokens[_OPERATOR] = sign(known, _OPERATOR, ["ops"])
    wanted = Wanted(
        messages, parse_symbol(symbol), pace, not no_rebase, tokens, _OPERATOR, run=f"load-{UuidIds().new()}"
    )
    asyncio.run(_load(known, address, wanted, described, as_json=as_json))


async def _load(known: "Settings", url: str, wanted: "Wanted", described: dict[str, Any], *, as_json: bool) -> None:
    from cli.replay.replay import replay  # noqa: PLC0415 - see above
    from cli.replay.report import rows, summary  # noqa: PLC0415 - see above

    done = await replay(url, wanted)
    checked = await _checked(known, url, next(iter(done.sent.may_rest), None))
    record = {**described, **summary(done), "read_tables": checked}
    if wants_json(as_json):
        write_json(record)
    else:
        write_table(("", ""), rows(record))
    if done.shift:
        say(f"Every price of the file was moved by {done.shift:f} dollars to meet the venue's price")
    if checked.get("difference"):
        raise CommandError(
            f"The read tables are not what the log leads to; the first row that differs: {checked['difference']}",
            ExitCode.DIFFERENCE,
        )


async def _checked(known: "Settings", url: str, order_id: str | None) -> dict[str, Any]:
    """Whether the log folded afresh equals the read tables; or why nobody looked."""
    from psycopg import Error  # noqa: PLC0415 - see above

    from application.ports import StoreUnavailableError  # noqa: PLC0415 - see above

    if order_id is None:
        return {"checked": False, "reason": "no order was placed"}
    if known.database_url is None and running_engine(known.home) != url:
        return {"checked": False, "reason": "the engine's database is not known here; DATABASE_URL says where it is"}
    try:
        return await _compared(known, order_id)
    except (Error, StoreUnavailableError) as error:
        return {"checked": False, "reason": f"the database cannot be read: {' '.join(str(error).split())}"}


async def _compared(known: "Settings", order_id: str) -> dict[str, Any]:
    from cli.progress import progress  # noqa: PLC0415 - see above
    from cli.storage import event_log  # noqa: PLC0415 - see above
    from domain.events import order_stream  # noqa: PLC0415 - see above
    from domain.values import OrderId  # noqa: PLC0415 - see above
    from infrastructure.postgres.event_store import PostgresEventStore  # noqa: PLC0415 - see above
    from infrastructure.postgres.verification import verify  # noqa: PLC0415 - see above

    stream = order_stream(OrderId(order_id))
    with event_log(known) as database_url:
        async with PostgresEventStore(database_url) as store:
            if not (await store.load({stream: 0})).streams[stream]:
                return {"checked": False, "reason": "the database of these settings is not the engine's"}
            with progress("Folding the log afresh, events", await store.position()) as advanced:
                compared = await verify(database_url, store, advanced=advanced)
    difference = next((table.difference for table in compared if table.difference), None)
    return {
        "checked": True,
        "equal": difference is None,
        "tables": {table.projection: {"position": table.position, "rows": table.rows} for table in compared},
        "difference": difference and difference.described(),
    }
