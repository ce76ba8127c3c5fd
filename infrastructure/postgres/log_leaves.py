"""The log as its chain and its tree have it: a leaf for each event, computed over the bytes that are stored."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

from psycopg import Connection, sql
from psycopg.rows import TupleRow

from infrastructure.audit.examination import LogLeaf, LogRow
from infrastructure.postgres.copied import copied, fields

_ROWS_AT_ONCE = 5_000

# By ranges of positions and not by "the next ones": then a position that is there twice cannot hide between two pages.
# Every range is a transaction of its own, because a long one would keep the server from clearing away old rows.
_LEAVES = sql.SQL("""
SELECT hash::bytea, position::bigint::text, stream_id::text, version::bigint::text, type::text, data::text, metadata::text,
       to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM events WHERE position BETWEEN {} AND {} ORDER BY events.position LIMIT {}
""")
_COLUMNS = ("hash", *LogRow._fields[:-1])

# Where things are in such a row, and what stands before them. No text has a zero byte in it.
_LEAF = b"\x00"
_HASH_LENGTH, _TIME_LENGTH = (32).to_bytes(4), (27).to_bytes(4)
_SHORT = bytes(3)
_NO_UTF8 = b"\xff"
"""A field without a value has such bytes instead of a length. So has one whose length ends in 255: that is looked at too."""
_BEHIND_HASH, _TIME = 2 + 4 + 32, -27


def leaves(connection: Connection[TupleRow], first: int, last: int) -> Iterator[tuple[Sequence[LogLeaf], int]]:
    """The events at these positions in order, some at a time, each time with the last position they should reach."""
    for start in range(first, last + 1, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE - 1, last)
        rows = copied(connection, _LEAVES.format(start, stop, _ROWS_AT_ONCE + 1))
        yield list(map(_leaf, rows)), stop


def _leaf(row: bytes) -> LogLeaf:
    """What the chain needs of a row: its fields stand in it as the leaf has them, each behind its length in four bytes."""
    stream = _BEHIND_HASH + 4 + row[_BEHIND_HASH + 3]
    version = stream + 4 + row[stream + 3]
    behind = version + 4 + row[version + 3]
    if (
        row[2:6] != _HASH_LENGTH
        or row[_TIME - 4 : _TIME] != _TIME_LENGTH
        or row[_BEHIND_HASH : _BEHIND_HASH + 3] != _SHORT
        or row[stream : stream + 3] != _SHORT
        or row[version : version + 3] != _SHORT
        or row.find(_NO_UTF8, behind) > 0
    ):
        return _odd_leaf(row)
    return LogLeaf(
        int(row[_BEHIND_HASH + 4 : stream]),
        row[stream + 4 : version].decode(),
        int(row[version + 4 : behind]),
        row[_TIME:].decode(),
        sha256(_LEAF + row[_BEHIND_HASH:]).digest(),
        row[6:_BEHIND_HASH],
        None,
    )


def _odd_leaf(row: bytes) -> LogLeaf:
    """The same of a row that lacks something, or has a field of an unusual length."""
    found = dict(zip(_COLUMNS, fields(row), strict=True))
    lacks = next((name for name in LogRow._fields if found[name] is None), None)
    hash_, position, stream_id, version, *_, recorded_at = [found[name] or b"" for name in _COLUMNS]
    event = b"" if lacks else sha256(_LEAF + row[6 + len(hash_) :]).digest()
    return LogLeaf(int(position), stream_id.decode(), int(version or 0), recorded_at.decode(), event, hash_, lacks)
