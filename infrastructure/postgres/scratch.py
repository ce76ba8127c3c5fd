"""Read models as they were at some moment, in a schema of their own, for whoever wants to ask them in SQL.

A schema that was made here says so in its comment; any other is left alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from psycopg import AsyncConnection, sql
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from infrastructure.postgres.building import Builder, begin
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.skips import skips_of
from projections.projection import Projection

_EVENTS_AT_ONCE = 5_000

_MARK: Final = "Made by orderlog events replay, and replaced or dropped by it: read models up to position "

_COMMENT_OF = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"

# The progress of what is built is kept as rebuilds keep it.
_CREATE = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.progress (LIKE building.progress INCLUDING ALL);
COMMENT ON SCHEMA {schema} IS {comment};
"""

_BEGAN_AT = "SELECT min(began_at) FROM {schema}.progress"

_COUNT = "SELECT count(*) FROM {table}"


class ScratchError(Exception):
    """The schema cannot be used for a replay; the message says why, and what to do about it."""


async def replay(
    pool: Pool,
    store: PostgresEventStore,
    projections: Sequence[Projection[Any]],
    until: int,
    *,
    schema: str,
    built: Callable[[int], None] = lambda _events: None,
) -> Mapping[str, int]:
    """Build the read models in the schema from the log up to the position; what an earlier replay left there is replaced.

    Nothing is published, and nothing live is touched. Returns the number of rows by table.

    Args:
        pool: of the database that has the log.
        store: the log.
        projections: what to build.
        until: the last position that counts.
        schema: where.
        built: told after each batch how many more events were applied.

    Raises:
        ScratchError: the schema is somebody else's, or this role may not make one.
        BuildError: an event cannot be applied, or somebody else builds in the schema too.
        StoreUnavailableError: the log cannot be read.
    """
    name = sql.Identifier(schema)
    try:
        async with pool.connection() as connection, connection.transaction():
            await _drop(connection, schema)
            comment = sql.Literal(f"{_MARK}{until}")
            await connection.execute(sql.SQL(_CREATE).format(schema=name, comment=comment))
            for projection in projections:
                await begin(connection, projection, schema)
            cursor = await connection.execute(sql.SQL(_BEGAN_AT).format(schema=name))
            ((began_at,),) = await cursor.fetchall()
            skips = await skips_of(connection, projections)
    except (InsufficientPrivilege, ReadOnlySqlTransaction) as error:
        raise _not_allowed(error) from error
    await Builder(pool, store, projections, began_at, skips=skips, schema=schema).build(
        0, until, _EVENTS_AT_ONCE, built
    )
    counts = {}
    async with pool.connection() as connection:
        for projection in projections:
            count = sql.SQL(_COUNT).format(table=sql.Identifier(schema, projection.name))
            ((counts[projection.name],),) = await (await connection.execute(count)).fetchall()
    return counts


async def drop(pool: Pool, schema: str) -> bool:
    """Drop what a replay left in the schema; whether there was anything.

    Raises:
        ScratchError: the schema is somebody else's, or this role may not drop it.
    """
    try:
        async with pool.connection() as connection, connection.transaction():
            return await _drop(connection, schema)
    except (InsufficientPrivilege, ReadOnlySqlTransaction) as error:
        raise _not_allowed(error) from error


async def _drop(connection: AsyncConnection[Any], schema: str) -> bool:
    found = await (await connection.execute(_COMMENT_OF, (schema,))).fetchall()
    if not found:
        return False
    if not (found[0][0] or "").startswith(_MARK):
        raise ScratchError(f"There is a schema {schema} that no replay made: --schema names another one")
    await connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    return True


def _not_allowed(error: Exception) -> ScratchError:
    said = " ".join(str(error).split())
    advice = "it takes a role with CREATE on the database, such as the owner's"
    return ScratchError(f"A replay makes a schema, and this database role may not ({said}): {advice}")
