import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest

from application.ports import StoreUnavailableError
from domain.commands import CancelOrder, Deposit, RecordAcceptance, RecordDifference, RecordSent
from domain.lifecycle import Flag, Status
from domain.refusals import InvalidRequest
from domain.values import FillId, Money, OrderId, Price, Symbol
from infrastructure.postgres.patience import Pool
from infrastructure.postgres.read_models import Lag, ReadModels
from infrastructure.postgres.rows import Table
from projections.accounts import ACCOUNTS, AccountRow
from projections.execution_log import EXECUTION_LOG
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.registry import PROJECTIONS
from tests.cli.logs import record
from tests.domain.orders import ALICE, NOON, bust, correction, fill, place, replacement, units, wish
from tests.infrastructure.postgres.pools import pool_of
from tests.projections.histories import BOB, History

_MANY_ORDERS = """
INSERT INTO orders (id, client_order_id, trader_id, symbol, side, quantity, order_type, price, time_in_force, status,
                    filled_quantity, leaves_quantity, flags, version, position, created_at, updated_at, created_position)
SELECT 'order ' || n, 'order ' || n, 'alice', 'ACME', 'BUY', 3, 'LIMIT', 10, 'DAY', 'FILLED', 3, 0, '{}', 1, n, now(), now(), n
FROM generate_series(1, 5000) AS n
"""

ACME, SPY = Symbol("ACME"), Symbol("SPY")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    async with pool_of(database_url) as pool:
        yield pool


@pytest.fixture
def models(pool: Pool) -> ReadModels:
    return ReadModels(pool)


async def project(pool: Pool, history: History) -> None:
    """Write what the projections make of the history."""
    async with pool.connection() as connection:
        for projection in PROJECTIONS:
            if rows := projection.fold({}, history.log):
                await connection.execute(*Table(projection).save(rows))
        await connection.execute("UPDATE checkpoints SET position = %s", [len(history.log)])


def number(index: int) -> OrderId:
    return OrderId(f"order {index}")


def market() -> History:
    """Alice's orders 0 to 5: every other one SPY; 0 filled in two parts, 1 cancelled, 2 accepted. Order 6 is Bob's."""
    history = History().cash(Deposit(Money(Decimal(1_000_000)))).cash(Deposit(Money(Decimal(1_000_000))), BOB)
    for index in range(6):
        order = place(order_id=number(index), symbol=SPY if index % 2 else ACME)
        history.order(order, number(index))
    history.order(place(order_id=number(6), trader_id=BOB), number(6))
    history.order(fill(40, "b", "9.5", "0.01"), number(0)).order(fill(60, "a"), number(0))
    history.order(CancelOrder(), number(1))
    return history.order(RecordSent(1), number(2)).order(RecordAcceptance("v"), number(2))


# ── Orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_has_a_traders_orders_newest_first_with_their_fills(pool: Pool, models: ReadModels) -> None:
    history = market()
    await project(pool, history)
    page = await models.orders_page(ALICE)
    orders = ORDERS.fold({}, history.log)
    fills = FILLS.fold({}, history.log)
    assert [order for order, _ in page.orders] == [orders[number(index),] for index in (5, 4, 3, 2, 1, 0)]
    assert [list(its_fills) for _, its_fills in page.orders] == [[]] * 5 + [
        [fills[number(0), "b"], fills[number(0), "a"]]
    ]
    assert (page.next_cursor, page.position) == (None, len(history.log))


async def test_pages_follow_each_other_without_gap_or_repeat_while_orders_come_in(
    pool: Pool, models: ReadModels
) -> None:
    history = market()
    await project(pool, history)
    first = await models.orders_page(ALICE, limit=2)
    await project(pool, history.order(place(order_id=number(7)), number(7)))
    second = await models.orders_page(ALICE, limit=2, cursor=first.next_cursor)
    third = await models.orders_page(ALICE, limit=2, cursor=second.next_cursor)
    seen = [order.id for page in (first, second, third) for order, _ in page.orders]
    assert seen == [number(index) for index in (5, 4, 3, 2, 1, 0)]
    assert third.next_cursor is None


