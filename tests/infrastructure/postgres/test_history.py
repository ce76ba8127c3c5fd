"""What is said of an earlier moment is what was said at that moment, whatever has happened since."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.views import order_row_view, order_view
from application.ports import AsOf, NewEvent, Transaction
from application.snapshots import advanced, empty
from domain.commands import Deposit, RecordAcceptance
from domain.events import RecordedEvent, order_stream
from domain.lifecycle import Status
from domain.refusals import InvalidRequest
from domain.values import Money, OrderId, Symbol, exactly
from infrastructure.postgres import history as module
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.follower import Follower
from infrastructure.postgres.history import account_at, orders_at
from infrastructure.postgres.projector import Projector
from infrastructure.postgres.read_models import AccountPage, OrdersPage, ReadModels
from projections.accounts import AccountRow
from projections.registry import PROJECTIONS
from tests.conftest import fresh_database
from tests.domain.orders import ALICE, fill, place
from tests.infrastructure.postgres.pools import pool_of
from tests.projections.histories import BOB, History, histories

NAMES = [projection.name for projection in PROJECTIONS]
EVERYTHING = 10_000


@dataclass(frozen=True)
class Said:
    """What the read models said of somebody at a moment."""

    account: AccountPage
    orders: OrdersPage


@dataclass
class Engine:
    """The log and its read models, in step."""

    store: PostgresEventStore
    follower: Follower
    read_models: ReadModels

    async def record(self, batch: Sequence[RecordedEvent]) -> AsOf:
        """Record the events in one commit, and wait until they are projected; the moment after them."""
        end = await self.store.position()
        transactions = [
            Transaction(
                {each.stream_id: each.version - 1}, [NewEvent(each.stream_id, each.version, each.event, each.metadata)]
            )
            for each in batch
        ]
        await self.store.append(transactions, end)
        self.follower.wake()
        assert await self.read_models.wait_for(NAMES, end + len(batch), 20)
        (last,) = await self.store.read(end + len(batch) - 1, 1)
        return AsOf(last.recorded_at, last.position)

    async def said(self, trader_id: str) -> Said:
        return Said(
            await self.read_models.account_of(trader_id),  # type: ignore[arg-type] # a trader's id is text
            await self.read_models.orders_page(trader_id, limit=EVERYTHING),  # type: ignore[arg-type] # the same
        )

    async def says_of(self, trader_id: str, as_of: AsOf) -> Said:
        return Said(
            await account_at(self.store, trader_id, as_of),  # type: ignore[arg-type] # the same
            await orders_at(self.store, trader_id, as_of, limit=EVERYTHING),  # type: ignore[arg-type] # the same
        )


@asynccontextmanager
async def running(database_url: str) -> AsyncIterator[Engine]:
    async with (
        PostgresEventStore(database_url) as store,
        pool_of(database_url) as pool,
        Follower(store, None, 0.01) as follower,
    ):
        work = asyncio.create_task(Projector(pool, follower).run())
        yield Engine(store, follower, ReadModels(pool))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@given(histories(), st.randoms(use_true_random=False))
@settings(max_examples=4, deadline=None)
def test_what_was_is_what_was_said_then(
    postgres: str, migrated_template: str, history: History, random: object
) -> None:
    cuts = sorted(random.sample(range(1, len(history.log)), min(9, len(history.log) - 1)))  # type: ignore[attr-defined] # a Random
    batches = [history.log[begin:end] for begin, end in zip([0, *cuts], [*cuts, None], strict=True)]

    async def live() -> None:
        then: list[tuple[AsOf, dict[str, Said]]] = []
        async with running(url) as engine:
            for batch in batches:
                moment = await engine.record(batch)
                then.append((moment, {trader: await engine.said(trader) for trader in (ALICE, BOB)}))
            for index, (moment, said) in enumerate(then):
                is_last_of_its_time = index + 1 == len(then) or then[index + 1][0].time != moment.time
                for trader, expected in said.items():
                    assert await engine.says_of(trader, AsOf(position=moment.position)) == expected
                    assert await engine.says_of(trader, moment) == expected
                    if is_last_of_its_time:
                        assert await engine.says_of(trader, AsOf(moment.time)) == expected
                await _orders_alone_are_the_same(engine, moment, said)

    with fresh_database(postgres, template=migrated_template) as url:
        asyncio.run(live())


async def _orders_alone_are_the_same(engine: Engine, moment: AsOf, said: dict[str, Said]) -> None:
    """One order is folded by the domain, and shown like the read model's row."""
    for row, fills in (listed for each in said.values() for listed in each.orders.orders):
        stream = order_stream(row.id)
        events = (await engine.store.history([stream], AsOf(position=moment.position))).events
        with exactly():
            assert order_view(advanced(empty(stream), events)) == order_row_view(row, fills)  # type: ignore[arg-type] # an order's


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[Engine]:
    async with running(database_url) as engine:
        yield engine


