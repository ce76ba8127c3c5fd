"""Whether the servers that were set are there, asked once before anything is started on them."""

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from infrastructure.postgres.connecting import UNAVAILABLE, conninfo
from infrastructure.settings import Settings

_SECONDS_MAX = 5.0


class UnreachableError(Exception):
    """A server that was set does not answer; the message names the setting and what the server's client says."""


def check_servers(settings: Settings) -> None:
    """Ask the database, and Redis if there is one, for a sign of life.

    Raises:
        UnreachableError: one of them does not answer. It is never replaced by another.
    """
    try:
        with psycopg.connect(conninfo(str(settings.database_url))) as connection:
            connection.execute("SELECT 1")
    except UNAVAILABLE as error:
        raise UnreachableError(f"DATABASE_URL: the database does not answer: {_said(error)}") from error
    if settings.redis_url in {None, "none"}:
        return
    retry = Retry(NoBackoff(), 0)
    try:
        with redis.Redis.from_url(
            str(settings.redis_url), socket_timeout=_SECONDS_MAX, socket_connect_timeout=_SECONDS_MAX, retry=retry
        ) as client:
            client.ping()
    except redis.RedisError as error:
        raise UnreachableError(f"REDIS_URL: Redis does not answer: {_said(error)}") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())
