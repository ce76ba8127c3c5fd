"""Whether the servers that were set are there and will do, asked once before anything is started on them."""

import logging

from infrastructure.settings import Settings, SettingsError

log = logging.getLogger(__name__)

_SECONDS_MAX = 5.0


class UnreachableError(Exception):
    """A server that was set does not answer; the message names the setting and what the server's client says."""


def check_servers(settings: Settings) -> None:
    """Ask the database and Redis, where they are set, for a sign of life. Embedded ones are started, not asked.

    A hot standby may be away: until it is back, the primary answers what it would have.

    Raises:
        UnreachableError: one of them does not answer. It is never replaced by another.
        SettingsError: the database keeps no session for us; see below.
    """
    if settings.database_url is not None:
        _check_database("DATABASE_URL", settings.database_url)
    if settings.direct_database_url is not None:
        _check_database("ORDERLOG_DIRECT_DATABASE_URL", settings.direct_database_url)
    check_sessions(settings)
    if settings.read_database_url is not None:
        try:
            _check_database("ORDERLOG_READ_DATABASE_URL", settings.read_database_url)
        except UnreachableError as error:
            log.warning("%s", error)
    if settings.redis_url not in {None, "none"}:
        _check_redis(str(settings.redis_url))


def check_sessions(settings: Settings) -> None:
    """See that what outlives a transaction does so: the lead of the worker, LISTEN, the locks of migrations and rebuilds.

    Raises:
        SettingsError: it would not, because of a pooler in transaction mode.
        psycopg.OperationalError: the database cannot be reached.
    """
    from infrastructure.postgres.pooling import gives_each_transaction_another_connection  # noqa: PLC0415 - see below

    if settings.session_url is None or not gives_each_transaction_another_connection(settings.session_url):
        return
    if settings.direct_database_url is not None:
        raise SettingsError("ORDERLOG_DIRECT_DATABASE_URL leads through a pooler in transaction mode itself.")
    raise SettingsError(
        "DATABASE_URL leads through a pooler in transaction mode: set ORDERLOG_DIRECT_DATABASE_URL to the address of the "
        "database itself, for what outlives a transaction (docs/how-to/use-a-pooler.md)."
    )


def _check_database(variable: str, url: str) -> None:
    import psycopg  # noqa: PLC0415 - most starts need no check

    from infrastructure.postgres.connecting import UNAVAILABLE, conninfo  # noqa: PLC0415 - see above

    try:
        with psycopg.connect(conninfo(url)) as connection:
            connection.execute("SELECT 1")
    except UNAVAILABLE as error:
        raise UnreachableError(f"{variable}: the database does not answer: {_said(error)}") from error


def _check_redis(url: str) -> None:
    import redis  # noqa: PLC0415 - most starts need no check
    from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
    from redis.retry import Retry  # noqa: PLC0415 - see above

    bounds = {"socket_timeout": _SECONDS_MAX, "socket_connect_timeout": _SECONDS_MAX}
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **bounds) as client:
            client.ping()
    except redis.RedisError as error:
        raise UnreachableError(f"REDIS_URL: Redis does not answer: {_said(error)}") from error


def check_key_server(url: str) -> None:
    """Ask the key server for keys that tokens can be verified with.

    Raises:
        UnreachableError: it has none, or does not answer.
    """
    import asyncio  # noqa: PLC0415 - most starts need no check

    from infrastructure.token_keys import KeyServerError, fetch_key_set  # noqa: PLC0415 - see above

    problem = "ORDERLOG_JWKS_URL: the key server gives no keys: "

    async def ask() -> None:
        try:
            keys = await fetch_key_set(url)
        except KeyServerError as error:
            raise UnreachableError(f"{problem}{_said(error)}") from error
        if not keys:
            raise UnreachableError(f"{problem}{url} has no key for RS256 or ES256")

    asyncio.run(ask())


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
