import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from application.status import MESSAGE_NAMES, StatusOrchestrator, status_message
from domain.commands import RecordCancellation, RecordSent
from domain.deciding import NEVER_ARRIVED
from domain.events import (
    Event,
    FundsDeposited,
    Metadata,
    OrderCancelled,
    OrderEvent,
    OrderRejected,
    OrderUnprotected,
    RecordedEvent,
    StreamId,
    order_stream,
)
from domain.lifecycle import Flag, Status
from domain.values import ZERO, Currency, Money, Price, Quantity, TraderId
from tests.application.floor import Engine
from tests.application.world import ALICE, BUY_TEN, CALLER, StoreFeed, fund, report
from tests.domain.orders import (
    NOON,
    ORDER_ID,
    accepted,
    busted,
    corrected,
    filled,
    placed,
    replace_refused,
    replaced,
    wished,
)
from tests.infrastructure.samples import EVERY_EVENT

ORDER_STREAM = order_stream(ORDER_ID)


def recorded(event: Event, stream_id: StreamId = ORDER_STREAM) -> RecordedEvent:
    metadata = Metadata(TraderId("alice"), "venue", "r", "r")
    at = datetime(2026, 11, 20, 12, 0, 0, 123, tzinfo=UTC)
    return RecordedEvent(7, stream_id, 3, event, metadata, at, b"")


COMMON = {"order_id": ORDER_ID, "timestamp": "2026-11-20T12:00:00.000123Z", "position": 7, "version": 3}


def test_every_order_event_has_a_name_for_subscribers() -> None:
    assert set(MESSAGE_NAMES) == set(OrderEvent.__args__)


def test_a_status_message_says_what_where_and_when() -> None:
    assert status_message(recorded(accepted())) == {
        "event": "order.accepted",
        "order_id": ORDER_ID,
        "status": "ACCEPTED",
        "timestamp": "2026-11-20T12:00:00.000123Z",
        "position": 7,
        "version": 3,
    }


def test_a_submitted_order_is_told_with_all_its_terms() -> None:
    message = status_message(recorded(placed(price=Price(Decimal("10.50")), stop_loss=Price(Decimal(9)))))
    assert message == COMMON | {
        "event": "order.submitted",
        "status": "PENDING",
        "trader_id": "alice",
        "client_order_id": "mine-1",
        "symbol": "ACME",
        "side": "BUY",
        "quantity": "100",
        "order_type": "LIMIT",
        "price": "10.50",
        "stop_price": None,
        "time_in_force": "DAY",
        "stop_loss": "9",
        "take_profit": None,
        "parent_order_id": None,
        "oco_order_id": None,
    }


def test_a_fill_says_how_much_at_what_price_and_in_all() -> None:
    event = filled(40, 140, Status.FILLED, leaves=0, flags=(Flag.OVERFILLED,))
    message = status_message(recorded(event))
    assert message is not None
    assert message["event"] == "order.filled"
    assert {
        key: message[key] for key in ("quantity_filled", "price_at_fill", "filled_quantity", "leaves_quantity")
    } == {
        "quantity_filled": "40",
        "price_at_fill": "10",
        "filled_quantity": "140",
        "leaves_quantity": "0",
    }
    assert (message["fill_id"], message["flags"]) == ("f-1", ["OVERFILLED"])


def test_an_end_says_why() -> None:
    message = status_message(recorded(OrderCancelled(reason="done", status=Status.CANCELLED)))
    assert message is not None
    assert message["reason"] == "done"


def test_a_fill_that_was_corrected_says_what_it_is_now() -> None:
    message = status_message(recorded(corrected((40, 10), (30, 9), 30, Status.PARTIALLY_FILLED)))
    assert message == COMMON | {
        "event": "order.fill_corrected",
        "status": "PARTIALLY_FILLED",
        "fill_id": "f-1",
        "quantity_filled": "30",
        "price_at_fill": "9",
        "commission": "0",
        "filled_quantity": "30",
        "leaves_quantity": "70",
        "average_fill_price": "9",
        "venue": "paper",
        "executed_at": NOON.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "flags": [],
    }


def test_a_fill_that_was_taken_back_says_that_nothing_of_it_is_left() -> None:
    message = status_message(recorded(busted(40, 0, Status.ACCEPTED, flags=(Flag.UNPROTECTED,))))
    assert message == COMMON | {
        "event": "order.fill_busted",
        "status": "ACCEPTED",
        "fill_id": "f-1",
        "quantity_filled": "0",
        "price_at_fill": "10",
        "commission": "0",
        "filled_quantity": "0",
        "leaves_quantity": "100",
        "average_fill_price": None,
        "flags": ["UNPROTECTED"],
        "reason": "clearly erroneous",
    }


