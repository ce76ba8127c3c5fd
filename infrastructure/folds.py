"""A fold of the log by a way of its own, for whoever checks read tables: rows go to a temporary file, not to PostgreSQL.

SQLite keeps the file and removes it; until it is large it is in memory. What is held is the rows of one batch.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any, Generic, NamedTuple, Self, get_type_hints

import msgspec

from application.ports import EventStore
from domain.values import exactly, tidy
from projections.projection import NO_PAST, Batch, Key, Projection, Row

_CACHE_KIB = 16 * 1024
_CHECKSUMS = 2**256

encode = msgspec.json.Encoder(decimal_format="string").encode
"""A row as a JSON array of its columns, with its numeric ones as texts."""


class Changed(NamedTuple, Generic[Row]):
    """The rows that a batch changed, as it left them; and, of those that there were none of before, what ``encode`` makes."""

    rows: Mapping[Key, Row]
    new: Mapping[Key, bytes]


class Fold(Generic[Row]):
    """The rows of one projection, as far as the log was folded. Use as a context manager.

    Args:
        projection: what is folded.
        skipped: positions of events that it does not apply.
    """

    def __init__(self, projection: Projection[Row], skipped: Collection[int] = ()) -> None:
        self.projection = projection
        self.position = 0
        self._skipped = frozenset(skipped)
        self.decode = msgspec.json.Decoder(projection.row).decode
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # Text compares by its bytes here and under the collation "C" there, so both sides come in one order.
        names = [f"key_{number}" for number in range(len(projection.key))]
        types = ["INTEGER" if get_type_hints(projection.row)[name] is int else "TEXT" for name in projection.key]
        columns = ", ".join(f"{name} {sql_type} NOT NULL" for name, sql_type in zip(names, types, strict=True))
        key, marks = ", ".join(names), ", ".join("?" for _ in names)
        self._file.execute(f"CREATE TABLE rows ({columns}, cells BLOB NOT NULL, PRIMARY KEY ({key})) WITHOUT ROWID")
        self._select = f"SELECT cells FROM rows WHERE ({key}) = ({marks})"  # noqa: S608 - the names are ours
        self._replace = f"REPLACE INTO rows VALUES ({marks}, ?)"  # noqa: S608 - the same
        self._ordered = f"SELECT cells FROM rows ORDER BY {key}"  # noqa: S608 - the same

    def __enter__(self) -> Self:
        """It is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file."""
        self._file.close()

    async def apply(self, batch: Batch, store: EventStore) -> Changed[Row]:
        """Fold what of the batch is new; the store has the streams of rows that are told anew. Returns what it changed.

        Raises:
            BrokenHistoryError: an event cannot have followed the ones before it.
            StoreUnavailableError: the store cannot be reached.
        """
        new = batch
        if batch and batch[0].position <= self.position:
            new = [recorded for recorded in batch if recorded.position > self.position]
        new = self._unskipped(new)
        past = NO_PAST
        if streams := self.projection.retold(new):
            loaded = await store.load(dict.fromkeys(streams, 0))
            past = {stream: self._unskipped(events) for stream, events in loaded.streams.items()}
        # All events of a row are in one stream: where that begins here, there is no row yet.
        begun = {recorded.stream_id for recorded in new if recorded.version == 1}
        older = [recorded for recorded in new if recorded.stream_id not in begun]
        known = self.rows(self.projection.keys(older))
        changed = self.projection.fold(known, new, past)
        cells = {key: encode(row) for key, row in changed.items()}
        self._file.execute("BEGIN")
        self._file.executemany(self._replace, [(*key, row) for key, row in cells.items()])
        self._file.execute("COMMIT")
        self.position = max([self.position, *(recorded.position for recorded in batch[-1:])])
        for key in known:
            cells.pop(key, None)
        return Changed(changed, cells)

    def _unskipped(self, events: Batch) -> Batch:
        if not self._skipped:
            return events
        return [recorded for recorded in events if recorded.position not in self._skipped]

    def rows(self, keys: Collection[Key]) -> dict[Key, Row]:
        """The rows with these keys that there are."""
        found = ((key, self._file.execute(self._select, key).fetchone()) for key in keys)
        return {key: self.decode(row[0]) for key, row in found if row is not None}

    def __iter__(self) -> Iterator[Row]:
        """All rows in the order of their keys."""
        return map(self.decode, self.encoded())

    def encoded(self) -> Iterator[bytes]:
        """The same as ``encode`` makes them: the same bytes are the same row, and other ones may be."""
        return (cells for (cells,) in self._file.execute(self._ordered))


class Summary(NamedTuple):
    """What says in a few words that two tables are the same, whatever the order of their rows.

    ``checksum`` is the sum of the SHA-256 of all rows, as their fold writes them, modulo 2^256.
    """

    rows: int
    totals: dict[str, Decimal]
    checksum: str

    def __add__(self, other: "Summary") -> "Summary":  # type: ignore[override] # no tuple is meant
        """Of the rows of both."""
        with exactly():
            totals = {name: tidy(total + other.totals[name]) for name, total in self.totals.items()}
        checksum = (int(self.checksum, 16) + int(other.checksum, 16)) % _CHECKSUMS
        return Summary(self.rows + other.rows, totals, f"{checksum:064x}")


class Tally:
    """Sums up rows."""

    def __init__(self, row: type[tuple[Any, ...]]) -> None:
        hints = get_type_hints(row)
        plain = {name: getattr(hint, "__supertype__", hint) for name, hint in hints.items()}
        self._decimals = [(name, at) for at, (name, hint) in enumerate(plain.items()) if hint is Decimal]
        # Of all other columns it does not matter what they mean.
        cells = tuple(hint if hint is Decimal else Any for hint in plain.values())
        self._decode = msgspec.json.Decoder(list[tuple[cells]]).decode  # type: ignore[valid-type] # a type it is
        self._totals = [Decimal(0)] * len(self._decimals)
        self._rows = 0
        self._checksum = 0

    def add(self, encoded: Sequence[bytes]) -> None:
        """Some rows more, as ``encode`` writes them where they were folded: equal numbers can be written in different ways."""
        self._rows += len(encoded)
        self._checksum += sum(int.from_bytes(sha256(row).digest()) for row in encoded)
        rows: Sequence[Sequence[Any]] = self._decode(b"[%b]" % b",".join(encoded)) if self._decimals else ()
        with exactly():
            self._totals = [
                sum((row[at] for row in rows), total)
                for total, (_, at) in zip(self._totals, self._decimals, strict=True)
            ]

    def summary(self) -> Summary:
        """Of everything so far."""
        totals = {name: tidy(total) for (name, _), total in zip(self._decimals, self._totals, strict=True)}
        return Summary(self._rows, totals, f"{self._checksum % _CHECKSUMS:064x}")
