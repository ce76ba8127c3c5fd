"""Whether the servers that were set are there, asked once before anything is started on them."""

from infrastructure.settings import Settings

_SECONDS_MAX = 5.0


class UnreachableError(Exception):
    """A server that was set does not answer; the message names the setting and what the server's client says."""


def check_servers(settings: Settings) -> None:
    """Ask the database and Redis, where they are set, for a sign of life. Embedded ones are started, not asked.

    Raises:
        UnreachableError: one of them does not answer. It is never replaced by another.
    """
    if settings.database_url is not None:
        _check_database(settings.database_url)
    if settings.redis_url not in {None, "none"}:
        _check_redis(str(settings.redis_url))


def _check_database(url: str) -> None:
    import psycopg  # noqa: PLC0415 - most starts need no check

    from infrastructure.postgres.connecting import UNAVAILABLE, conninfo  # noqa: PLC0415 - see above

    try:
        with psycopg.connect(conninfo(url)) as connection:
            connection.execute("SELECT 1")
    except UNAVAILABLE as error:
        raise UnreachableError(f"DATABASE_URL: the database does not answer: {_said(error)}") from error


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

    async def ask() -> None:
        if not await fetch_key_set(url):
            raise KeyServerError(f"{url} has no key for RS256 or ES256")

    try:
        asyncio.run(ask())
    except KeyServerError as error:
        raise UnreachableError(f"ORDERLOG_JWKS_URL: the key server gives no keys: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
