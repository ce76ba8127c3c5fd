import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from application.status import MESSAGE_NAMES, StatusOrchestrator, status_message
from domain.commands import RecordCancellation, RecordSent
from domain.events import (
    Event,
    FundsDeposited,
    Metadata,
    OrderCancelled,
    OrderEvent,
    RecordedEvent,
    StreamId,
    order_stream,
)
from domain.lifecycle import Flag, Status
from domain.values import ZERO, Money, TraderId
from tests.application.floor import Engine
from tests.application.world import ALICE, BUY_TEN, CALLER, StoreFeed, fund, report
from tests.domain.orders import ORDER_ID, accepted, filled

ORDER_STREAM = order_stream(ORDER_ID)


def recorded(event: Event, stream_id: StreamId = ORDER_STREAM) -> RecordedEvent:
    metadata = Metadata(TraderId("alice"), "venue", "r", "r")
    at = datetime(2026, 11, 20, 12, 0, 0, 123, tzinfo=UTC)
    return RecordedEvent(7, stream_id, 3, event, metadata, at, b"")


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


@pytest.mark.parametrize("stream_id", [StreamId("account-alice"), order_stream(ORDER_ID)])
def test_what_is_no_order_event_is_no_message(stream_id: StreamId) -> None:
    assert status_message(recorded(FundsDeposited(amount=Money(ZERO)), stream_id)) is None


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