async def test_an_offset_passes_over_orders(pool: Pool, models: ReadModels) -> None:
    await project(pool, market())
    page = await models.orders_page(ALICE, limit=2, offset=3)
    assert [order.id for order, _ in page.orders] == [number(2), number(1)]
    assert (await models.orders_page(ALICE, offset=6)).orders == []


async def test_a_page_may_be_of_one_status_or_symbol(pool: Pool, models: ReadModels) -> None:
    await project(pool, market())
    expected: list[tuple[Status | None, Symbol | None, list[int]]] = [
        (Status.FILLED, None, [0]),
        (Status.PENDING, None, [5, 4, 3]),
        (None, SPY, [5, 3, 1]),
        (Status.PENDING, ACME, [4]),
        (Status.CANCELLED, SPY, [1]),
        (Status.REJECTED, None, []),
    ]
    for status, symbol, indexes in expected:
        page = await models.orders_page(ALICE, status=status, symbol=symbol)
        assert [order.id for order, _ in page.orders] == [number(index) for index in indexes]


async def test_a_trader_without_orders_has_an_empty_page_with_a_position(pool: Pool, models: ReadModels) -> None:
    await project(pool, History().cash(Deposit(Money(Decimal(1)))))
    page = await models.orders_page(ALICE)
    assert (page.orders, page.next_cursor, page.position) == ([], None, 1)


async def test_a_cursor_that_is_not_ours_is_refused(models: ReadModels) -> None:
    beyond = urlsafe_b64encode(b"before %d" % 2**63).decode()
    for cursor in ("x", "é", "AAAA", "0", urlsafe_b64encode(b"before 0").decode(), beyond):
        with pytest.raises(InvalidRequest, match="cursor is not one that came with a page of orders"):
            await models.orders_page(ALICE, cursor=cursor)


async def test_the_orders_that_are_not_over_are_listed_oldest_first(pool: Pool, models: ReadModels) -> None:
    history = market()
    await project(pool, history)
    assert await models.open_orders() == ([number(index) for index in (2, 3, 4, 5, 6)], len(history.log))


async def test_nobody_has_open_orders_in_the_beginning(models: ReadModels) -> None:
    assert await models.open_orders() == ([], 0)


async def test_an_order_keeps_its_flags_and_its_reason(pool: Pool, models: ReadModels) -> None:
    history = market().order(fill(1, "late"), number(1))
    await project(pool, history)
    page = await models.orders_page(ALICE, status=Status.CANCELLED)
    ((order, fills),) = page.orders
    assert (order.flags, order.reason) == ((Flag.LATE_FILL,), "cancelled before it was sent to the venue")
    assert [each.id for each in fills] == ["late"]


# ── Fills, accounts, positions, the execution log ────────────────────────────────────────────────────────────────────


async def test_an_orders_fills_come_oldest_first(pool: Pool, models: ReadModels) -> None:
    history = market()
    await project(pool, history)
    answer = await models.fills_of(number(0))
    assert answer.rows == list(FILLS.fold({}, history.log).values())
    assert [each.id for each in answer.rows] == [FillId("b"), FillId("a")]
    assert answer.position == len(history.log)
    assert (await models.fills_of(number(1))).rows == []


async def test_an_account_comes_with_its_positions(pool: Pool, models: ReadModels) -> None:
    history = market()
    await project(pool, history)
    page = await models.account_of(ALICE)
    assert page.account == ACCOUNTS.fold({}, history.log)[ALICE,]
    assert page.positions == [POSITIONS.fold({}, history.log)[ALICE, ACME]]
    assert page.position == len(history.log)


async def test_a_trader_without_an_account_has_nothing(pool: Pool, models: ReadModels) -> None:
    await project(pool, History().cash(Deposit(Money(Decimal(1)))))
    page = await models.account_of(BOB)
    assert (page.account, page.positions, page.position) == (AccountRow.new(BOB), [], 1)
    assert (await models.positions_of(BOB)).rows == []


