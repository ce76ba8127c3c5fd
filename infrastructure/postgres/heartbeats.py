"""What the parts of the engine say of themselves, so that every process can tell how they are."""

from dataclasses import dataclass

from infrastructure.postgres.patience import Pool

_BEAT = """
INSERT INTO heartbeats (name, is_ok, detail, at) VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET is_ok = excluded.is_ok, detail = excluded.detail, at = excluded.at
"""

_HEARD = "SELECT name, is_ok, detail, extract(epoch FROM clock_timestamp() - at)::float8 FROM heartbeats"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a part last said, and how many seconds ago."""

    is_ok: bool
    detail: str
    age_seconds: float


async def beat(pool: Pool, name: str, detail: str, *, is_ok: bool) -> None:
    """Say how the part is.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    async with pool.connection() as connection:
        await connection.execute(_BEAT, (name, is_ok, detail))


async def heartbeats(pool: Pool) -> dict[str, Heartbeat]:
    """The last heartbeat of every part that ever had one.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    async with pool.connection() as connection:
        rows = await (await connection.execute(_HEARD)).fetchall()
    return {name: Heartbeat(is_ok, detail, age) for name, is_ok, detail, age in rows}
