"""``orderlog events export``: the log, or what is chosen of it, as a file."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from cli.archives import ArchiveDirectory
from cli.choosing import After, Chosen, OfOrder, OfTrader, Since, To, Types, Until, chosen, opened_log
from cli.exits import CommandError, ExitCode
from cli.options import Json
from cli.output import wants_json, write_json, write_record

if TYPE_CHECKING:
    from infrastructure.exports import Line

_EVENTS_AT_ONCE = 5_000


class Format(StrEnum):
    """What a file of events is written in."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    *,
    form: Annotated[Format, typer.Option("--format", help="What the file is written in.")] = Format.NDJSON,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to; by default standard output.")
    ] = None,
    after: After = 0,
    to: To = None,
    since: Since = None,
    until: Until = None,
    type_: Types = None,
    trader: OfTrader = None,
    order: OfOrder = None,
    archive: ArchiveDirectory = None,
    as_json: Json = False,
) -> None:
    """Write events to a file that others can read, with the exact texts that the hash chain covers.

    The end is that of the log when it begins. A file is there when it is whole, and not before.
    """
    wanted = chosen(after=after, to=to, since=since, until=until, types=type_, trader=trader, order=order)
    if output is None:
        if form is Format.PARQUET:
            raise CommandError("A Parquet file is no stream: --output FILE says where to write it", ExitCode.MISUSE)
        asyncio.run(_export(wanted, form, sys.stdout.buffer, archive))
        return
    with _appearing(output) as file:
        done = asyncio.run(_export(wanted, form, file, archive))
    record = {"file": str(output), "format": form.value, **done}
    if wants_json(as_json):
        write_json(record)
    else:
        write_record(record)


async def _export(wanted: Chosen, form: Format, file: BinaryIO, archive: Path | None) -> dict[str, Any]:
    from cli.progress import progress  # noqa: PLC0415 - takes longer to import than --help
    from infrastructure.collector import keep_what_is_there  # noqa: PLC0415 - see above
    from infrastructure.exports import exporting  # noqa: PLC0415 - see above

    keep_what_is_there()
    count, first, last = 0, None, None
    async with opened_log(archive) as store:
        end = await store.position()
        wanted = wanted.before_end(end)
        position = wanted.after
        with (
            progress("Exporting, positions", max((wanted.to or 0) - position, 0)) as advanced,
            exporting(form, file) as write,
        ):
            async for lines in wanted.lines(store, _EVENTS_AT_ONCE):
                write(lines)
                count += len(lines)
                first, last = first or lines[0], lines[-1]
                advanced(last.position - position)
                position = last.position
    return {"events": count, **_at("first", first), **_at("last", last), "log_ended_at": end}


def _at(name: str, line: "Line | None") -> dict[str, Any]:
    return {f"{name}_position": line and line.position, f"{name}_hash": line and line.hash}


@contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    """A file that is at its place once it is whole; whatever was there before stays until then."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
