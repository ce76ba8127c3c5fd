"""The end of a rebuild: the rebuilt table takes the live one's place, in one short transaction.

It holds the checkpoint, as the projector does when it writes, so nothing is projected meanwhile; what the live table has
read is applied to the new one first, so no reader sees an older state than before. Only then are readers locked out, for
the length of two renames. Whoever reads the live table for long is not waited for: readers behind would wait as well.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.errors import LockNotAvailable
from psycopg.rows import TupleRow

from infrastructure.postgres.building import BUILDING, BuildError
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.patience import Pool
from projections.projection import Projection

PATIENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.05
_PAUSE_SECONDS_MAX = 2.0

_HOLD = """
SELECT set_config('lock_timeout', '5s', true), set_config('statement_timeout', '30s', true),
       set_config('idle_in_transaction_session_timeout', '30s', true)
"""

_CHECKPOINT = "SELECT position, version FROM checkpoints WHERE name = %s FOR UPDATE"

# A reader that is there already holds us up, and we hold up everybody behind us: not for longer than this.
_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', '100ms', true), set_config('synchronous_commit', 'on', true)"

_SCHEMA = "SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = %s::regclass"

_SWAP = """
LOCK TABLE {live} IN ACCESS EXCLUSIVE MODE;
ALTER TABLE {live} SET SCHEMA previous;
ALTER TABLE {built} SET SCHEMA {schema};
"""

_DONE = """
UPDATE checkpoints SET position = greatest(checkpoints.position, built.position), version = built.version,
    updated_at = clock_timestamp()
FROM building.progress AS built WHERE checkpoints.name = %(name)s AND built.name = %(name)s
"""

_FORGET = "DELETE FROM building.progress WHERE name = %s"

_IN_THE_WAY = """
SELECT DISTINCT format('process %%s (%%s), for %%s s', pid, coalesce(nullif(application_name, ''), usename),
    round(extract(epoch FROM clock_timestamp() - xact_start)))
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE relation = %s::regclass AND granted AND pid <> pg_backend_pid()
"""

CatchUp = Callable[[AsyncConnection[TupleRow], int], Awaitable[bool]]
"""Applies, in the transaction of this connection, what is missing up to this position; False: it is too much for that."""


async def swap(
    pool: Pool, projection: Projection[Any], catch_up: CatchUp, behind: Callable[[], Awaitable[None]]
) -> float:
    """Put the built table in the place of the live one, which goes to the schema ``previous``.

    Args:
        pool: one of its connections is used.
        projection: what was built, by one shard.
        catch_up: what is applied last.
        behind: catches up without holding anything, when there is too much left for the transaction.

    Returns:
        For how many seconds readers were locked out.

    Raises:
        BuildError: a newer program swapped its own table in, or somebody reads the live one for too long.
        psycopg.Error: the database cannot be reached, or it is not allowed. Nothing was swapped.
    """
    name = sql.Identifier(projection.name)
    async with pool.connection() as connection:
        await connection.execute(sql.SQL("DROP TABLE IF EXISTS previous.{}").format(name))
    deadline = monotonic() + PATIENCE_SECONDS
    pause_seconds = _PAUSE_SECONDS
    while True:
        await behind()
        try:
            async with pool.connection() as connection, connection.transaction():
                seconds = await _attempt(connection, projection, catch_up)
        except LockNotAvailable:
            if monotonic() > deadline:
                async with pool.connection() as connection:
                    raise await _in_the_way(connection, projection) from None
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, _PAUSE_SECONDS_MAX)
        else:
            if seconds is not None:
                return seconds


async def _attempt(
    connection: AsyncConnection[TupleRow], projection: Projection[Any], catch_up: CatchUp
) -> float | None:
    await connection.execute(_HOLD)
    cursor = await connection.execute(_CHECKPOINT, (projection.name,))
    ((position, version),) = await cursor.fetchall()
    if version > projection.version:
        raise BuildError(f"{projection.name} was rebuilt by a newer program meanwhile, which has version {version}")
    if not await catch_up(connection, position):
        return None
    ((schema,),) = await (await connection.execute(_SCHEMA, (projection.name,))).fetchall()
    live, built = sql.Identifier(schema, projection.name), sql.Identifier(BUILDING, projection.name)
    await connection.execute(_LOCK_TIMEOUT)
    began = monotonic()
    await connection.execute(sql.SQL(_SWAP).format(live=live, built=built, schema=sql.Identifier(schema)))
    await connection.execute(_DONE, {"name": projection.name})
    await connection.execute(_FORGET, (projection.name,))
    return monotonic() - began


async def _in_the_way(connection: AsyncConnection[TupleRow], projection: Projection[Any]) -> BuildError:
    cursor = await connection.execute(_IN_THE_WAY, (projection.name,))
    readers = "; ".join(reader for (reader,) in await cursor.fetchall()) or "somebody"
    return BuildError(
        f"The rebuilt {projection.name} could not take its place, because the live one is being read by {readers}. "
        "Nothing is lost: --resume goes on"
    )


async def drop_previous(database_url: str, projections: Sequence[Projection[Any]]) -> list[str]:
    """Drop the tables that rebuilt ones have replaced; the names of those that there were.

    Raises:
        psycopg.Error: the database cannot be used.
    """
    dropped = []
    async with await AsyncConnection.connect(conninfo(database_url), autocommit=True) as connection:
        for projection in projections:
            table = sql.Identifier("previous", projection.name)
            found = await connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table.as_string(),))
            if await found.fetchone() == (True,):
                await connection.execute(sql.SQL("DROP TABLE {}").format(table))
                dropped.append(projection.name)
    return dropped
