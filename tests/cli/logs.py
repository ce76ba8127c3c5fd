"""Databases with something in them, for commands that look."""

from decimal import Decimal

import psycopg

from application.ports import NewEvent, Transaction
from domain.commands import Deposit, RecordAcceptance, RecordSent
from domain.events import RecordedEvent
from domain.values import Money
from infrastructure.postgres.connecting import conninfo
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.rows import Table
from projections.registry import PROJECTIONS
from tests.domain.orders import fill, place
from tests.projections.histories import BOB, History


def a_short_history() -> History:
    """Alice buys 100 of ACME for 10 each; Bob only has cash."""
    history = History().cash(Deposit(Money(Decimal(5000)))).cash(Deposit(Money(Decimal(10))), BOB)
    return history.order(place()).order(RecordSent(1)).order(RecordAcceptance("v-1")).order(fill(100, "f-1"))


async def record(database_url: str, log: list[RecordedEvent]) -> list[RecordedEvent]:
    """Record events behind what is there, as they are but for their times and hashes; the whole log then."""
    transactions = [
        Transaction(
            {event.stream_id: event.version - 1},
            [NewEvent(event.stream_id, event.version, event.event, event.metadata)],
        )
        for event in log
    ]
    async with PostgresEventStore(database_url) as store:
        await store.append(transactions, 0)
        return list(await store.read(0, 10_000))


def project(database_url: str, recorded: list[RecordedEvent]) -> None:
    """Bring empty read models up with a log."""
    with psycopg.connect(conninfo(database_url), autocommit=True) as connection:
        for projection in PROJECTIONS:
            if rows := projection.fold({}, recorded):
                connection.execute(*Table(projection).save(rows))
        connection.execute("UPDATE checkpoints SET position = %s", (recorded[-1].position,))
