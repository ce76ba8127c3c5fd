"""The other ways to the database: a pooler in front of it, a hot standby behind it."""

import psycopg

from cli.checks.finding import Finding
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.roles import rights

_END = "SELECT position, hash FROM log_head"

_HASH_AT = "SELECT hash FROM events WHERE position = %s"


def pooler(database_url: str) -> Finding:
    """As whom the engine works behind the pooler, which does not take a role from us.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    user = rights(database_url)
    if user.changes_log:
        return Finding(
            "pooler",
            f"the engine works behind it as {user.user}, which could change the log",
            "connect_query='SET ROLE orderlog_app', or a user of its own: docs/how-to/use-a-pooler.md",
        )
    return Finding(
        "pooler", f"the engine works behind it as {user.user}, which can add to the log and cannot change it"
    )


def standby(database_url: str, standby_url: str) -> Finding:
    """Whether the standby has the log that the database has, and how much of it.

    Raises:
        psycopg.Error: one of them cannot be reached.
    """
    with psycopg.connect(conninfo(standby_url), autocommit=True) as connection:
        ((there, last),) = connection.execute(_END).fetchall()
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        ((end, _),) = connection.execute(_END).fetchall()
        ours = [hash_ for (hash_,) in connection.execute(_HASH_AT, (there,)).fetchall()]
    if ours != [last] and there:
        return Finding(
            "standby",
            f"its log is not the database's: it ends at {there} with another hash",
            "set ORDERLOG_READ_DATABASE_URL to a standby of DATABASE_URL, or make the standby anew",
        )
    return Finding("standby", f"{max(end - there, 0)} events behind")