def test_a_replacement_says_on_what_terms_the_order_works_or_would_work() -> None:
    terms = {"quantity": "80", "price": "9", "stop_price": None}
    assert status_message(recorded(wished(1, quantity=80, price=9))) == COMMON | terms | {
        "event": "order.replace_requested",
        "status": "PENDING_REPLACE",
    }
    assert status_message(recorded(replaced(1, Status.ACCEPTED, quantity=80, price=9))) == COMMON | terms | {
        "event": "order.replaced",
        "status": "ACCEPTED",
        "leaves_quantity": "80",
        "flags": [],
    }


def test_the_terms_of_a_stop_order_are_its_stop_price() -> None:
    event = replace(replaced(1, Status.ACCEPTED), price=None, stop_price=Price(Decimal("9.50")))
    message = status_message(recorded(event))
    assert message is not None
    assert (message["price"], message["stop_price"]) == (None, "9.50")


def test_an_amount_is_written_without_an_exponent_however_small_it_is() -> None:
    message = status_message(recorded(placed(quantity=Quantity(Decimal("0.000000001")), price=Price(Decimal("1E-7")))))
    assert message is not None
    assert (message["quantity"], message["price"]) == ("0.000000001", "0.0000001")


def test_a_refusal_says_why() -> None:
    message = status_message(recorded(replace_refused(1, Status.ACCEPTED, "too late")))
    assert message == COMMON | {"event": "order.replace_refused", "status": "ACCEPTED", "reason": "too late"}


def test_an_order_that_is_not_protected_is_told_with_its_flag_and_why() -> None:
    event = OrderUnprotected(
        fill_id=None, exit_order_id=ORDER_ID, reason="no", status=Status.FILLED, flags=(Flag.UNPROTECTED,)
    )
    assert status_message(recorded(event)) == COMMON | {
        "event": "order.unprotected",
        "status": "FILLED",
        "flags": ["UNPROTECTED"],
        "reason": "no",
    }


@pytest.mark.parametrize(("code", "name"), [("42", "order.rejected"), (NEVER_ARRIVED, "order.error")])
def test_an_order_that_nobody_refused_is_told_as_an_error(code: str, name: str) -> None:
    message = status_message(recorded(OrderRejected(code=code, reason="no", status=Status.REJECTED)))
    assert message == COMMON | {"event": name, "status": "REJECTED", "reason": "no"}


@pytest.mark.parametrize("event", [event for event in EVERY_EVENT if isinstance(event, OrderEvent)])
def test_every_order_event_is_a_message_that_json_can_say(event: OrderEvent) -> None:
    message = status_message(recorded(event))
    assert message is not None
    assert message["event"] == MESSAGE_NAMES[type(event)]
    assert json.loads(json.dumps(message)) == message


@pytest.mark.parametrize("stream_id", [StreamId("account-alice"), order_stream(ORDER_ID)])
def test_what_is_no_order_event_is_no_message(stream_id: StreamId) -> None:
    assert status_message(recorded(FundsDeposited(amount=Money(ZERO), currency=Currency.USD), stream_id)) is None


class Memory:
    def __init__(self) -> None:
        self.batches: list[Sequence[tuple[str, bytes]]] = []

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> None:
        self.batches.append(messages)


async def test_every_change_is_published_to_its_trader_once_and_in_order(engine: Engine) -> None:
    bus = Memory()
    order_id = (await engine.trading.place(ALICE, BUY_TEN, CALLER)).order.state.order_id
    orchestrator = asyncio.create_task(StatusOrchestrator(StoreFeed(engine.store), bus).run(0))
    await asyncio.sleep(0.02)
    await fund(engine.trading)
    await asyncio.sleep(0.02)
    await report(engine.trading, order_id, RecordSent(1))
    await report(engine.trading, order_id, RecordCancellation("x"))
    await asyncio.sleep(0.02)
    orchestrator.cancel()
    sent = [(channel, json.loads(body)) for batch in bus.batches for channel, body in batch]
    assert {channel for channel, _ in sent} == {"orders:alice"}
    assert [body["event"] for _, body in sent] == ["order.submitted", "order.sent", "order.cancelled"]
    assert all(bus.batches)
