"""Logs whose partitions are small enough for tests."""

import psycopg
from psycopg import sql


def let_first_partition_end_at(database_url: str, last_position: int) -> None:
    """Take the first partition, which holds nothing behind the position, for what is up to there only."""
    bounds = sql.SQL("FOR VALUES FROM (1) TO ({})").format(last_position + 1)
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE events DETACH PARTITION events_from_1")
        connection.execute(sql.SQL("ALTER TABLE events ATTACH PARTITION events_from_1 {}").format(bounds))


def partitions_of(database_url: str) -> list[tuple[str, int, int]]:
    """Name, first and last position of each, in order."""
    with psycopg.connect(database_url) as connection:
        statement = "SELECT name, first_position, last_position FROM event_partitions ORDER BY first_position"
        return connection.execute(statement).fetchall()
