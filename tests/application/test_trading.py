import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from application.ports import AsOf, Key, Loaded
from application.sequencer import Sequencer
from application.trading import OrderRequest
from domain.commands import Deposit, RecordAcceptance, RecordSent, Withdraw
from domain.events import StreamId, order_stream
from domain.refusals import (
    IdempotencyKeyReused,
    InsufficientFunds,
    InvalidSymbol,
    OrderNotCancellable,
    OrderNotFound,
    VenueQueueFull,
)
from domain.values import Money, OrderId, Quantity, Symbol
from tests.application.floor import Engine
from tests.application.world import ALICE, BOB, BUY_TEN, CALLER, Acme, cancel, names, report, trading_on


async def test_a_placed_order_is_pending_and_its_cost_is_held(engine: Engine) -> None:
    placed = await engine.trading.place(ALICE, BUY_TEN, CALLER)
    order = placed.order
    assert not placed.replayed
    assert (order.state.status, order.version, order.position) == ("PENDING", 1, 2)
    assert order.state.terms.client_order_id == order.state.order_id
    assert order.created_at == order.updated_at is not None
    account = await engine.trading.account(ALICE)
    assert (account.state.reserved, account.version) == (1_000, 2)
    assert await engine.trading.order(order.state.order_id) == order


async def test_every_event_says_who_caused_it(engine: Engine) -> None:
    await engine.trading.place(ALICE, BUY_TEN, CALLER)
    assert {event.metadata for event in await engine.store.read(0, 10)} == {CALLER.metadata(ALICE)}


@pytest.mark.parametrize("request_fields", [{"client_order_id": "mine"}, {}])
async def test_the_same_request_again_gives_the_first_answer(engine: Engine, request_fields: dict[str, str]) -> None:
    request = replace(BUY_TEN, **request_fields)
    key = None if request_fields else "key-1"
    first = await engine.trading.place(ALICE, request, CALLER, key)
    await report(engine.trading, first.order.state.order_id, RecordSent(1))
    again = await engine.trading.place(ALICE, request, CALLER, key)
    assert again.replayed
    assert again.order == first.order
    assert await names(engine.store) == ["OrderPlaced", "OrderSent"]


async def test_the_same_request_many_times_at_once_is_one_order(engine: Engine) -> None:
    answers = await asyncio.gather(*(engine.trading.place(ALICE, BUY_TEN, CALLER, "key-1") for _ in range(50)))
    assert len({answer.order.state.order_id for answer in answers}) == 1
    assert [answer.replayed for answer in answers].count(False) == 1
    assert await names(engine.store) == ["OrderPlaced"]


async def test_a_key_is_not_used_for_two_requests(engine: Engine) -> None:
    await engine.trading.place(ALICE, replace(BUY_TEN, client_order_id="mine"), CALLER, "key-1")
    with pytest.raises(IdempotencyKeyReused) as caught:
        await engine.trading.place(ALICE, replace(BUY_TEN, quantity=Quantity(Decimal(11))), CALLER, "key-1")
    assert caught.value.message == "Idempotency-Key key-1 was used before with another request"
    other = replace(BUY_TEN, quantity=Quantity(Decimal(11)), client_order_id="mine")
    with pytest.raises(IdempotencyKeyReused, match="client_order_id mine"):
        await engine.trading.place(ALICE, other, CALLER, "key-2")


async def test_a_refused_request_uses_no_key_up(engine: Engine) -> None:
    greedy = replace(BUY_TEN, quantity=Quantity(Decimal(2_000)))
    with pytest.raises(InsufficientFunds):
        await engine.trading.place(ALICE, greedy, CALLER, "key-1")
    loaded = await engine.store.load({}, [Key(ALICE, "idempotency", "key-1")])
    assert loaded.keys == {}
    await engine.trading.move_cash(ALICE, Deposit(Money(Decimal(200_000))), CALLER)
    assert not (await engine.trading.place(ALICE, greedy, CALLER, "key-1")).replayed


async def test_keys_belong_to_their_trader(engine: Engine) -> None:
    await engine.trading.move_cash(BOB, Deposit(Money(Decimal(100_000))), CALLER)
    mine = await engine.trading.place(ALICE, BUY_TEN, CALLER, "key-1")
    theirs = await engine.trading.place(BOB, BUY_TEN, CALLER, "key-1")
    assert not theirs.replayed
    assert theirs.order.state.order_id != mine.order.state.order_id