async def test_positions_come_by_symbol(pool: Pool, models: ReadModels) -> None:
    history = market()
    history.order(fill(100, "c"), number(3))
    await project(pool, history)
    answer = await models.positions_of(ALICE)
    positions = POSITIONS.fold({}, history.log)
    assert (answer.rows, answer.position) == ([positions[ALICE, ACME], positions[ALICE, SPY]], len(history.log))


async def test_the_execution_log_is_everybodys_a_traders_or_an_orders(pool: Pool, models: ReadModels) -> None:
    history = market()
    await project(pool, history)
    entries = list(EXECUTION_LOG.fold({}, history.log).values())
    everybodys = await models.execution_log()
    assert (everybodys.rows, everybodys.position) == (entries, len(history.log))
    assert (await models.execution_log(trader_id=BOB)).rows == [each for each in entries if each.trader_id == BOB]
    of_order = [each for each in entries if each.order_id == number(2)]
    assert (await models.execution_log(order_id=number(2))).rows == of_order
    assert (await models.execution_log(trader_id=BOB, order_id=number(2))).rows == []


async def test_the_execution_log_is_read_in_parts(pool: Pool, models: ReadModels) -> None:
    await project(pool, market())
    whole = (await models.execution_log()).rows
    first = await models.execution_log(limit=3)
    rest = await models.execution_log(after=first.rows[-1].id)
    assert [*first.rows, *rest.rows] == list(whole)


# ── What happened to fills and to orders at the venue ────────────────────────────────────────────────────────────────


async def test_a_fill_that_was_taken_back_is_not_shown_and_a_corrected_one_comes_last(
    pool: Pool, models: ReadModels
) -> None:
    history = market().order(fill(10, "c"), number(3)).order(fill(10, "d"), number(3)).order(fill(10, "e"), number(3))
    history.order(correction(5, "9.5", "c", "c-1"), number(3)).order(bust("d"), number(3))
    await project(pool, history)
    answer = await models.fills_of(number(3))
    assert [(each.id, each.quantity_filled) for each in answer.rows] == [("e", units(10)), ("c", units(5))]
    page = await models.orders_page(ALICE, symbol=SPY)
    (order, its_fills) = next(each for each in page.orders if each[0].id == number(3))
    assert its_fills == answer.rows
    assert (order.filled_quantity, order.status) == (units(15), Status.PARTIALLY_FILLED)
    assert [each.fill_id for each in history.orders[number(3)].fills] == [each.id for each in its_fills]


async def test_an_order_of_which_every_fill_was_taken_back_has_none(pool: Pool, models: ReadModels) -> None:
    await project(pool, market().order(fill(10, "c"), number(3)).order(bust("c"), number(3)))
    assert (await models.fills_of(number(3))).rows == []
    ((_, its_fills), *_) = (await models.orders_page(ALICE, symbol=SPY, offset=1)).orders
    assert its_fills == []


async def test_exits_are_listed_with_what_they_belong_to(pool: Pool, models: ReadModels) -> None:
    entry = place(order_id=number(7), stop_loss=Price(Decimal(9)), take_profit=Price(Decimal(11)))
    await project(pool, market().order(entry, number(7)).order(fill(100, "x"), number(7)))
    (stop_loss, _), (take_profit, _), (order, _) = (await models.orders_page(ALICE, limit=3)).orders
    assert (order.id, order.parent_order_id, order.oco_order_id) == (number(7), None, None)
    assert (take_profit.parent_order_id, take_profit.oco_order_id) == (number(7), stop_loss.id)
    assert (stop_loss.parent_order_id, stop_loss.oco_order_id) == (number(7), take_profit.id)
    assert set((await models.open_orders())[0]) >= {stop_loss.id, take_profit.id}


async def test_how_far_executions_were_read_is_remembered_for_each_venue(models: ReadModels) -> None:
    assert await models.executions_read("paper") is None
    for until in (NOON, NOON + timedelta(microseconds=1)):
        await models.save_executions_read("paper", until)
        assert await models.executions_read("paper") == until
    assert await models.executions_read("another") is None


