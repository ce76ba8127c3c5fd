from decimal import Decimal

import pytest
from hypothesis import given

from domain.events import (
    OrderCancelled,
    OrderCancelRefused,
    OrderCancelRequested,
    OrderEvent,
    OrderExpired,
    OrderRecovered,
    OrderRejected,
    OrderUnprotected,
    OrderUnresolved,
    RecordedEvent,
    order_of,
)
from domain.lifecycle import FINAL, Flag, Status
from domain.order import BrokenHistoryError, Order, evolve
from domain.values import FillId, OrderId, Quantity, exactly
from projections.orders import ORDERS, OrderRow, page
from tests.domain.orders import (
    ORDER_ID,
    accepted,
    busted,
    corrected,
    filled,
    placed,
    replace_refused,
    replaced,
    sent,
    units,
    wished,
)
from tests.projections.histories import SETTINGS, History, histories, log_of

UNRESOLVED = OrderUnresolved(reason="no answer", status=Status.PENDING, flags=(Flag.UNRESOLVED,))


def row_after(*events: OrderEvent) -> OrderRow:
    return ORDERS.fold({}, log_of(*events))[(ORDER_ID,)]


def test_an_order_is_pending_with_all_its_terms_when_it_was_placed() -> None:
    row = row_after(placed())
    (event,) = log_of(placed())
    assert row == OrderRow(
        id=ORDER_ID,
        client_order_id="mine-1",
        trader_id=placed().trader_id,
        symbol=placed().symbol,
        side=placed().side,
        quantity=placed().quantity,
        order_type=placed().order_type,
        price=placed().price,
        stop_price=None,
        time_in_force=placed().time_in_force,
        stop_loss=None,
        take_profit=None,
        parent_order_id=None,
        oco_order_id=None,
        status=Status.PENDING,
        filled_quantity=Quantity(Decimal(0)),
        leaves_quantity=placed().quantity,
        average_fill_price=None,
        reason=None,
        flags=(),
        version=1,
        position=1,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
        created_position=1,
    )


def test_every_event_moves_version_position_and_time_but_not_the_beginning() -> None:
    row = row_after(placed(), sent(), accepted())
    last = log_of(placed(), sent(), accepted())[-1]
    assert (row.version, row.position, row.updated_at) == (3, 3, last.recorded_at)
    assert (row.created_position, row.created_at < row.updated_at) == (1, True)


def test_a_fill_says_how_much_is_filled_and_what_is_left() -> None:
    row = row_after(placed(), accepted(), filled(40, 40, Status.PARTIALLY_FILLED))
    assert (row.status, row.filled_quantity, row.leaves_quantity, row.average_fill_price) == (
        Status.PARTIALLY_FILLED,
        Decimal(40),
        Decimal(60),
        Decimal(10),
    )


@pytest.mark.parametrize(
    "end",
    [
        OrderCancelled(reason="as asked", status=Status.CANCELLED),
        OrderExpired(reason="as asked", status=Status.EXPIRED),
        OrderRejected(code="42", reason="as asked", status=Status.REJECTED),
    ],
)
def test_nothing_is_left_or_unresolved_of_an_order_that_is_over(end: OrderEvent) -> None:
    row = row_after(placed(), sent(), UNRESOLVED, end)
    assert (row.status, row.leaves_quantity, row.reason, row.flags) == (end.status, Decimal(0), "as asked", ())


def test_an_unresolved_order_is_flagged_until_the_venue_acknowledges_it() -> None:
    assert row_after(placed(), sent(), UNRESOLVED).flags == (Flag.UNRESOLVED,)
    recovered = OrderRecovered(attempt=1, venue_order_id="v-1", status=Status.PENDING)
    assert row_after(placed(), sent(), UNRESOLVED, recovered).flags == (Flag.UNRESOLVED,)
    assert row_after(placed(), sent(), UNRESOLVED, recovered, accepted()).flags == ()


def test_a_refused_cancel_gives_its_reason_and_the_status_of_before() -> None:
    asked = OrderCancelRequested(status=Status.PENDING_CANCEL)
    refused = OrderCancelRefused(reason="too late", status=Status.ACCEPTED)
    row = row_after(placed(), accepted(), asked, refused)
    assert (row.status, row.reason, row.leaves_quantity) == (Status.ACCEPTED, "too late", Decimal(100))


