"""What a rebuild starts from: its tables and their progress, new or left by one that was interrupted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from infrastructure.postgres.building import BUILDING, BuildError, begin, record_begin
from infrastructure.postgres.rows import array, columns
from projections.projection import Projection

_STANDS = """
SELECT name, checkpoints.version, checkpoints.position, log_head.position,
    greatest(reltuples, 0)::bigint, pg_total_relation_size(pg_class.oid)
FROM checkpoints CROSS JOIN log_head JOIN pg_class ON pg_class.oid = to_regclass(quote_ident(name))
WHERE name = ANY (%s::text[])
"""

_PROGRESS = """
SELECT name, version, is_prepared, count(*) FILTER (WHERE began_at IS NOT NULL), min(position)
FROM building.progress WHERE name = ANY (%s::text[]) GROUP BY name, version, is_prepared
"""

# From here on whoever built before does so no more.
_TAKE_OVER = "UPDATE building.progress SET began_at = now() WHERE name = ANY (%s::text[]) RETURNING began_at"

_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""

_NAMES_OF_TYPES = {"timestamptz": "timestamp with time zone"}


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a rebuild of a projection would start from.

    ``position`` and ``shards`` are those of an interrupted one that it would go on with, else 0 and those asked for;
    ``abandoned`` is the position of one that it would throw away. ``is_prepared``: a migration made the table.
    ``live_rows`` is what PostgreSQL believes, ``live_bytes`` includes the indexes.
    """

    projection: Projection[Any]
    live_version: int
    live_position: int
    head_position: int
    position: int
    shards: int
    resumes: bool
    abandoned: int | None
    is_prepared: bool
    live_rows: int
    live_bytes: int


async def prospects(
    connection: AsyncConnection[TupleRow], projections: Sequence[Projection[Any]], *, workers: int, resume: bool
) -> list[Prospect]:
    """What rebuilding them would start from. When some are to be resumed, those that need not be are left out.

    Raises:
        BuildError: a table is not one that this program can rebuild.
        psycopg.Error: the database cannot be read.
    """
    names = (array([each.name for each in projections], "text"),)
    stands = {row[0]: row[1:] for row in await (await connection.execute(_STANDS, names)).fetchall()}
    there = {row[0]: row[1:] for row in await (await connection.execute(_PROGRESS, names)).fetchall()}
    found = []
    for projection in projections:
        if projection.name not in stands:
            raise BuildError(f"There is no checkpoint of {projection.name}: `orderlog db upgrade` makes it")
        version, position, head, rows, size = stands[projection.name]
        if version > projection.version:
            raise BuildError(
                f"{projection.name} was written by version {version} of the projection, and this program has version "
                f"{projection.version}: a newer program has to rebuild it"
            )
        built_version, is_prepared, shards, built = there.get(projection.name, (projection.version, False, 0, 0))
        if is_prepared and built_version != projection.version:
            raise BuildError(
                f"{projection.name} is prepared for version {built_version} of the projection, and this program has "
                f"version {projection.version}"
            )
        resumes = resume and shards > 0 and built_version == projection.version
        found.append(
            Prospect(
                projection,
                version,
                position,
                head,
                position=built if resumes else 0,
                shards=shards if resumes else workers,
                resumes=resumes,
                abandoned=built if shards > 0 and not resumes else None,
                is_prepared=is_prepared,
                live_rows=rows,
                live_bytes=size,
            )
        )
    return [each for each in found if each.resumes] or found


async def prepare(connection: AsyncConnection[TupleRow], wanted: Sequence[Prospect]) -> datetime:
    """Make the tables and their progress, or take them over; the time by which their builder is known from now on.

    Raises:
        BuildError: a table does not have the columns of its projection.
        psycopg.Error: it is not allowed.
    """
    names = (array([each.projection.name for each in wanted], "text"),)
    async with connection.transaction():
        for each in wanted:
            if not each.resumes:
                await _begin(connection, each)
            await _check_columns(connection, each.projection)
        began_at: datetime = (await (await connection.execute(_TAKE_OVER, names)).fetchall())[0][0]
    return began_at


async def _begin(connection: AsyncConnection[TupleRow], prospect: Prospect) -> None:
    projection = prospect.projection
    table = sql.Identifier(BUILDING, projection.name)
    await connection.execute("DELETE FROM building.progress WHERE name = %s", (projection.name,))
    if prospect.is_prepared:
        await connection.execute(sql.SQL("TRUNCATE {}").format(table))
        await record_begin(connection, projection, BUILDING, prospect.shards, is_prepared=True)
    else:
        await connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        await begin(connection, projection, BUILDING, prospect.shards, to_be_filled=True)


async def _check_columns(connection: AsyncConnection[TupleRow], projection: Projection[Any]) -> None:
    table = sql.Identifier(BUILDING, projection.name).as_string()
    there: dict[str, str] = dict(await (await connection.execute(_COLUMNS, (table,))).fetchall())
    wanted = {name: _NAMES_OF_TYPES.get(of, of) for name, of in columns(projection.row).items()}
    missing = [f"{name} {of}" for name, of in wanted.items() if there.get(name) != of]
    if missing:
        raise BuildError(
            f"The table of {projection.name} lacks {', '.join(missing)}: a migration has to prepare version "
            f"{projection.version} of it (docs/how-to/change-a-projection.md)"
        )
