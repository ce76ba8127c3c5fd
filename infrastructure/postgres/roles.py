"""The engine works as the role ``orderlog_app``, which can add to the log and cannot change it, whoever it logs in as."""

import asyncio
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

import psycopg

from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.patience import patiently

APP = "orderlog_app"

_RIGHTS = """
SELECT current_user, coalesce(has_table_privilege(to_regclass('events'), 'UPDATE'), false), EXISTS (
    SELECT FROM pg_roles WHERE rolname = %s
        AND pg_has_role(oid, 'MEMBER') AND has_table_privilege(oid, to_regclass('events'), 'INSERT')
)
"""


class Rights(NamedTuple):
    """What a user of the database may do: change the log, become the role that cannot."""

    user: str
    changes_log: bool
    becomes_app: bool


async def as_app(database_url: str, patience_seconds: float) -> str:
    """The URL for an engine: when its user could change the log, one with which he gives up that right as he connects.

    Whoever can do no more than the role stays who he is. That, and not a change of roles, is what works through a pooler
    which gives every transaction another connection.

    Raises:
        psycopg.Error: the database cannot be reached, for as long as patience lasts.
    """
    user = await patiently(lambda: asyncio.to_thread(rights, database_url), patience_seconds)
    return with_role(database_url, APP) if user.changes_log and user.becomes_app else database_url


def rights(database_url: str) -> Rights:
    """What the user of this URL may do.

    Raises:
        psycopg.Error: the database cannot be reached.
    """
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        return Rights._make(connection.execute(_RIGHTS, (APP,)).fetchall()[0])


def with_role(database_url: str, role: str) -> str:
    """The URL with which whoever connects acts as the role, of which he has to be a member."""
    address, _, given = database_url.partition("?")
    query = dict(parse_qsl(given))
    query["options"] = f"{query.get('options', '')} -c role={role}".strip()
    return f"{address}?{urlencode(query, quote_via=quote)}"
