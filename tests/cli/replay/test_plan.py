from decimal import Decimal

from cli.replay.lobster import Kind, Message
from cli.replay.plan import Need, Plan, Planner, deposit_for, opening_price
from domain.values import OrderType, Side, Symbol, TimeInForce

AAPL = Symbol("AAPL")
TRADERS = ("load-1", "load-2", "load-3")


def message(
    kind: Kind, *, order_id: str = "7", size: int = 10, price: str = "585.00", side: Side = Side.BUY, line: int = 1
) -> Message:
    return Message(line, Decimal(34200), kind, order_id, size, Decimal(price), side)


def planned(*messages: Message, shift: str = "-395.00", reference: str = "190.00") -> Plan:
    return Planner(AAPL, TRADERS, Decimal(shift), Decimal(reference)).plan(messages)


def test_a_new_order_becomes_a_limit_order_at_the_shifted_price() -> None:
    (step,) = planned(message(Kind.NEW)).steps
    assert step.order is not None
    assert (step.order.side, step.order.quantity, step.order.price) == (Side.BUY, 10, Decimal("190.00"))
    assert (step.order.order_type, step.order.time_in_force) == (OrderType.LIMIT, TimeInForce.DAY)
    assert step.order.may_rest


def test_a_delete_cancels_the_order_of_its_owner() -> None:
    placed, cancelled = planned(message(Kind.NEW), message(Kind.DELETE, line=2)).steps
    assert cancelled.order is None
    assert (cancelled.trader, cancelled.chain) == (placed.trader, placed.chain)


def test_a_delete_of_an_order_from_before_the_file_is_passed_over() -> None:
    plan = planned(message(Kind.DELETE))
    assert not plan.steps
    assert plan.passed_over == {"unknown_order": 1}


def test_an_execution_becomes_an_immediate_order_of_another_trader_on_the_other_side() -> None:
    resting, taking = planned(message(Kind.NEW), message(Kind.EXECUTION, size=4, line=2)).steps
    assert taking.order is not None
    assert taking.trader != resting.trader
    assert taking.chain == resting.chain
    assert (taking.order.side, taking.order.quantity, taking.order.price) == (Side.SELL, 4, Decimal("190.00"))
    assert (taking.order.order_type, taking.order.time_in_force) == (OrderType.LIMIT, TimeInForce.IOC)
    assert not taking.order.may_rest


def test_an_execution_of_an_order_from_before_the_file_is_sent_all_the_same() -> None:
    (step,) = planned(message(Kind.EXECUTION, side=Side.SELL)).steps
    assert step.order is not None
    assert step.order.side is Side.BUY


def test_an_execution_of_a_hidden_order_takes_what_the_market_has() -> None:
    first, second = planned(
        message(Kind.HIDDEN_EXECUTION, order_id="0", line=1), message(Kind.HIDDEN_EXECUTION, order_id="0", line=2)
    ).steps
    assert first.order is not None
    assert (first.order.order_type, first.order.price, first.order.side) == (OrderType.MARKET, None, Side.SELL)
    assert first.chain != second.chain
    assert not first.order.may_rest


def test_what_has_no_meaning_here_is_counted_and_passed_over() -> None:
    plan = planned(
        message(Kind.PARTIAL_CANCEL),
        message(Kind.CROSS),
        message(Kind.HALT, size=0, price="-1"),
        message(Kind.NEW, order_id="8", price="395.00"),
        message(Kind.NEW, order_id="9", size=0),
        message(Kind.DELETE, order_id="8"),
    )
    assert not plan.steps
    assert plan.messages == {"new": 2, "partial_cancel": 1, "cross": 1, "halt": 1, "delete": 1}
    assert plan.passed_over == {
        "partial_cancel": 1,
        "cross": 1,
        "halt": 1,
        "price_or_size_not_positive": 2,
        "unknown_order": 1,
    }


def test_traders_need_cash_for_everything_they_buy_and_shares_for_everything_they_sell() -> None:
    plan = planned(
        message(Kind.NEW, order_id="7", size=10, price="595.00"),
        message(Kind.NEW, order_id="7", size=5, price="595.00"),
        message(Kind.NEW, order_id="7", size=3, side=Side.SELL),
        message(Kind.NEW, order_id="7", size=4, side=Side.SELL),
    )
    (need,) = plan.needs.values()
    assert need == Need(cash=Decimal("3300.00"), shares=7)


def test_a_market_buy_needs_cash_for_the_reference_price() -> None:
    plan = planned(message(Kind.HIDDEN_EXECUTION, size=10, side=Side.SELL))
    (need,) = plan.needs.values()
    assert need.cash == Decimal("2090.00")


def test_orders_spread_over_all_traders() -> None:
    plan = planned(*(message(Kind.NEW, order_id=str(number)) for number in range(100)))
    assert {step.trader for step in plan.steps} == set(TRADERS)


def test_the_opening_price_lies_between_the_first_best_bid_and_ask() -> None:
    assert opening_price(
        [
            message(Kind.EXECUTION, price="1.00"),
            message(Kind.NEW, price="585.33"),
            message(Kind.NEW, price="585.31"),
            message(Kind.NEW, price="585.92", side=Side.SELL),
            message(Kind.NEW, price="1.00", side=Side.SELL),
        ]
    ) == Decimal("585.62")


def test_the_best_ask_is_the_lowest() -> None:
    asks = [message(Kind.NEW, price=price, side=Side.SELL) for price in ("12.00", "11.00", "13.00")]
    assert opening_price([*asks, message(Kind.NEW, price="10.00")]) == Decimal("10.50")


def test_a_market_with_one_side_opens_at_its_first_price() -> None:
    assert opening_price([message(Kind.NEW, price="585.33"), message(Kind.NEW, price="585.40")]) == Decimal("585.33")


def test_a_market_without_orders_does_not_open() -> None:
    assert opening_price([message(Kind.EXECUTION)]) is None


def test_a_deposit_covers_the_orders_and_the_opening_inventory_in_whole_dollars() -> None:
    assert deposit_for(Need(Decimal("100.10"), 10), Decimal("190.00")) == Decimal(2191)
