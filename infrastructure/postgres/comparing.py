"""A read table, row by row, against a fold of the log: both come in the order of their keys, and neither is held."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from operator import eq
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from infrastructure.folds import Fold, Summary, Tally, encode
from infrastructure.postgres.rows import Table, as_json
from infrastructure.postgres.shards import SHARD, WHOLE, Shard
from infrastructure.reading_ahead import reading_ahead
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


async def compared(
    connection: AsyncConnection[TupleRow], fold: Fold[Any], schema: str | None = None, shard: Shard = WHOLE
) -> Verified:
    """Compare the projection's table, live or in the schema, or a shard of it, with its fold. Takes a transaction.

    Raises:
        psycopg.Error: the table cannot be read.
    """
    projection = fold.projection
    same, expected, found = Tally(projection.row), Tally(projection.row), Tally(projection.row)
    difference = None
    wanted = _Rows(fold)
    async with _found(connection, projection, schema, shard) as pages:
        async for page in pages:
            if wanted.take_same(page):
                same.add(page)
                continue
            for cells in page:
                row = fold.decode(cells)
                key = _key(projection, row)
                for missing in wanted.before(key):
                    expected.add([encode(missing)])
                    difference = difference or _difference(projection, missing, None)
                other = wanted.take(key)
                if other is not None:
                    expected.add([encode(other)])
                # Equal rows may be written in different ways, as 1 and 1.0 are.
                found.add([encode(other) if other == row else cells])
                difference = difference or (_difference(projection, other, row) if other != row else None)
    for missing in wanted.rest():
        expected.add([encode(missing)])
        difference = difference or _difference(projection, missing, None)
    both = same.summary()
    return Verified(projection.name, fold.position, both + found.summary(), both + expected.summary(), difference)


async def compared_rows(
    connection: AsyncConnection[TupleRow],
    projection: Projection[Any],
    expected: Mapping[Key, Any],
    schema: str | None = None,
) -> Difference | None:
    """The first of these rows that the table has otherwise, None when it has all of them.

    Raises:
        psycopg.Error: the table cannot be read.
    """
    if not expected:
        return None
    table = Table(projection, schema)
    cursor = await connection.cursor(binary=True).execute(*table.load(expected))
    found = table.loaded(await cursor.fetchall())
    wrong = [key for key in expected if expected[key] != found.get(key)]
    return _difference(projection, expected[min(wrong)], found.get(min(wrong))) if wrong else None


@asynccontextmanager
async def _found(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], schema: str | None, shard: Shard
) -> AsyncIterator[AsyncIterator[Sequence[bytes]]]:
    """The table's rows in the order of their keys, as ``encode`` writes them: PostgreSQL does, and nobody reads them twice."""
    begin, field = projection.stream
    stream = sql.SQL("({begin} || {field})").format(begin=sql.Literal(begin), field=sql.Identifier(field)).as_string()
    statement = sql.SQL("SELECT convert_to({row}, 'UTF8') FROM {table} WHERE {shard} ORDER BY {key}").format(
        row=as_json(projection.row),
        table=sql.Identifier(*filter(None, [schema]), projection.name),
        shard=sql.SQL("true" if shard.of == 1 else SHARD.format(stream=stream)),
        key=sql.SQL(", ").join(map(sql.Identifier, projection.key)),
    )
    async with connection.cursor(f"verify_{projection.name}", binary=True) as cursor:
        await cursor.execute(statement, None if shard.of == 1 else shard._asdict())

        async def read(_: object) -> Sequence[bytes]:
            return [row for (row,) in await cursor.fetchmany(_ROWS_AT_ONCE)]

        async with aclosing(reading_ahead(read)) as pages:
            yield pages


class _Rows:
    """The rows of a fold, taken in the order of their keys."""

    def __init__(self, fold: Fold[Any]) -> None:
        self._projection = fold.projection
        self._decode = fold.decode
        self._rows = fold.encoded()
        self._next: deque[bytes] = deque()

    def take_same(self, page: Sequence[bytes]) -> bool:
        """Take the next ones if they are these, to the byte."""
        self._look(len(page))
        if not all(map(eq, self._next, page)) or len(self._next) < len(page):
            return False
        for _ in page:
            self._next.popleft()
        return True

    def before(self, key: Key) -> Iterator[Any]:
        """Those with smaller keys."""
        while self._look() and _key(self._projection, self._decode(self._next[0])) < key:
            yield self._pop()

    def take(self, key: Key) -> Any:  # noqa: ANN401 - a row
        """The one with this key, None when there is none."""
        if not self._look() or _key(self._projection, self._decode(self._next[0])) != key:
            return None
        return self._pop()

    def rest(self) -> Iterator[Any]:
        """All that are left."""
        while self._look():
            yield self._pop()

    def _look(self, rows: int = 1) -> bool:
        """Whether there is a next one, with so many after it at hand if there are."""
        self._next.extend(islice(self._rows, max(rows - len(self._next), 0)))
        return bool(self._next)

    def _pop(self) -> Any:  # noqa: ANN401 - a row
        return self._decode(self._next.popleft())


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
