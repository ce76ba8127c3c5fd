"""What an operator decided that a projection never applies is read from the log."""

from psycopg import AsyncConnection

from application.ports import NewEvent, Transaction
from domain.events import Metadata, ProjectionEventSkipped, projection_stream
from domain.values import TraderId
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.skips import Skips, skips_of, unskipped
from projections.accounts import ACCOUNTS
from projections.fills import FILLS
from projections.orders import ORDERS
from tests.infrastructure.postgres.test_projector import busy


async def skip(database_url: str, projection: str, position: int, version: int) -> None:
    event = ProjectionEventSkipped(projection=projection, position=position, event_type="OrderFilled", reason="why")
    stream = projection_stream(projection)
    new = NewEvent(stream, version, event, Metadata(TraderId(""), "ops:olivia", "request", "request"))
    async with PostgresEventStore(database_url) as store:
        await store.append([Transaction({stream: version - 1}, [new])], 0)


async def found(database_url: str) -> Skips:
    async with await AsyncConnection.connect(database_url) as connection:
        skips = await skips_of(connection, [ORDERS, FILLS])
    return {name: sorted(positions) for name, positions in skips.items()}


async def test_each_projection_s_skips_are_found(database_url: str) -> None:
    assert await found(database_url) == {}
    await skip(database_url, "orders", 7, version=1)
    await skip(database_url, "orders", 3, version=2)
    await skip(database_url, "accounts", 5, version=1)
    assert await found(database_url) == {"orders": [3, 7]}


def test_a_batch_is_left_as_it_is_where_nothing_is_skipped() -> None:
    log = busy(orders=2).log
    assert unskipped(ACCOUNTS, log, {"orders": [3]}) is log
    assert [recorded.position for recorded in unskipped(ORDERS, log[:4], {"orders": [3]})] == [1, 2, 4]
