"""Orders and accounts driven together: whatever the trader asks and the venue reports, the books balance."""

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from domain import account as accounts
from domain import desk
from domain import order as orders
from domain.account import Account
from domain.commands import (
    CancelOrder,
    Deposit,
    OrderCommand,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordExpiry,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordSent,
    RecordUnresolved,
    Withdraw,
)
from domain.lifecycle import FINAL, Flag
from domain.order import Order
from domain.refusals import InsufficientFunds, Refusal
from domain.validation import OrderValidator
from domain.values import Money, OrderId, OrderType, Price, Quantity, Side, exactly
from tests.domain.orders import ACME, fill, place

quantities = st.decimals("0.5", "200", places=1).map(Quantity)
prices = st.decimals("0.01", "300", places=2).map(Price)
order_types = st.sampled_from([OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT])


class Desk(RuleBasedStateMachine):
    """One trader, many orders, a venue that reports anything at any time."""

    order_ids = Bundle("order_ids")

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.orders: dict[OrderId, Order] = {}
        self.fills: dict[OrderId, dict[str, tuple[Decimal, Decimal]]] = {}
        self.external = Decimal(0)
        self.commission = Decimal(0)

    def carry_out(self, order_id: OrderId, command: OrderCommand) -> bool:
        with exactly():
            try:
                decision = desk.decide(self.orders.get(order_id), self.account, command, OrderValidator())
            except Refusal:
                return False
            for event in decision.account_events:
                self.account = accounts.evolve(self.account, event)
            assert decision.order is not None
            self.orders[order_id] = decision.order
            if not isinstance(command, CancelOrder) or not decision.order.is_over:
                again = desk.decide(decision.order, self.account, command, OrderValidator())
                assert (again.order_events, again.account_events) == ((), ())
        return True

    @rule(amount=st.decimals("1", "50000", places=2).map(Money))
    def deposit(self, amount: Money) -> None:
        (event,) = accounts.decide(self.account, Deposit(amount))
        self.account = accounts.evolve(self.account, event)
        self.external += amount

    @rule(amount=st.decimals("1", "50000", places=2).map(Money))
    def withdraw(self, amount: Money) -> None:
        available = self.account.available
        try:
            (event,) = accounts.decide(self.account, Withdraw(amount))
        except Refusal:
            assert amount > available
        else:
            self.account = accounts.evolve(self.account, event)
            self.external -= amount

    @rule(target=order_ids, side=st.sampled_from(Side), kind=order_types, quantity=quantities, price=prices)
    def place(self, side: Side, kind: OrderType, quantity: Quantity, price: Price) -> object:
        order_id = OrderId(f"order {len(self.orders)}")
        limited = kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}
        stopped = kind in {OrderType.STOP, OrderType.STOP_LIMIT}
        order = place(
            order_id=order_id,
            side=side,
            order_type=kind,
            quantity=quantity,
            price=price if limited else None,
            stop_price=price if stopped else None,
            reference_price=price,
        )
        if not self.carry_out(order_id, order):
            return multiple()
        assert self.account.available >= 0 or side is Side.SELL
        self.fills[order_id] = {}
        return order_id

    @rule(order_id=order_ids)
    def cancel(self, order_id: OrderId) -> None:
        was_over = self.orders[order_id].is_over
        assert self.carry_out(order_id, CancelOrder()) is not was_over

    @rule(
        order_id=order_ids,
        report=st.sampled_from(
            [
                RecordSent(1),
                RecordSent(2),
                RecordRecovery(1, "v"),
                RecordUnresolved("?"),
                RecordNeverArrived("gone"),
                RecordAcceptance("v"),
                RecordRejection("1", "no"),
                RecordCancelRefusal("no"),
                RecordCancellation("x"),
                RecordExpiry("x"),
            ]
        ),
    )
    def report(self, order_id: OrderId, report: OrderCommand) -> None:
        before = self.orders[order_id]
        assert self.carry_out(order_id, report)
        after = self.orders[order_id]
        assert after.status is before.status or not before.is_over

    @rule(
        order_id=order_ids,
        number=st.integers(1, 4),
        quantity=quantities,
        price=prices,
        commission=st.decimals("0", "2", places=2),
    )
    def filled(self, order_id: OrderId, number: int, quantity: Quantity, price: Price, commission: Decimal) -> None:
        fact = fill(str(quantity), f"f-{number}", str(price), str(commission))
        known = fact.fill_id in self.fills[order_id]
        assert self.carry_out(order_id, fact)
        if not known:
            self.fills[order_id][fact.fill_id] = (quantity, price)
            self.commission += commission

    @invariant()
    def cumulative_is_the_sum_of_distinct_fills(self) -> None:
        for order_id, order in self.orders.items():
            assert order.filled_quantity == sum(quantity for quantity, _ in self.fills[order_id].values())
            assert len(order.fills) == len(self.fills[order_id])

    @invariant()
    def leaves_is_what_is_not_filled_or_nothing_when_over(self) -> None:
        for order in self.orders.values():
            working = order.terms.quantity - order.filled_quantity
            assert order.leaves_quantity == (0 if order.status in FINAL else working)
            assert (Flag.OVERFILLED in order.flags) == (order.filled_quantity > order.terms.quantity)

    @invariant()
    def money_is_conserved(self) -> None:
        position = self.account.holding(ACME).position
        with exactly():
            assert self.account.cash == self.external - position.cost + position.realised_pnl - self.commission
        assert position.commission == self.commission

    @invariant()
    def what_is_held_is_what_works(self) -> None:
        working = [order for order in self.orders.values() if not order.is_over]
        held = sum(order.leaves_quantity * (order.terms.reserve_price or 0) for order in working)
        assert self.account.reserved == held
        assert self.account.open_orders == len(working)
        for side, units in (
            (Side.BUY, self.account.holding(ACME).working_buys),
            (Side.SELL, self.account.holding(ACME).working_sells),
        ):
            assert units == sum(order.leaves_quantity for order in working if order.terms.side is side)

    def teardown(self) -> None:
        for order_id, order in self.orders.items():
            if not order.is_over:
                self.carry_out(order_id, RecordExpiry("the end"))
        assert (self.account.reserved, self.account.open_orders) == (0, 0)
        assert self.account.holding(ACME).working_buys == self.account.holding(ACME).working_sells == 0


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_request_the_account_cannot_carry_is_refused_and_nothing_is_decided() -> None:
    with pytest.raises(InsufficientFunds):
        desk.decide(None, Account(), place(), OrderValidator())


def test_placing_an_order_that_exists_is_not_checked_again() -> None:
    order = orders.evolve(None, orders.decide(None, place())[0])  # type: ignore[arg-type] # an order event
    decision = desk.decide(order, Account(), place(), OrderValidator())
    assert (decision.order, decision.order_events, decision.account_events) == (order, (), ())
