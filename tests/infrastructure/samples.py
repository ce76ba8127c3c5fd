"""One of every event, with every field filled in, and small transactions to append."""

from datetime import UTC, datetime
from decimal import Decimal

from application.ports import Key, KeyUse, NewEvent, Transaction
from domain import events
from domain.events import Event, Metadata, OrderSent, StreamId
from domain.lifecycle import Flag, Status
from domain.values import (
    FillId,
    Money,
    OrderId,
    OrderType,
    Price,
    Quantity,
    Side,
    Symbol,
    TimeInForce,
    TraderId,
)

ORDER = OrderId("6f0c1a52-6f2e-4a6e-9d5b-1f3f5d0f7a01")
FILL = FillId("20261122::9d3c")
AAPL = Symbol("AAPL")
ALICE = TraderId("alice")
BOB = TraderId("bob")

METADATA = Metadata(trader_id=ALICE, actor="trader:alice", correlation_id="request-1", causation_id="request-1")


def units(text: str) -> Quantity:
    return Quantity(Decimal(text))


def price(text: str) -> Price:
    return Price(Decimal(text))


def money(text: str) -> Money:
    return Money(Decimal(text))


EVERY_EVENT: tuple[Event, ...] = (
    events.OrderPlaced(
        order_id=ORDER,
        trader_id=ALICE,
        client_order_id="mine-1",
        symbol=AAPL,
        side=Side.BUY,
        quantity=units("100"),
        order_type=OrderType.STOP_LIMIT,
        price=price("150.25"),
        stop_price=price("149.5"),
        time_in_force=TimeInForce.GTC,
        stop_loss=None,
        take_profit=price("180"),
        reference_price=price("150.000000001"),
        reserve_price=price("150.25"),
        status=Status.PENDING,
    ),
    events.OrderSent(attempt=1, status=Status.PENDING),
    events.OrderRecovered(attempt=2, venue_order_id="v-1", status=Status.ACCEPTED),
    events.OrderUnresolved(reason="no answer in 5 s", status=Status.PENDING, flags=(Flag.UNRESOLVED,)),
    events.OrderAccepted(venue_order_id="v-1", status=Status.ACCEPTED),
    events.OrderFilled(
        fill_id=FILL,
        symbol=AAPL,
        side=Side.BUY,
        quantity=units("40"),
        price=price("150.2"),
        commission=money("0.35"),
        venue="paper",
        executed_at=datetime(2026, 11, 22, 14, 30, 0, 123456, tzinfo=UTC),
        filled_quantity=units("40"),
        leaves_quantity=units("60"),
        average_fill_price=price("150.2"),
        status=Status.PARTIALLY_FILLED,
        flags=(Flag.LATE_FILL, Flag.OVERFILLED),
    ),
    events.OrderRejected(code="40310000", reason='the venue says "no": \\ é 漢 \u2028', status=Status.REJECTED),
    events.OrderCancelRequested(status=Status.PENDING_CANCEL),
    events.OrderCancelRefused(reason="too late", status=Status.ACCEPTED),
    events.OrderCancelled(reason="asked to", status=Status.CANCELLED),
    events.OrderExpired(reason="end of day", status=Status.EXPIRED),
    events.FundsDeposited(amount=money("10000")),
    events.FundsWithdrawn(amount=money("0.01")),
    events.FundsReserved(order_id=ORDER, symbol=AAPL, quantity=units("100"), amount=money("15025")),
    events.FundsReleased(order_id=ORDER, symbol=AAPL, quantity=units("60"), amount=money("9015")),
    events.SharesReserved(order_id=ORDER, symbol=AAPL, quantity=units("0.000000001")),
    events.SharesReleased(order_id=ORDER, symbol=AAPL, quantity=units("0.000000001")),
    events.TradeBooked(
        order_id=ORDER,
        fill_id=FILL,
        symbol=AAPL,
        side=Side.SELL,
        quantity=units("40"),
        price=price("150.2"),
        commission=money("0.35"),
        released_quantity=units("40"),
        released_cash=money("0"),
        closed=False,
    ),
)


def stream(name: str) -> StreamId:
    return StreamId(name)


def sent(name: str, version: int, attempt: int = 1) -> NewEvent:
    """A small event as version ``version`` of the stream."""
    return NewEvent(StreamId(name), version, OrderSent(attempt=attempt, status=Status.PENDING), METADATA)


def writes(name: str, after: int, count: int = 1, keys: dict[Key, KeyUse] | None = None) -> Transaction:
    """A transaction that read the stream at version ``after`` and appends ``count`` events to it."""
    new = [sent(name, version) for version in range(after + 1, after + count + 1)]
    return Transaction({StreamId(name): after}, new, keys or {})


def key(value: str, kind: str = "idempotency") -> Key:
    return Key(ALICE, kind, value)
