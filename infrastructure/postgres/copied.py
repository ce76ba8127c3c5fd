"""The rows of a query as COPY writes them in its binary form: fields with their lengths before them, and nothing decoded.

The server goes on with its next rows while a row is worked on here.
"""

from collections.abc import Iterator
from struct import Struct

from psycopg import Connection, sql
from psycopg.rows import TupleRow

_COPY = sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)")
_HEADER_BYTES = 19
_END = b"\xff\xff"

_length = Struct("!i").unpack_from


def copied(connection: Connection[TupleRow], query: sql.Composable) -> Iterator[bytes]:
    """The rows; each is the number of its fields in two bytes, and the fields.

    Raises:
        psycopg.Error: the query cannot be answered.
    """
    with connection.cursor().copy(_COPY.format(query)) as copy:
        header = _HEADER_BYTES
        while row := copy.read()[header:]:
            if row != _END:
                yield bytes(row)
            header = 0


def fields(row: bytes) -> list[bytes | None]:
    """The fields of a row, None where there is no value."""
    found: list[bytes | None] = []
    at = 2
    while at < len(row):
        (length,) = _length(row, at)
        at += 4
        found.append(None if length < 0 else row[at : at + length])
        at += max(length, 0)
    return found
