"""Logs whose partitions are small enough for tests."""

import asyncio
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from domain.commands import Deposit
from domain.events import RecordedEvent
from domain.values import Money
from infrastructure.archives.files import ArchiveFile
from infrastructure.postgres import partitions
from infrastructure.postgres.archiving import Closed, archive, closed_partitions
from tests.cli.logs import a_short_history, project, record
from tests.projections.histories import BOB


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


async def three_partitions(database_url: str, monkeypatch: pytest.MonkeyPatch) -> list[RecordedEvent]:
    """Eight events that are a partition, four that are another, two that have begun a third; and the read models."""
    let_first_partition_end_at(database_url, 8)
    monkeypatch.setattr(partitions, "SIZE", 4)
    history = a_short_history()
    for amount in range(1, 7):
        history.cash(Deposit(Money(Decimal(amount))), BOB)
    recorded = await record(database_url, history.log)
    assert len(recorded) == 14
    project(database_url, recorded)
    return recorded


def first(database_url: str) -> Closed:
    """The first partition that is closed."""
    return closed_partitions(database_url)[0]


async def take(database_url: str, directory: Path, *, keep: bool = False) -> ArchiveFile:
    """Archive the first partition: in a thread, because that runs a loop of its own."""
    return await asyncio.to_thread(archive, database_url, first(database_url), directory, unseen, keep=keep)


def unseen(_events: int) -> None:
    """Progress that nobody watches."""
