"""A read table, row by row, against a fold of the log: both come in the order of their keys, and neither is held."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from infrastructure.folds import Fold, Summary, Tally
from infrastructure.postgres.rows import Table, columns, reader
from projections.projection import Key, Projection

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
    """A read table that was compared at a position of the log; ``difference`` is the first row that is not right."""

    projection: str
    position: int
    found: Summary
    expected: Summary
    difference: Difference | None

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return self.found.rows


async def compared(connection: AsyncConnection[TupleRow], fold: Fold[Any], schema: str | None = None) -> Verified:
    """Compare the projection's table, live or in the schema, with its fold. Takes a transaction.

    Raises:
        psycopg.Error: the table cannot be read.
    """
    projection = fold.projection
    expected, found = Tally(projection.row), Tally(projection.row)
    difference = None
    wanted = _Rows(iter(fold), projection)
    async with _found(connection, projection, schema) as rows:
        async for row in rows:
            found.add(row)
            key = _key(projection, row)
            for missing in wanted.before(key):
                expected.add(missing)
                difference = difference or _difference(projection, missing, None)
            same = wanted.take(key)
            if same is not None:
                expected.add(same)
            if same != row:
                difference = difference or _difference(projection, same, row)
    for missing in wanted.rest():
        expected.add(missing)
        difference = difference or _difference(projection, missing, None)
    return Verified(projection.name, fold.position, found.summary(), expected.summary(), difference)


async def compared_rows(
    connection: AsyncConnection[TupleRow], fold: Fold[Any], keys: Collection[Key], schema: str | None = None
) -> Difference | None:
    """The first of the rows with these keys that is not as the fold has it, None when all are.

    Raises:
        psycopg.Error: the table cannot be read.
    """
    if not keys:
        return None
    table = Table(fold.projection, schema)
    cursor = await connection.cursor(binary=True).execute(*table.load(keys))
    found = table.loaded(await cursor.fetchall())
    expected = fold.rows(keys)
    wrong = [key for key in keys if expected.get(key) != found.get(key)]
    return _difference(fold.projection, expected.get(min(wrong)), found.get(min(wrong))) if wrong else None


@asynccontextmanager
async def _found(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], schema: str | None
) -> AsyncIterator[AsyncIterator[Any]]:
    statement = sql.SQL("SELECT {columns} FROM {table} ORDER BY {key}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns(projection.row))),
        table=sql.Identifier(*filter(None, [schema]), projection.name),
        key=sql.SQL(", ").join(map(sql.Identifier, projection.key)),
    )
    read = reader(projection.row)
    async with connection.cursor(f"verify_{projection.name}", binary=True) as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(statement)

        async def rows() -> AsyncIterator[Any]:
            async for cells in cursor:
                yield read(cells)

        yield rows()


class _Rows:
    """The rows of a fold, taken in the order of their keys."""

    def __init__(self, rows: Iterator[Any], projection: Projection[Any]) -> None:
        self._rows = rows
        self._projection = projection
        self._next = next(rows, None)

    def before(self, key: Key) -> Iterator[Any]:
        """Those with smaller keys."""
        while self._next is not None and _key(self._projection, self._next) < key:
            yield self._pop()

    def take(self, key: Key) -> Any:  # noqa: ANN401 - a row
        """The one with this key, None when there is none."""
        if self._next is None or _key(self._projection, self._next) != key:
            return None
        return self._pop()

    def rest(self) -> Iterator[Any]:
        """All that are left."""
        while self._next is not None:
            yield self._pop()

    def _pop(self) -> Any:  # noqa: ANN401 - a row
        row, self._next = self._next, next(self._rows, None)
        return row


def _key(projection: Projection[Any], row: Any) -> Key:  # noqa: ANN401 - a NamedTuple
    return tuple(getattr(row, name) for name in projection.key)


def _described(fields: Mapping[str, Any] | None) -> str:
    return "no row" if fields is None else ", ".join(f"{name}={value}" for name, value in fields.items())


def _difference(projection: Projection[Any], expected: Any, found: Any) -> Difference:  # noqa: ANN401 - NamedTuples
    wanted = None if expected is None else expected._asdict()
    there = None if found is None else found._asdict()
    key = dict(zip(projection.key, _key(projection, found if expected is None else expected), strict=True))
    if wanted is not None and there is not None:
        unequal = [name for name in wanted if wanted[name] != there[name]]
        wanted, there = ({name: fields[name] for name in unequal} for fields in (wanted, there))
    return Difference(projection.name, key, wanted, there)