def test_a_replaced_order_asks_for_what_it_was_replaced_with() -> None:
    part = filled(40, 40, Status.PARTIALLY_FILLED)
    asked = wished(1, quantity=80, price=9)
    row = row_after(placed(), accepted(), part, asked)
    assert (row.status, row.quantity, row.price) == (Status.PENDING_REPLACE, Decimal(100), Decimal(10))
    row = row_after(
        placed(), accepted(), part, asked, replaced(1, Status.PARTIALLY_FILLED, quantity=80, price=9, leaves=40)
    )
    assert (row.status, row.quantity, row.price) == (Status.PARTIALLY_FILLED, Decimal(80), Decimal(9))
    assert (row.filled_quantity, row.leaves_quantity) == (Decimal(40), Decimal(40))


def test_a_refused_replacement_gives_its_reason_and_changes_nothing_else() -> None:
    row = row_after(placed(), accepted(), wished(1, price=9), replace_refused(1, Status.ACCEPTED, "would cross"))
    assert (row.status, row.reason, row.price) == (Status.ACCEPTED, "would cross", Decimal(10))


def test_a_fill_that_was_taken_back_or_changed_is_reckoned_with() -> None:
    full = filled(100, 100, Status.FILLED)
    row = row_after(placed(), accepted(), full, corrected((100, 10), (60, 9), 60, Status.PARTIALLY_FILLED))
    assert (row.status, row.filled_quantity, row.leaves_quantity) == (Status.PARTIALLY_FILLED, units(60), units(40))
    assert row.average_fill_price == Decimal(9)
    row = row_after(placed(), accepted(), full, busted(100, 0, Status.ACCEPTED))
    assert (row.status, row.filled_quantity, row.leaves_quantity) == (Status.ACCEPTED, units(0), units(100))
    assert row.average_fill_price is None


def test_an_unprotected_order_is_flagged_and_says_why() -> None:
    unprotected = OrderUnprotected(
        fill_id=FillId("f-1"),
        exit_order_id=None,
        reason="its exits need 100 ACME; available: 40",
        status=Status.FILLED,
        flags=(Flag.UNPROTECTED,),
    )
    row = row_after(placed(), filled(100, 100, Status.FILLED), unprotected)
    assert (row.flags, row.reason) == ((Flag.UNPROTECTED,), "its exits need 100 ACME; available: 40")


def test_an_exit_names_the_order_it_protects_and_the_other_exit() -> None:
    row = row_after(placed(parent_order_id=OrderId("entry"), oco_order_id=OrderId("other")))
    assert (row.parent_order_id, row.oco_order_id) == ("entry", "other")


def test_an_order_cannot_be_placed_twice() -> None:
    with pytest.raises(BrokenHistoryError, match="placed twice"):
        row_after(placed(), placed())


def test_nothing_can_happen_to_an_order_before_it_is_placed() -> None:
    with pytest.raises(BrokenHistoryError, match="OrderAccepted before OrderPlaced"):
        row_after(accepted())


@SETTINGS
@given(histories())
def test_rows_equal_what_the_domain_makes_of_each_stream(history: History) -> None:
    rows = ORDERS.fold({}, history.log)
    streams: dict[OrderId, list[RecordedEvent]] = {}
    for recorded in history.log:
        if order_id := order_of(recorded.stream_id):
            streams.setdefault(order_id, []).append(recorded)
    assert rows == {(order_id,): expected(stream) for order_id, stream in streams.items()}


def expected(stream: list[RecordedEvent]) -> OrderRow:
    order: Order | None = None
    with exactly():
        for recorded in stream:
            assert isinstance(recorded.event, OrderEvent)
            order = evolve(order, recorded.event)
    assert order is not None
    terms = order.terms
    return OrderRow(
        id=order.order_id,
        client_order_id=terms.client_order_id,
        trader_id=order.trader_id,
        symbol=terms.symbol,
        side=terms.side,
        quantity=order.current.quantity,
        order_type=terms.order_type,
        price=order.current.price,
        stop_price=order.current.stop_price,
        time_in_force=terms.time_in_force,
        stop_loss=terms.stop_loss,
        take_profit=terms.take_profit,
        parent_order_id=terms.parent_order_id,
        oco_order_id=terms.oco_order_id,
        status=order.status,
        filled_quantity=order.filled_quantity,
        leaves_quantity=order.leaves_quantity,
        average_fill_price=order.average_fill_price,
        reason=order.reason,
        flags=order.flags,
        version=len(stream),
        position=stream[-1].position,
        created_at=stream[0].recorded_at,
        updated_at=stream[-1].recorded_at,
        created_position=stream[0].position,
    )


@pytest.mark.parametrize("status", Status)
def test_a_page_by_status_uses_the_index_that_holds_such_orders(status: Status) -> None:
    assert ("NOT is_open" in page(status, 20, by_symbol=False)) is (status in FINAL)
    assert "is_open" not in page(None, 20, by_symbol=True)
