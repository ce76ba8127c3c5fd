"""How this program connects to PostgreSQL: the one place for timeouts and for prepared statements."""

from typing import Any

from psycopg import InterfaceError, OperationalError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import ReadOnlySqlTransaction

PREPARE_THRESHOLD: int | None = 5
"""psycopg prepares a statement on the server when it has run this often. None for a pooler that cannot follow."""

UNAVAILABLE = (OperationalError, InterfaceError, ReadOnlySqlTransaction)
"""What psycopg raises when the server is gone, going, starting, full, blocked, or has become a standby."""

# A dead peer is noticed within about ten seconds, connected or connecting. What the URL says goes first.
_DEFAULTS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "orderlog",
}


def conninfo(url: str) -> str:
    """The URL with the timeouts that it does not set itself."""
    parameters: dict[str, Any] = {**_DEFAULTS, **conninfo_to_dict(url)}
    return make_conninfo("", **parameters)
