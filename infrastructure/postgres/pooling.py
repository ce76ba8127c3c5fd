"""Whether a URL leads to the database itself, or through a pooler that keeps no session for its clients."""

from collections import defaultdict

import psycopg
from psycopg import Connection
from psycopg.rows import TupleRow

from infrastructure.postgres.connecting import conninfo

_LOOKS = 12


def gives_each_transaction_another_connection(database_url: str) -> bool:
    """Whether there is a pooler in transaction mode in between, such as PgBouncer.

    The server process that answers is then not the one that a connection was told of, and several connections that are
    open at once are answered by the same one, or one of them by several.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True, prepare_threshold=None) as one:
        if one.info.backend_pid == _server_process(one):
            return False
        with psycopg.connect(conninfo(database_url), autocommit=True, prepare_threshold=None) as other:
            seen = defaultdict(set)
            for _ in range(_LOOKS):
                for connection in (one, other):
                    seen[connection].add(_server_process(connection))
            return len(seen[one]) > 1 or len(seen[other]) > 1 or seen[one] == seen[other]


def _server_process(connection: Connection[TupleRow]) -> int:
    ((process,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
    return int(process)
