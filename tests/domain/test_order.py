import pytest

from domain.events import OrderEvent
from domain.lifecycle import Flag, Status
from domain.order import NOTHING, BrokenHistoryError, Held, with_flag, without
from domain.values import FillId, OrderId, OrderType, Side
from tests.domain.conftest import after, given
from tests.domain.orders import (
    CANCEL_ASKED,
    CANCELLED,
    accepted,
    busted,
    cancel_refused,
    corrected,
    dollars,
    filled,
    placed,
    price_of,
    replaced,
    sent,
    units,
    wished,
)

PART = filled(40, 40, Status.PARTIALLY_FILLED)


def held(quantity: int, amount: int) -> Held:
    return Held(units(quantity), dollars(amount))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], held(100, 1000)),
        ([sent(), accepted(), PART], held(60, 600)),
        ([sent(), accepted(), filled(130, 130, Status.FILLED)], NOTHING),
        ([CANCELLED], NOTHING),
        ([sent(), accepted(), wished(1, 150), PART], held(110, 1100)),
        ([sent(), accepted(), wished(1, 50), PART], held(60, 600)),
        ([sent(), accepted(), wished(1, 80, 20)], held(100, 1600)),
        ([sent(), accepted(), wished(1, 150), replaced(1, Status.ACCEPTED, quantity=150)], held(150, 1500)),
    ],
)
def test_an_order_holds_the_most_that_it_may_still_need(events: list[OrderEvent], expected: Held) -> None:
    assert after(placed(), *events).held == expected


def test_a_sell_holds_units_and_no_cash() -> None:
    assert after(placed(side=Side.SELL, reserve_price=None)).held == held(100, 0)


def test_of_a_pair_of_exits_only_the_limit_order_holds_the_units() -> None:
    pair = {"side": Side.SELL, "reserve_price": None, "oco_order_id": OrderId("other")}
    take_profit = after(placed(**pair))
    stop_loss = after(placed(**pair, order_type=OrderType.STOP, price=None, stop_price=price_of(8)))
    assert (take_profit.is_leg, take_profit.held) == (False, held(100, 0))
    assert (stop_loss.is_leg, stop_loss.held) == (True, NOTHING)


def test_leaves_and_average_follow_the_fills() -> None:
    order = after(placed(), sent(), accepted(), PART, filled(60, 100, Status.FILLED, fill_id="f-2", price=5))
    assert (order.filled_quantity, order.leaves_quantity, order.average_fill_price) == (100, 0, 7)


def test_an_order_remembers_the_ids_the_venue_knew_it_by() -> None:
    order = after(
        placed(),
        sent(),
        accepted(),
        wished(1, 120),
        replaced(1, Status.ACCEPTED, quantity=120),
        replaced(0, Status.ACCEPTED, quantity=120, price=9),
    )
    assert (order.venue_order_id, order.past_venue_order_ids) == ("v-2", ("v-1",))
    assert (order.replacement_number, order.replaced_number) == (1, 1)


def test_a_refused_cancel_leaves_the_replacements_pending_unless_the_order_is_over() -> None:
    pending = after(placed(), sent(), accepted(), wished(1, 120), CANCEL_ASKED, cancel_refused(Status.PENDING_REPLACE))
    assert [each.number for each in pending.replacements] == [1]
    over = after(placed(), sent(), accepted(), wished(1, 120), CANCEL_ASKED, cancel_refused(Status.FILLED))
    assert over.replacements == ()


def test_a_fill_is_known_by_its_own_id_and_by_those_of_its_corrections() -> None:
    order = after(placed(), sent(), accepted(), PART, corrected((40, 10), (30, 10), 30, Status.PARTIALLY_FILLED))
    (fill,) = order.fills
    assert order.fill_known_as(FillId("f-1")) is fill
    assert order.fill_known_as(FillId("c-1")) is fill
    assert order.fill_known_as(FillId("f-2")) is None


def test_history_that_contradicts_itself_is_not_folded() -> None:
    with pytest.raises(BrokenHistoryError, match="placed twice"):
        given(placed(), placed())
    with pytest.raises(BrokenHistoryError, match="OrderSent before OrderPlaced"):
        given(sent())
    with pytest.raises(BrokenHistoryError, match=r"fill f-1 of order .* does not add up"):
        given(placed(), sent(), filled(40, 41, Status.PARTIALLY_FILLED))
    with pytest.raises(BrokenHistoryError, match="does not add up"):
        given(placed(), sent(), PART, busted(40, 10, Status.PENDING))


def test_flags_are_sorted_and_each_there_once() -> None:
    flags = with_flag((Flag.UNRESOLVED,), Flag.LATE_FILL)
    assert flags == (Flag.LATE_FILL, Flag.UNRESOLVED)
    assert with_flag(flags, Flag.LATE_FILL) == flags
    assert without(flags, Flag.UNRESOLVED) == (Flag.LATE_FILL,)
