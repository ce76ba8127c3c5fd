"""Whether the read models are what the log leads to: folded afresh, row by row, at the position where each one stands."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from application.ports import EventStore
from infrastructure.folds import Fold
from infrastructure.postgres.building import batches
from infrastructure.postgres.comparing import Verified, compared
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.skips import skips_of
from projections.projection import Projection
from projections.registry import PROJECTIONS

_EVENTS_AT_ONCE = 5_000


async def verify(
    database_url: str,
    store: EventStore,
    projections: Sequence[Projection[Any]] = PROJECTIONS,
    *,
    advanced: Callable[[int], None] = lambda _events: None,
) -> list[Verified]:
    """Fold the log afresh and compare every row of the read models with it.

    Tables and their positions are read in one snapshot, so this may run beside a working engine; while it runs, none of
    these tables can be swapped. Memory is bounded whatever the length of the log and of the tables.

    Args:
        database_url: where the read models are.
        store: the log that they are folded from.
        projections: the read models to compare.
        advanced: told how many more events have been folded.

    Raises:
        StoreUnavailableError, psycopg.Error: the database cannot be read.
        BrokenHistoryError: the log contradicts itself.
    """
    async with _snapshot(database_url, projections) as connection:
        positions = await _positions(connection)
        skips = await skips_of(connection, projections)
        with ExitStack() as stack:
            folds = [stack.enter_context(Fold(each, skips.get(each.name, ()))) for each in projections]
            end = max((positions[each.name] for each in projections), default=0)
            async for batch in batches(store, 0, end, _EVENTS_AT_ONCE):
                for fold in folds:
                    until = positions[fold.projection.name]
                    if known := [recorded for recorded in batch if recorded.position <= until]:
                        await fold.apply(known, store)
                advanced(len(batch))
            return [await compared(connection, fold) for fold in folds]


@asynccontextmanager
async def _snapshot(
    database_url: str, projections: Sequence[Projection[Any]]
) -> AsyncIterator[AsyncConnection[TupleRow]]:
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # Before the snapshot is taken: rows of a table that takes this one's place later would not all be in it.
        names = sql.SQL(", ").join(sql.Identifier(projection.name) for projection in projections)
        await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        yield connection


async def _positions(connection: AsyncConnection[TupleRow]) -> dict[str, int]:
    found = await connection.execute("SELECT name, position FROM checkpoints")
    return dict(await found.fetchall())
