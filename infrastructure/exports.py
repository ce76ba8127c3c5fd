"""Events as files, in formats that others read.

Every format has the same fields, those of ``RawEvent``: ``data`` and ``metadata`` are texts, exactly as they are stored,
so that whoever has the whole file can compute the hash chain again.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from io import StringIO
from typing import Any, BinaryIO

import msgspec

from infrastructure.codec import RawEvent
from infrastructure.postgres.chain import timestamp

Write = Callable[[Sequence[RawEvent]], None]
"""Adds events to a file."""


class MissingPackageError(Exception):
    """A format needs a package that is not installed; the message says which, and how to install it."""


class Line(msgspec.Struct, gc=False):
    """The fields of ``RawEvent`` as a line of NDJSON has them."""

    position: int
    stream_id: str
    version: int
    type: str
    data: str
    metadata: str
    recorded_at: str
    hash: str


@contextmanager
def exporting(form: str, file: BinaryIO) -> Iterator[Write]:
    """Write a file for the length of the block, as ``ndjson``, ``csv`` or ``parquet``; it is whole when the block ends.

    Raises:
        MissingPackageError: the format needs a package that is not installed.
    """
    with _EXPORTING[form](file) as write:
        yield write


@contextmanager
def _ndjson(file: BinaryIO) -> Iterator[Write]:
    encode = msgspec.json.Encoder().encode_lines

    def write(events: Sequence[RawEvent]) -> None:
        file.write(encode(list(map(line_of, events))))

    yield write


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    lines = StringIO(newline="")
    # All texts in quotes: left alone, the module would let a carriage return through that ends a line for every reader.
    writer = csv.writer(lines, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)

    def write(events: Sequence[RawEvent]) -> None:
        writer.writerows(map(_told, events))
        file.write(lines.getvalue().encode())
        lines.seek(0)
        lines.truncate()

    writer.writerow(RawEvent._fields)
    write([])
    yield write


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[Write]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped] # noqa: PLC0415 - large, and not everybody has it
        from pyarrow import parquet  # noqa: PLC0415 - see above
    except ImportError:
        message = "Parquet needs the package pyarrow: `pip install 'orderlog[parquet]'` or `pip install pyarrow`"
        raise MissingPackageError(message) from None
    schema = pa.schema(
        {
            "position": pa.int64(),
            "stream_id": pa.string(),
            "version": pa.int64(),
            "type": pa.string(),
            "data": pa.string(),
            "metadata": pa.string(),
            "recorded_at": pa.timestamp("us", tz="UTC"),
            "hash": pa.binary(32),
        }
    )
    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:

        def write(events: Sequence[RawEvent]) -> None:
            columns = zip(schema.types, zip(*events, strict=True), strict=True)
            writer.write_batch(pa.record_batch([pa.array(values, sort) for sort, values in columns], schema=schema))

        yield write


_EXPORTING = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}


def line_of(event: RawEvent) -> Line:
    """The event as a line of NDJSON has it."""
    return Line(*_told(event))


def _told(event: RawEvent) -> tuple[Any, ...]:
    """The values of the fields where they are numbers and texts: times are RFC 3339 in UTC, hashes hexadecimal."""
    return (*event[:6], _time_text(event.recorded_at), event.hash.hex())


@lru_cache(maxsize=1)  # the events of a commit have one time
def _time_text(recorded_at: datetime) -> str:
    return timestamp(recorded_at).decode()