def three_orders() -> History:
    history = History().cash(Deposit(Money(Decimal(50_000))))
    for number, symbol in enumerate(("ACME", "SPY", "ACME")):
        order_id = OrderId(f"order {number}")
        history.order(place(order_id=order_id, symbol=Symbol(symbol)), order_id)
    return history.order(RecordAcceptance("v"), OrderId("order 0"))


async def test_inside_a_commit_only_positions_tell_moments_apart(engine: Engine) -> None:
    moment = await engine.record(three_orders().log)
    everything = await orders_at(engine.store, ALICE, AsOf(moment.time))
    assert [order.id for order, _ in everything.orders] == ["order 2", "order 1", "order 0"]
    assert (await orders_at(engine.store, ALICE, AsOf(position=3))).orders[0][0].id == "order 0"
    assert len((await orders_at(engine.store, ALICE, AsOf(moment.time, 3))).orders) == 1
    assert (await account_at(engine.store, ALICE, AsOf(position=1))).account.reserved == 0
    assert (await account_at(engine.store, ALICE, AsOf(position=3))).account.reserved == 1000


async def test_before_anything_happened_there_was_nothing(engine: Engine) -> None:
    moment = await engine.record(three_orders().log)
    assert isinstance(moment.time, datetime)
    before = AsOf(moment.time - timedelta(microseconds=1))
    assert await engine.says_of(ALICE, before) == Said(
        AccountPage(AccountRow.new(ALICE), [], 0), OrdersPage([], None, 0)
    )
    assert (await engine.says_of("nobody", moment)).orders == OrdersPage([], None, 8)


async def test_orders_that_were_are_chosen_and_paged_like_those_that_are(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ORDERS_AT_ONCE", 1)
    moment = await engine.record(three_orders().log)
    await engine.record(
        [event for event in three_orders().order(fill(100), OrderId("order 0")).log if event.position > 8]
    )

    async def ids(**chosen: object) -> tuple[list[str], str | None]:
        page = await orders_at(engine.store, ALICE, moment, **chosen)  # type: ignore[arg-type] # each call names its own
        assert page.position == 8
        return [order.id for order, _ in page.orders], page.next_cursor

    assert await ids() == (["order 2", "order 1", "order 0"], None)
    assert await ids(symbol="ACME") == (["order 2", "order 0"], None)
    assert await ids(status=Status.ACCEPTED) == (["order 0"], None)
    assert await ids(status=Status.FILLED) == ([], None)
    assert await ids(offset=1, limit=1) == (["order 1"], (await ids(limit=2))[1])
    first, cursor = await ids(limit=2)
    assert first == ["order 2", "order 1"]
    assert await ids(limit=2, cursor=cursor) == (["order 0"], None)
    live = await engine.read_models.orders_page(ALICE, limit=2)
    assert live.next_cursor == cursor
    with pytest.raises(InvalidRequest):
        await ids(cursor="nonsense")