async def test_an_order_is_found_by_every_name_that_the_venue_had_for_it(models: ReadModels, database_url: str) -> None:
    history = market().order(wish(price=9), number(2)).order(replacement(1, "v-2", price=9), number(2))
    beside = RecordDifference(venue_order_id="v-3", venue_status="new", venue_filled_quantity=units(0), reason="beside")
    history.order(beside, number(2))
    await record(database_url, history.log)
    assert await models.order_known_as("v") == number(2)
    assert await models.order_known_as("v-2") == number(2)
    assert await models.order_known_as("v-3") == number(2)
    assert await models.order_known_as("somebody else's") is None
    assert await models.order_known_as("") is None


# ── How far the read models are ──────────────────────────────────────────────────────────────────────────────────────


async def test_every_projection_has_a_checkpoint(pool: Pool, models: ReadModels) -> None:
    await project(pool, market())
    assert await models.checkpoint("orders") == len(market().log)
    with pytest.raises(KeyError):
        await models.checkpoint("nothing")


async def test_waiting_ends_when_every_read_model_is_there(pool: Pool, models: ReadModels) -> None:
    waiting = asyncio.create_task(models.wait_for(["orders", "fills"], 7, timeout_seconds=20))
    async with pool.connection() as connection:
        await connection.execute("UPDATE checkpoints SET position = 9 WHERE name = 'orders'")
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await connection.execute("UPDATE checkpoints SET position = 7 WHERE name = 'fills'")
    assert await waiting


async def test_waiting_ends_when_time_is_up(models: ReadModels) -> None:
    assert not await models.wait_for(["orders"], 1, timeout_seconds=0.01)
    with pytest.raises(KeyError):
        await models.wait_for(["orders", "nothing"], 1, timeout_seconds=0.01)


async def test_lag_is_counted_in_events_and_in_seconds_since_the_first_that_waits(
    pool: Pool, models: ReadModels
) -> None:
    async with pool.connection() as connection:
        for position in (1, 2, 3):
            await connection.execute(
                "INSERT INTO events VALUES (%s, 's', %s, 'T', '{}', '{}', %s, '')",
                [position, position, NOON + timedelta(seconds=position)],
            )
        await connection.execute("UPDATE log_head SET position = 3")
        await connection.execute("UPDATE checkpoints SET position = 3")
        await connection.execute("UPDATE checkpoints SET position = 1 WHERE name = 'orders'")
    lags = {lag.name: lag for lag in await models.lags(NOON + timedelta(seconds=7))}
    assert set(lags) == {projection.name for projection in PROJECTIONS}
    assert (lags["orders"], lags["orders"].events) == (Lag("orders", 1, 3, 5.0), 2)
    assert (lags["fills"], lags["fills"].events) == (Lag("fills", 3, 3, 0.0), 0)
    early = {lag.name: lag.seconds for lag in await models.lags(NOON)}
    assert early["orders"] == 0.0


async def test_a_page_out_of_many_orders_is_not_planned_anew_each_time(database_url: str) -> None:
    async with pool_of(database_url, size=1) as pool:
        async with pool.connection() as connection:
            await connection.execute(_MANY_ORDERS)
            await connection.execute("ANALYZE orders")
        for _ in range(20):
            assert len((await ReadModels(pool).orders_page(ALICE)).orders) == 20
        async with pool.connection() as connection:
            counted = await connection.execute(
                "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE '%WITH page%'"
            )
            assert await counted.fetchone() == (10,)  # after five without a plan that stays, and five that try others


# ── A database that is away ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_query_outlives_the_connections_it_finds_broken(pool: Pool, models: ReadModels) -> None:
    async with pool.connection() as one, pool.connection() as another:
        await one.execute("SELECT 1")
        await another.execute("SELECT pg_terminate_backend(%s)", [one.info.backend_pid])
    for _ in range(3):
        assert await models.checkpoint("orders") == 0


async def test_a_database_that_is_away_is_named_as_such(database_url: str) -> None:
    async with pool_of(database_url.replace("port=5432", "port=1"), size=1) as pool:
        with pytest.raises(StoreUnavailableError):
            await ReadModels(pool, patience_seconds=0.05).checkpoint("orders")
