"""Whether the read models are what the log leads to: folded afresh, row by row, at the position where each one stands."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from application.ports import EventStore
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.rows import columns, reader
from projections.projection import NO_PAST, Key, Projection
from projections.registry import PROJECTIONS

Rows = dict[Key, tuple[Any, ...]]

_EVENTS_AT_ONCE = 5_000
_ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that is not what the log leads to; None stands for no row. Only fields that differ are given."""

    projection: str
    key: Mapping[str, Any]
    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None

    def described(self) -> str:
        """The difference as a sentence."""
        expected, found = _described(self.expected), _described(self.found)
        return f"{self.projection} {_described(self.key)}: the log leads to {expected}, the table has {found}"


@dataclass(frozen=True, slots=True)
class Verified:
    """A read model that was compared: where it stands in the log, how many rows it has, the first that differs."""

    projection: str
    position: int
    rows: int
    difference: Difference | None


async def verify(
    database_url: str,
    store: EventStore,
    projections: Sequence[Projection[Any]] = PROJECTIONS,
    *,
    advanced: Callable[[int], None] = lambda _events: None,
) -> list[Verified]:
    """Fold the log afresh and compare every row of the read models with it.

    Tables and their positions are read in one snapshot, so this may run beside a working engine. All rows that the
    log leads to are held in memory.

    Args:
        database_url: where the read models are.
        store: the log they were built from.
        projections: which read models.
        advanced: told, from time to time, how many more events have been folded.

    Raises:
        StoreUnavailableError: the log cannot be read.
        psycopg.Error: the read models cannot be read.
        BrokenHistoryError: the log contradicts itself.
    """
    async with _snapshot(database_url) as connection:
        positions = await _positions(connection)
        ends = {projection.name: positions[projection.name] for projection in projections}
        expected = await _folded(store, projections, ends, advanced)
        return [
            await _compared(connection, projection, ends[projection.name], expected[projection.name])
            for projection in projections
        ]


@asynccontextmanager
async def _snapshot(database_url: str) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield connection


async def _positions(connection: AsyncConnection[TupleRow]) -> dict[str, int]:
    found = await connection.execute("SELECT name, position FROM checkpoints")
    return dict(await found.fetchall())


async def _folded(
    store: EventStore,
    projections: Sequence[Projection[Any]],
    ends: Mapping[str, int],
    advanced: Callable[[int], None],
) -> dict[str, Rows]:
    rows: dict[str, Rows] = {projection.name: {} for projection in projections}
    position, end = 0, max(ends.values(), default=0)
    while position < end:
        batch = await store.read(position, min(_EVENTS_AT_ONCE, end - position))
        for projection in projections:
            known = rows[projection.name]
            until = ends[projection.name]
            new = [recorded for recorded in batch if recorded.position <= until]
            streams = dict.fromkeys(projection.retold(new), 0)
            past = (await store.load(streams)).streams if streams else NO_PAST
            known |= projection.fold(known, new, past)
        position = batch[-1].position
        advanced(len(batch))
    return rows


async def _compared(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], position: int, expected: Rows
) -> Verified:
    """Takes the rows that are found out of those that are expected; what is left then is missing."""
    names = list(columns(projection.row))
    key_at = [names.index(name) for name in projection.key]
    read = reader(projection.row)
    statement = sql.SQL("SELECT {columns} FROM {table} ORDER BY {key}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, names)),
        table=sql.Identifier(projection.name),
        key=sql.SQL(", ").join(map(sql.Identifier, projection.key)),
    )
    count, difference = 0, None
    async with connection.cursor(f"verify_{projection.name}") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(statement)
        async for values in cursor:
            count += 1
            found = read(values)
            key = tuple(found[index] for index in key_at)
            wanted = expected.pop(key, None)
            if difference is None and wanted != found:
                difference = _difference(projection, key, wanted, found)
    if difference is None and expected:
        key = min(expected)
        difference = _difference(projection, key, expected[key], None)
    return Verified(projection.name, position, count, difference)


def _described(fields: Mapping[str, Any] | None) -> str:
    return "no row" if fields is None else ", ".join(f"{name}={value}" for name, value in fields.items())


def _difference(
    projection: Projection[Any], key: Key, expected: tuple[Any, ...] | None, found: tuple[Any, ...] | None
) -> Difference:
    names = list(columns(projection.row))
    wanted = dict(zip(names, expected, strict=True)) if expected is not None else None
    there = dict(zip(names, found, strict=True)) if found is not None else None
    if wanted is not None and there is not None:
        unequal = [name for name in names if wanted[name] != there[name]]
        wanted = {name: wanted[name] for name in unequal}
        there = {name: there[name] for name in unequal}
    return Difference(projection.name, dict(zip(projection.key, key, strict=True)), wanted, there)
