"""Events as files, in formats that others read.

Every format has the same fields, those of ``Line``: ``data`` and ``metadata`` are texts, exactly as they are stored,
so that whoever has the whole file can compute the hash chain again.
"""

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import BinaryIO

import msgspec
from msgspec.structs import astuple

from infrastructure.codec import RawEvent
from infrastructure.postgres.chain import timestamp


class Line(msgspec.Struct, gc=False):
    """The fields of ``RawEvent`` as files have them: the time is RFC 3339 in UTC, with six decimals, the hash hexadecimal."""

    position: int
    stream_id: str
    version: int
    type: str
    data: str
    metadata: str
    recorded_at: str
    hash: str


Write = Callable[[Sequence[Line]], None]
"""Adds events to a file."""


class MissingPackageError(Exception):
    """A format needs a package that is not installed; the message says which, and how to install it."""


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

    def write(lines: Sequence[Line]) -> None:
        file.write(encode(lines))

    yield write


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Write]:
    written = StringIO(newline="")
    # All texts in quotes: left alone, the module would let a carriage return through that ends a line for every reader.
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)

    def write(lines: Sequence[Line]) -> None:
        writer.writerows(map(astuple, lines))
        file.write(written.getvalue().encode())
        written.seek(0)
        written.truncate()

    writer.writerow(Line.__struct_fields__)
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

        def write(lines: Sequence[Line]) -> None:
            *columns, times, hashes = zip(*map(astuple, lines), strict=True)
            arrays = [pa.array(values, sort) for sort, values in zip(schema.types, columns, strict=False)]
            arrays += [pa.array(times).cast(schema.types[-2]), pa.array(map(bytes.fromhex, hashes), schema.types[-1])]
            writer.write_batch(pa.record_batch(arrays, schema=schema))

        yield write


_EXPORTING = {"ndjson": _ndjson, "csv": _csv, "parquet": _parquet}


def line_of(event: RawEvent) -> Line:
    """The event as files have it."""
    return Line(*event[:6], timestamp(event.recorded_at).decode(), event.hash.hex())
