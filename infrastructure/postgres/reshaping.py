"""How a migration gives a read model another shape and leaves the table that lives alone.

The program before goes on with the live table. The new shape waits in the schema ``building``, empty, until the program
that knows it has filled it and swaps it in. Where the log is empty there is nothing to fill: there the live table changes.
See docs/how-to/change-a-projection.md.
"""

from typing import Any

from psycopg import Connection, sql

from infrastructure.postgres.building import BUILDING
from infrastructure.postgres.twins import TWIN

_STANDS = """
SELECT log_head.position = 0, checkpoints.version, EXISTS (
    SELECT FROM building.progress AS prepared WHERE prepared.name = checkpoints.name AND is_prepared
)
FROM checkpoints CROSS JOIN log_head WHERE checkpoints.name = %s
"""

_VERSION = "UPDATE checkpoints SET version = %s WHERE name = %s"

_AFRESH = "UPDATE checkpoints SET version = %s, position = 0 WHERE name = %s"

_FORGET = "DELETE FROM building.progress WHERE name = %s"

_PREPARED = """
INSERT INTO building.progress (name, shard, shards, version, position, is_prepared, began_at)
VALUES (%s, 0, 1, %s, 0, true, NULL)
"""


def reshape(connection: Connection[Any], name: str, version: int, ddl: str) -> None:
    """Prepare a read model's table for this version of its projection, in the transaction of the connection.

    Args:
        connection: of the migration.
        name: of the projection.
        version: that the rebuilt rows will have.
        ddl: what makes the new shape out of the one before; ``{table}`` stands for the table.

    Raises:
        psycopg.Error: the DDL does not fit the table.
    """
    is_empty, _, is_prepared = _stands(connection, name)
    if is_empty:
        _change(connection, sql.Identifier(name), ddl)
        connection.execute(_VERSION, (version, name))
        return
    table = sql.Identifier(BUILDING, name)
    if is_prepared:  # for a version in between, which nobody has rebuilt
        connection.execute(sql.SQL("TRUNCATE {}").format(table))
    else:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        for _, statement in connection.execute(TWIN, {"table": name, "schema": BUILDING}).fetchall():
            connection.execute(statement.encode())
    _change(connection, table, ddl)
    connection.execute(_FORGET, (name,))
    connection.execute(_PREPARED, (name, version))


def unshape(connection: Connection[Any], name: str, version: int, ddl: str) -> None:
    """Take ``reshape`` back: the way down of the migration that called it.

    A shape that is swapped in already is changed where it is, and a worker of the version before folds its rows afresh.

    Args:
        connection: of the migration.
        name: of the projection.
        version: the one before.
        ddl: what makes the shape before out of the new one.

    Raises:
        psycopg.Error: the DDL does not fit the table.
    """
    is_empty, live_version, is_prepared = _stands(connection, name)
    live, built = sql.Identifier(name), sql.Identifier(BUILDING, name)
    if is_prepared:
        connection.execute(_FORGET, (name,))
    if is_prepared and live_version == version:
        connection.execute(sql.SQL("DROP TABLE {}").format(built))
    elif is_prepared:
        connection.execute(sql.SQL("TRUNCATE {}").format(built))
        _change(connection, built, ddl)
        connection.execute(_PREPARED, (name, version))
    else:
        connection.execute(sql.SQL("TRUNCATE {}").format(live))
        _change(connection, live, ddl)
        connection.execute(_VERSION if is_empty else _AFRESH, (version, name))


def _stands(connection: Connection[Any], name: str) -> tuple[bool, int, bool]:
    """Whether the log is empty, the version of the live rows, and whether a shape is prepared already."""
    ((is_empty, version, is_prepared),) = connection.execute(_STANDS, (name,)).fetchall()
    return is_empty, version, is_prepared


def _change(connection: Connection[Any], table: sql.Identifier, ddl: str) -> None:
    connection.execute(ddl.replace("{table}", table.as_string()).encode())
