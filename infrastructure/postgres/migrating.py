"""Moves the database from one revision of ``migrations/`` to another.

Alembic takes longer to import than a process takes to start, so it is imported only when there is something to do.
"""

from pathlib import Path

import psycopg
from psycopg.errors import UndefinedTable

from infrastructure.postgres.connecting import conninfo

# Older revisions have no such function.
_SECURE = """
DO $$
BEGIN
    IF to_regproc('secure_database') IS NOT NULL THEN
        PERFORM secure_database();
    END IF;
END $$
"""

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def head() -> str:
    """The newest revision this program knows, from the names of the files."""
    return max(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def current(database_url: str) -> str | None:
    """The database's revision; None when it was never migrated.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        try:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except UndefinedTable:
            return None
    return row[0] if row else None


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to the revision, or leave it where it is when it is there or beyond.

    Processes that upgrade at once take turns. A database that a newer program has migrated is left alone, because
    during a rollout both run.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    wanted = head() if revision == "head" else revision
    if (current(database_url) or "") < wanted:
        _alembic(database_url, "upgrade", wanted)


def downgrade(database_url: str, revision: str) -> None:
    """Take the database back to the revision; ``base`` empties it.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    _alembic(database_url, "downgrade", revision)


def _alembic(database_url: str, command: str, revision: str) -> None:
    import sqlalchemy  # noqa: PLC0415 - see above
    from alembic import command as commands  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo(database_url)),
        poolclass=sqlalchemy.NullPool,
    )
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        getattr(commands, command)(config, revision)
        # Tables that the steps made belong to whoever runs them, until the roles get them.
        connection.execute(sqlalchemy.text(_SECURE))
        connection.commit()
