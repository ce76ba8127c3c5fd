"""A table like another, empty, in another schema: to be filled there, and to take the other's place."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

# One catalog query writes all of it: LIKE leaves out names of indexes, storage parameters, privileges and policies, and
# after the swap a table without them would be another table. Triggers are left out on purpose: building fires nothing.
TWIN = """
WITH original AS (
    SELECT oid, relname, relacl, relowner, reloptions, relrowsecurity, relforcerowsecurity,
        format('%%I.%%I', relnamespace::regnamespace::text, relname) AS here,
        format('%%I.%%I', %(schema)s::text, relname) AS there
    FROM pg_class WHERE oid = %(table)s::regclass
)
SELECT 1 AS step, format('CREATE TABLE %%s (LIKE %%s INCLUDING ALL EXCLUDING INDEXES)%%s', there, here,
    ' WITH (' || array_to_string(reloptions, ', ') || ')') AS statement
FROM original
UNION ALL
SELECT 2, format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', there, conname, pg_get_constraintdef(pg_constraint.oid))
FROM original JOIN pg_constraint ON conrelid = original.oid AND contype IN ('p', 'u', 'x')
UNION ALL
SELECT 3, format('COMMENT ON TABLE %%s IS %%L', there, obj_description(original.oid, 'pg_class'))
FROM original
UNION ALL
SELECT 4, format('ALTER TABLE %%s OWNER TO %%s', there, relowner::regrole)
FROM original
UNION ALL
SELECT 5, format('GRANT %%s ON %%s TO %%s%%s', privilege_type, there,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM original CROSS JOIN aclexplode(relacl)
WHERE grantee <> relowner
UNION ALL
SELECT 6, format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', policyname, there, permissive, cmd,
    array_to_string(ARRAY(SELECT CASE role WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(role) END FROM unnest(roles) AS role), ', '),
    ' USING (' || qual || ')', ' WITH CHECK (' || with_check || ')')
FROM original JOIN pg_policies ON format('%%I.%%I', schemaname, tablename) = here
UNION ALL
SELECT 7, format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', there)
FROM original WHERE relrowsecurity
UNION ALL
SELECT 8, regexp_replace(replace(pg_get_indexdef(indexrelid), format(' ON %%s ', here), format(' ON %%s ', there)),
    ' INDEX ', ' INDEX IF NOT EXISTS ')
FROM original JOIN pg_index ON indrelid = original.oid
WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)
UNION ALL
SELECT 9, format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY', there)
FROM original WHERE relforcerowsecurity
ORDER BY step
"""
"""Step and statement of all that makes a twin of ``table`` in ``schema``, in order."""

_WHEN_FULL: Final = 8
"""The first step of those that can wait until the twin is full. Then an index takes a fraction of the time, and COPY, which
nobody may use where row level security is forced, is over."""


async def create_twin(connection: AsyncConnection[Any], table: str, schema: str, *, to_be_filled: bool = False) -> None:
    """Create the table, as it is now, in the schema, down to the names of its indexes, its privileges and policies.

    Args:
        connection: where.
        table: the original.
        schema: of the twin.
        to_be_filled: leave out what ``complete_twin`` makes.

    Raises:
        psycopg.Error: there is no such table or schema, the schema has one of this name, or it is not allowed.
    """
    for step, statement in await _steps(connection, table, schema):
        if step < _WHEN_FULL or not to_be_filled:
            await connection.execute(statement)


async def complete_twin(connection: AsyncConnection[Any], table: str, schema: str) -> None:
    """Make what a twin of the table that was to be filled lacks. What it has already, it keeps.

    Raises:
        psycopg.Error: there is no such table or twin, or it is not allowed.
    """
    for step, statement in await _steps(connection, table, schema):
        if step >= _WHEN_FULL:
            await connection.execute(statement)


async def _steps(connection: AsyncConnection[Any], table: str, schema: str) -> Sequence[tuple[int, bytes]]:
    cursor = await connection.execute(TWIN, {"table": table, "schema": schema})
    return [(step, statement.encode()) for step, statement in await cursor.fetchall()]
