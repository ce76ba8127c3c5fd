"""How a command reaches the database: the one that is set, or the embedded one, started for as long as it takes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.exits import CommandError

if TYPE_CHECKING:
    from infrastructure.settings import Settings


@contextmanager
def database(known: "Settings") -> Iterator[str]:
    """The URL of a database that runs for the length of the block; there is no pooler in between.

    Raises:
        SettingsError: a pooler that keeps no session is all that is known of it.
        EmbeddedServerError: the embedded PostgreSQL does not start.
        HomeError: the home cannot be used.
    """
    if known.session_url is not None:
        from infrastructure.reachability import check_sessions  # noqa: PLC0415 - see below

        check_sessions(known)
        yield known.session_url
        return
    from infrastructure.embedded.postgres import Postgres  # noqa: PLC0415 - takes longer to import than --help
    from infrastructure.embedded.servers import embedded_servers  # noqa: PLC0415 - see above

    with embedded_servers(known.home, [Postgres()]) as addresses:
        yield str(addresses.database_url)


@contextmanager
def event_log(known: "Settings") -> Iterator[str]:
    """The same, of a database that has an event log.

    Raises:
        CommandError: it was never migrated.
        psycopg.OperationalError: it cannot be reached.
    """
    from infrastructure.postgres.migrating import current  # noqa: PLC0415 - see above

    with database(known) as url:
        if current(url) is None:
            raise CommandError("The database has no event log yet: `orderlog db upgrade` makes it")
        yield url