async def test_a_symbol_that_is_not_traded_is_refused_but_a_replay_is_not(engine: Engine) -> None:
    unknown: OrderRequest = replace(BUY_TEN, symbol=Symbol("NOPE"))
    with pytest.raises(InvalidSymbol) as caught:
        await engine.trading.place(ALICE, unknown, CALLER)
    assert caught.value.message == "Symbol NOPE is not traded here"
    await engine.trading.place(ALICE, BUY_TEN, CALLER, "key-1")
    halted = replace(engine.trading, instruments=Acme(tradable=False))
    assert (await halted.place(ALICE, BUY_TEN, CALLER, "key-1")).replayed
    with pytest.raises(InvalidSymbol):
        await halted.place(ALICE, BUY_TEN, CALLER)


async def test_while_too_many_orders_wait_for_the_venue_a_new_one_is_refused_but_a_replay_is_not(
    engine: Engine,
) -> None:
    placed = await engine.trading.place(ALICE, BUY_TEN, CALLER, "key")
    with pytest.raises(VenueQueueFull):
        await engine.trading.place(ALICE, BUY_TEN, CALLER, is_queue_full=True)
    again = await engine.trading.place(ALICE, BUY_TEN, CALLER, "key", is_queue_full=True)
    assert (again.order.state.order_id, again.replayed) == (placed.order.state.order_id, True)


async def test_an_order_is_cancelled_by_its_trader_only(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    with pytest.raises(OrderNotFound):
        await cancel(engine.trading, order_id, BOB)
    with pytest.raises(OrderNotFound):
        await cancel(engine.trading, OrderId("no such order"))
    cancelled = await cancel(engine.trading, order_id)
    assert (cancelled.state.status, cancelled.version) == ("CANCELLED", 2)
    with pytest.raises(OrderNotCancellable):
        await cancel(engine.trading, order_id)
    assert (await engine.trading.account(ALICE)).state.reserved == 0


async def test_a_fact_is_recorded_once(engine: Engine) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    first = await report(engine.trading, order_id, RecordAcceptance("v-1"))
    again = await report(engine.trading, order_id, RecordAcceptance("v-1"))
    assert (len(first.events), len(again.events)) == (1, 0)


async def test_a_deposit_with_a_key_is_made_once(engine: Engine) -> None:
    ten = Deposit(Money(Decimal(10)))
    first = await engine.trading.move_cash(BOB, ten, CALLER, "cash-1")
    again = await engine.trading.move_cash(BOB, ten, CALLER, "cash-1")
    assert (first.account.state.cash, first.replayed) == (10, False)
    assert (again.account, again.replayed) == (first.account, True)
    with pytest.raises(IdempotencyKeyReused, match="Idempotency-Key cash-1"):
        await engine.trading.move_cash(BOB, Withdraw(Money(Decimal(10))), CALLER, "cash-1")


async def test_orders_and_accounts_are_known_as_they_were(engine: Engine) -> None:
    order = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order
    order_id = order.state.order_id
    await cancel(engine.trading, order_id)
    assert await engine.trading.order(order_id, version=1) == order
    assert await engine.trading.order(OrderId("no such order")) is None
    assert order.created_at is not None
    before = order.created_at - timedelta(days=1)
    assert await engine.trading.order(order_id, AsOf(before)) is None


async def test_an_order_is_as_fresh_as_the_log_and_only_what_is_new_is_read(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    async with Sequencer(engine.store) as elsewhere:
        await report(trading_on(engine.store, elsewhere), order_id, RecordSent(1))
    usual, asked = engine.store.load, list[Mapping[StreamId, int]]()

    async def load(
        streams: Mapping[StreamId, int], keys: Collection[Key] = (), *, from_snapshots: bool = False
    ) -> Loaded:
        asked.append(streams)
        return await usual(streams, keys, from_snapshots=from_snapshots)

    monkeypatch.setattr(engine.store, "load", load)
    now = await engine.trading.order(order_id)
    assert asked == [{order_stream(order_id): 1}]
    assert now == await engine.trading.order(order_id, version=2)
    assert (await engine.trading.account(BOB)).version == 0


async def test_two_sequencers_on_one_log_place_an_order_of_one_key_once(engine: Engine) -> None:
    async with Sequencer(engine.store) as other:
        theirs = replace(engine.trading, sequencer=other)
        answers = await asyncio.gather(
            *(each.place(ALICE, BUY_TEN, CALLER, "key-1") for each in [engine.trading, theirs] * 10)
        )
    assert len({answer.order.state.order_id for answer in answers}) == 1
    assert await names(engine.store) == ["OrderPlaced"]


def test_equal_requests_have_equal_fingerprints_and_others_do_not() -> None:
    assert BUY_TEN.fingerprint() == replace(BUY_TEN, quantity=Quantity(Decimal("10.0").normalize() * 1)).fingerprint()
    assert BUY_TEN.fingerprint() != replace(BUY_TEN, client_order_id="x").fingerprint()
