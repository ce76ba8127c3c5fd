"""One of every event, with every field filled in, and small transactions to append."""

from datetime import UTC, datetime
from decimal import Decimal

from application.ports import Key, KeyUse, NewEvent, Transaction
from domain import events
from domain.events import Event, Metadata, OrderSent, StreamId
from domain.lifecycle import Flag, Status
from domain.values import (
    Currency,
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

ASKED_AT = datetime(2026, 11, 22, 14, 29, 59, 999999, tzinfo=UTC)

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
        parent_order_id=OrderId("3d2a7a0e-0c1d-4f54-8a57-3e1f0c7f9b02"),
        oco_order_id=OrderId("b8d9e1c4-7f35-4c0e-9f0a-52c1d3e4f503"),
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
    events.OrderFillBusted(
        fill_id=FILL,
        execution_id=FillId("bust of 20261122::9d3c"),
        symbol=AAPL,
        side=Side.BUY,
        quantity=units("40"),
        price=price("150.2"),
        commission=money("0.35"),
        reason="erroneous trade",
        filled_quantity=units("0"),
        leaves_quantity=units("100"),
        average_fill_price=None,
        status=Status.ACCEPTED,
        flags=(),
    ),
    events.OrderFillCorrected(
        fill_id=FILL,
        execution_id=FillId("20261122::9d3d"),
        symbol=AAPL,
        side=Side.BUY,
        quantity=units("35"),
        price=price("150.1"),
        commission=money("0.3"),
        venue="paper",
        executed_at=datetime(2026, 11, 22, 14, 31, tzinfo=UTC),
        previous_quantity=units("40"),
        previous_price=price("150.2"),
        previous_commission=money("0.35"),
        filled_quantity=units("35"),
        leaves_quantity=units("65"),
        average_fill_price=price("150.1"),
        status=Status.PARTIALLY_FILLED,
        flags=(Flag.UNPROTECTED,),
    ),
    events.OrderReplaceRequested(
        number=1,
        quantity=units("120"),
        price=price("151"),
        stop_price=price("149.75"),
        reserve_price=price("151"),
        status=Status.PENDING_REPLACE,
    ),
    events.OrderReplaced(
        number=1,
        venue_order_id="v-2",
        quantity=units("120"),
        price=price("151"),
        stop_price=price("149.75"),
        reserve_price=price("151"),
        leaves_quantity=units("85"),
        status=Status.PARTIALLY_FILLED,
        flags=(Flag.UNPROTECTED,),
    ),
    events.OrderReplaceRefused(number=2, reason="too late", status=Status.PARTIALLY_FILLED),
    events.OrderReconciled(
        venue_order_id="v-2",
        venue_status="filled",
        venue_filled_quantity=units("120"),
        filled_quantity=units("35"),
        reason="the venue's books differ",
        status=Status.PARTIALLY_FILLED,
    ),
    events.OrderCounterpartFilled(quantity=units("2.5"), status=Status.ACCEPTED),
    events.OrderUnprotected(
        fill_id=FILL,
        exit_order_id=OrderId("b8d9e1c4-7f35-4c0e-9f0a-52c1d3e4f503"),
        reason="its exit is REJECTED: no",
        status=Status.PARTIALLY_FILLED,
        flags=(Flag.UNPROTECTED,),
    ),
    events.FundsDeposited(amount=money("10000"), currency=Currency.USD),
    events.FundsWithdrawn(amount=money("0.01"), currency=Currency.USD),
    events.FundsReserved(
        order_id=ORDER,
        symbol=AAPL,
        quantity=units("100"),
        amount=money("15025"),
        asked_at=ASKED_AT,
        notional=money("15025"),
        terms="BUY 100 AAPL STOP_LIMIT 150.25 149.5 GTC",
    ),
    events.FundsReleased(order_id=ORDER, symbol=AAPL, quantity=units("60"), amount=money("9015")),
    events.SharesReserved(
        order_id=ORDER,
        symbol=AAPL,
        quantity=units("0.000000001"),
        asked_at=ASKED_AT,
        notional=money("0.00000015025"),
        terms=None,
    ),
    events.SharesReleased(order_id=ORDER, symbol=AAPL, quantity=units("0.000000001")),
    events.ReservationChanged(
        order_id=ORDER,
        symbol=AAPL,
        side=Side.BUY,
        quantity=units("-20"),
        amount=money("-3005"),
        asked_at=ASKED_AT,
        notional=money("0"),
    ),
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
    events.TradeCorrected(
        order_id=ORDER,
        fill_id=FILL,
        symbol=AAPL,
        side=Side.SELL,
        quantity=units("35"),
        price=price("150.1"),
        commission=money("0.3"),
        previous_quantity=units("40"),
        previous_price=price("150.2"),
        previous_commission=money("0.35"),
    ),
    events.LimitsChanged(
        max_position=units("500"),
        max_order_quantity=units("100.5"),
        max_order_notional=money("25000.5"),
        max_open_orders=10,
        max_orders_per_second=5,
        max_daily_notional=None,
        price_collar_percent=Decimal("2.5"),
        duplicate_window_seconds=0,
        restricted_symbols=(AAPL, Symbol("BTC/USD")),
        reason="new to the desk",
    ),
    events.TradingHalted(scope="symbol:AAPL", reason="news pending", cancel_open=True),
    events.OpenOrdersCancelRequested(scope="symbol:AAPL", halt_version=1),
    events.TradingResumed(scope="symbol:AAPL", reason=None),
    events.RolloutChanged(enabled=True, ramp_percent=25, reason="the second step"),
    events.UnknownOrderReported(
        venue_order_id="v-9",
        client_order_id="somebody else's",
        symbol="BRK.B",
        side="SELL",
        quantity=units("7"),
        filled_quantity=units("0.5"),
        venue_status="new",
    ),
    events.ProjectionEventSkipped(
        projection="orders", position=4711, event_type="OrderAccepted", reason="the venue sent it twice"
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
