"""``orderlog events replay``: an order's life event by event, or whole read models as they were."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.archives import ArchiveDirectory, log_at
from cli.choosing import moment, opened_log, order_id
from cli.engine import settings
from cli.exits import CommandError, ExitCode
from cli.options import Json
from cli.output import say, wants_json, write_json, write_record, write_table
from cli.storage import event_log

if TYPE_CHECKING:
    from application.ports import AsOf
    from domain.values import OrderId
    from infrastructure.postgres.patience import Pool

_COLUMNS = ("version", "position", "time", "event", "status", "filled", "leaves", "average", "flags", "reason")


def replay(
    which: Annotated[
        str | None, typer.Argument(metavar="ORDER_ID", help="One order; without it, whole read models.")
    ] = None,
    *,
    as_of: Annotated[str | None, typer.Option(metavar="TIME", help="Only up to this time (RFC 3339).")] = None,
    to: Annotated[int | None, typer.Option(min=0, metavar="POSITION", help="Only up to this position.")] = None,
    projection: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this read model; may be given again.")
    ] = None,
    schema: Annotated[str, typer.Option(metavar="NAME", help="Where the read models are made.")] = "replay",
    drop: Annotated[bool, typer.Option("--drop", help="Drop what an earlier replay made there.")] = False,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Go through the log again: show an order after each of its events, or rebuild read models in a schema of their own.

    With an ORDER_ID: one line for each event, and the order as it left it. Without: tables like the live ones, filled from
    the log up to a moment, that can be asked in SQL. Live tables are not touched, and nothing is published.
    """
    from application.ports import AsOf  # noqa: PLC0415 - takes longer to import than --help

    at = AsOf(None if as_of is None else moment("--as-of", as_of), to)
    if which is not None:
        if projection or drop:
            raise CommandError("One order is shown, and no read models are made or dropped", ExitCode.MISUSE)
        asyncio.run(_show_life(order_id(which), at, archive, as_json=as_json))
    elif drop:
        asyncio.run(_drop(schema))
    else:
        asyncio.run(_rebuild(at, schema, projection or (), archive, as_json=as_json))


# ── An order ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _show_life(which: "OrderId", at: "AsOf", archive: Path | None, *, as_json: bool) -> None:
    from api.views import order_view  # noqa: PLC0415 - see above
    from application.snapshots import advanced, empty  # noqa: PLC0415 - see above
    from application.status import time_text  # noqa: PLC0415 - see above
    from domain.events import order_stream  # noqa: PLC0415 - see above
    from domain.values import exactly  # noqa: PLC0415 - see above

    stream = order_stream(which)
    async with opened_log(archive) as store:
        events = (await store.history([stream], at)).events
    if not events:
        raise CommandError(f"There is no order {which}, or there was none then")
    snapshot, life = empty(stream), list[dict[str, Any]]()
    with exactly():
        for event in events:
            snapshot = advanced(snapshot, [event])
            at_text = time_text(event.recorded_at)
            told = {"position": event.position, "version": event.version, "recorded_at": at_text}
            life.append({**told, "type": type(event.event).__name__, "order": order_view(snapshot)})  # type: ignore[arg-type] # an order's stream
    if wants_json(as_json):
        for each in life:
            write_json(each)
    else:
        write_table(_COLUMNS, map(_row, life))


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    order = each["order"]
    return (
        str(each["version"]),
        str(each["position"]),
        each["recorded_at"],
        each["type"],
        order["status"],
        order["filled_quantity"],
        order["leaves_quantity"],
        order["average_fill_price"] or "",
        " ".join(order["flags"]),
        order["reason"] or "",
    )


# ── Read models ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def _rebuild(at: "AsOf", schema: str, names: Sequence[str], archive: Path | None, *, as_json: bool) -> None:
    from application.status import time_text  # noqa: PLC0415 - see above
    from cli.progress import progress  # noqa: PLC0415 - see above
    from infrastructure.postgres.scratch import replay as replayed  # noqa: PLC0415 - see above
    from projections.registry import PROJECTIONS  # noqa: PLC0415 - see above

    known = {projection.name: projection for projection in PROJECTIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CommandError(f"There is no read model {unknown[0]}; there are {', '.join(known)}", ExitCode.MISUSE)
    with event_log(settings()) as url:
        async with log_at(url, archive) as store, _pool(url) as pool:
            position = (await store.history([], at)).position
            last = await store.read(position - 1, 1) if position else ()
            with progress("Replaying, events", position) as advanced:
                wanted = [known[name] for name in names or known]
                rows = await replayed(pool, store, wanted, position, schema=schema, built=advanced)
    record = {
        "schema": schema,
        "position": position,
        "recorded_at": time_text(last[0].recorded_at) if last else None,
        "tables": rows,
    }
    if wants_json(as_json):
        write_json(record)
    else:
        write_record({name: value for name, value in record.items() if name != "tables"})
        write_table(("table", "rows"), [(f"{schema}.{name}", f"{count:,}") for name, count in rows.items()])
        say(f"`orderlog events replay --schema {schema} --drop` removes it")


async def _drop(schema: str) -> None:
    from infrastructure.postgres.scratch import drop  # noqa: PLC0415 - see above

    with event_log(settings()) as url:
        async with _pool(url) as pool:
            dropped = await drop(pool, schema)
    say(f"The schema {schema} is dropped" if dropped else f"There is no schema {schema}")


def _pool(url: str) -> "Pool":
    from infrastructure.postgres.connecting import conninfo  # noqa: PLC0415 - see above
    from infrastructure.postgres.patience import Pool  # noqa: PLC0415 - see above

    return Pool(conninfo(url), kwargs={"autocommit": True}, min_size=1, max_size=2, open=False)
