"""Orders and accounts driven together: whatever the trader asks and the venue reports, the books balance."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from domain import account as accounts
from domain import desk
from domain.account import Account
from domain.commands import (
    CancelOrder,
    Deposit,
    OrderReport,
    RecordAcceptance,
    RecordCancellation,
    RecordCancelRefusal,
    RecordDifference,
    RecordExpiry,
    RecordNeverArrived,
    RecordRecovery,
    RecordRejection,
    RecordReplacement,
    RecordReplaceRefusal,
    RecordSent,
    RecordUnresolved,
    ReplaceOrder,
    Withdraw,
)
from domain.exits import exits_of
from domain.lifecycle import Flag, Status
from domain.limits import Limits
from domain.refusals import InsufficientFunds, OrderNotReplaceable, Refusal
from domain.validation import OrderValidator
from domain.values import Money, OrderId, OrderType, Price, Quantity, Side
from tests.domain.conftest import after
from tests.domain.orders import (
    accepted,
    bust,
    correction,
    dollars,
    fill,
    filled,
    place,
    placed,
    price_of,
    replacement,
    sent,
    units,
    wish,
)
from tests.domain.trader import Execution, Trader, name_of

quantities = st.decimals("0.5", "200", places=1).map(Quantity)
prices = st.decimals("0.01", "300", places=2).map(Price)
amounts = st.decimals("1", "50000", places=2).map(Money)
order_types = st.sampled_from([OrderType.LIMIT, OrderType.MARKET, OrderType.STOP, OrderType.STOP_LIMIT])
numbers = st.integers(1, 4)
executions = st.builds(Execution, quantities, prices, st.decimals("0", "2", places=2))


class Desk(RuleBasedStateMachine):
    """One trader, many orders, a venue that reports anything at any time."""

    order_ids = Bundle("order_ids")

    def __init__(self) -> None:
        super().__init__()
        self.trader = Trader()

    @rule(amount=amounts)
    def deposit(self, amount: Money) -> None:
        (event,) = accounts.decide(self.trader.account, Deposit(amount))
        self.trader.account = accounts.evolve(self.trader.account, event)
        self.trader.external += amount

    @rule(amount=amounts)
    def withdraw(self, amount: Money) -> None:
        available = self.trader.account.available
        try:
            (event,) = accounts.decide(self.trader.account, Withdraw(amount))
        except Refusal:
            assert amount > available
        else:
            self.trader.account = accounts.evolve(self.trader.account, event)
            self.trader.external -= amount

    @rule(
        target=order_ids,
        side=st.sampled_from([Side.BUY, Side.BUY, Side.SELL]),
        kind=order_types,
        quantity=quantities,
        price=prices,
        protection=st.sampled_from(["none", "stop-loss", "take-profit", "both"]),
    )
    def place(self, side: Side, kind: OrderType, quantity: Quantity, price: Price, protection: str) -> object:
        order_id = OrderId(f"order {len(self.trader.orders)}")
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
            stop_loss=Price(price / 2) if protection in {"stop-loss", "both"} else None,
            take_profit=Price(price * 2) if protection in {"take-profit", "both"} else None,
        )
        try:
            self.trader.carry_out(order_id, order)
        except Refusal:
            return multiple()
        assert self.trader.account.available >= 0 or side is Side.SELL
        return order_id

    @rule(order_id=order_ids)
    def cancel(self, order_id: OrderId) -> None:
        was_over = self.trader.orders[order_id].is_over
        try:
            self.trader.carry_out(order_id, CancelOrder())
        except Refusal:
            assert was_over
        else:
            assert not was_over

    @rule(
        order_id=order_ids,
        quantity=st.none() | quantities,
        price=st.none() | prices,
        stop_price=st.none() | prices,
    )
    def replace(
        self, order_id: OrderId, quantity: Quantity | None, price: Price | None, stop_price: Price | None
    ) -> None:
        before = self.trader.orders[order_id]
        try:
            self.trader.carry_out(order_id, ReplaceOrder(quantity=quantity, price=price, stop_price=stop_price))
        except OrderNotReplaceable:
            assert before.is_over or before.status is Status.PENDING_CANCEL
        except Refusal:
            assert not before.is_over
        else:
            more = self.trader.orders[order_id].held.amount > before.held.amount
            assert self.trader.account.available >= 0 or not more

    def tell(self, order_id: OrderId, report: OrderReport) -> list[OrderId]:
        """A fact is never refused, and brings an order back only if that was filled and no longer is."""
        before = self.trader.orders[order_id]
        born = self.trader.carry_out(order_id, report)
        after = self.trader.orders[order_id]
        assert after.status is before.status or not before.is_over or before.status is Status.FILLED
        return born

    @rule(
        order_id=order_ids,
        report=st.sampled_from(
            [
                RecordSent(1),
                RecordSent(2),
                RecordRecovery(1, "v-1"),
                RecordUnresolved("?"),
                RecordNeverArrived("gone"),
                RecordAcceptance("v-1"),
                RecordRejection("1", "no"),
                RecordCancelRefusal("no"),
                RecordCancellation("x"),
                RecordExpiry("x"),
                RecordRejection("1", "no", venue_order_id="v-1"),
                RecordCancelRefusal("no", venue_order_id="v-2"),
                RecordCancellation("x", venue_order_id="v-1"),
                RecordExpiry("x", venue_order_id="v-2"),
            ]
        ),
    )
    def report(self, order_id: OrderId, report: OrderReport) -> None:
        self.tell(order_id, report)

    @rule(
        order_id=order_ids,
        number=st.integers(0, 3),
        venue_order_id=st.sampled_from(["v-1", "v-2", "v-3"]),
        quantity=quantities,
        price=st.none() | prices,
    )
    def replaced(
        self, order_id: OrderId, number: int, venue_order_id: str, quantity: Quantity, price: Price | None
    ) -> None:
        """As it was asked for if ``price`` is None and it was asked for, else as the venue likes; also stale."""
        order = self.trader.orders[order_id]
        asked = {each.number: each.terms for each in order.replacements}
        terms = asked.get(number, order.current) if price is None else order.current._replace(quantity=quantity)
        has_price, has_stop = order.current.price is not None, order.current.stop_price is not None
        report = RecordReplacement(
            number=number,
            venue_order_id=venue_order_id,
            quantity=terms.quantity,
            price=price if has_price and price is not None else terms.price,
            stop_price=price if has_stop and price is not None else terms.stop_price,
        )
        self.tell(order_id, report)

    @rule(order_id=order_ids, number=st.integers(0, 3))
    def replace_refused(self, order_id: OrderId, number: int) -> None:
        self.tell(order_id, RecordReplaceRefusal(number, "no"))

    @rule(order_id=order_ids, status=st.sampled_from(["filled", "new"]), quantity=quantities)
    def differs(self, order_id: OrderId, status: str, quantity: Quantity) -> None:
        self.tell(
            order_id,
            RecordDifference(venue_order_id="v-1", venue_status=status, venue_filled_quantity=quantity, reason="?"),
        )

    @rule(target=order_ids, order_id=order_ids, number=numbers, execution=executions)
    def filled(self, order_id: OrderId, number: int, execution: Execution) -> object:
        ledger = self.trader.ledgers[order_id]
        was_known = any(each == number for each, _ in ledger.facts) or (number, 0) in ledger.busted
        fact = ledger.facts.setdefault((number, 0), execution)
        name = name_of(number, 0)
        born = self.tell(order_id, fill(str(fact.quantity), name, str(fact.price), str(fact.commission)))
        assert not was_known or not born
        self.exits_are_those_of(order_id, number, born, fact.quantity)
        return multiple(*born)

    @rule(target=order_ids, order_id=order_ids, number=numbers, level=st.integers(1, 2), execution=executions)
    def corrected(self, order_id: OrderId, number: int, level: int, execution: Execution) -> object:
        ledger = self.trader.ledgers[order_id]
        level = level if (number, 1) in ledger.facts else 1
        had = [each.quantity for each in ledger.standing()]
        fact = ledger.facts.setdefault((number, level), execution)
        refers_to = self.known_name(order_id, number, level - 1)
        name = name_of(number, level)
        report = correction(1, str(fact.price), refers_to, name, str(fact.commission))
        born = self.tell(order_id, replace(report, quantity=fact.quantity))
        self.exits_are_those_of(order_id, number, born, fact.quantity)
        if not born and had != [each.quantity for each in ledger.standing()]:
            self.exits_are_withdrawn(order_id, number)
        return multiple(*born)

    @rule(order_id=order_ids, number=numbers, level=st.integers(0, 2))
    def busted(self, order_id: OrderId, number: int, level: int) -> None:
        ledger = self.trader.ledgers[order_id]
        stood = len(ledger.standing())
        name = self.known_name(order_id, number, level)
        ledger.busted.add((number, level))
        self.tell(order_id, bust(name, f"b-{number}-{level}"))
        if len(ledger.standing()) < stood:
            self.exits_are_withdrawn(order_id, number)

    def known_name(self, order_id: OrderId, number: int, level: int) -> str:
        """The first name of a fill that is booked: what the booking of reports gives the desk."""
        name = name_of(number, level)
        known = self.trader.orders[order_id].fill_known_as(name)
        return known.fill_id if known else name

    def exits_are_those_of(self, order_id: OrderId, number: int, born: list[OrderId], quantity: Decimal) -> None:
        """Never more than the fill brought: one order for it, or two of which one cancels the other."""
        exits = exits_of(order_id, name_of(number, 0))
        orders = [self.trader.orders[each] for each in born]
        assert {each.order_id for each in orders} <= {exits.take_profit, exits.stop_loss}
        assert all(each.current.quantity == quantity for each in orders)
        assert sum(each.held.quantity for each in orders) in {0, quantity}
        if len(orders) == 2:
            one, other = orders
            assert (one.terms.oco_order_id, other.terms.oco_order_id) == (other.order_id, one.order_id)
        terms = self.trader.orders[order_id].terms
        wanted = (terms.take_profit is not None) + (terms.stop_loss is not None)
        assert not orders or len(orders) == wanted

    def exits_are_withdrawn(self, order_id: OrderId, number: int) -> None:
        """What a fill no longer brings is not sold any more, and its trader is told."""
        exits = exits_of(order_id, name_of(number, 0))
        for exit_id in (exits.take_profit, exits.stop_loss):
            exit_order = self.trader.orders.get(exit_id)
            assert exit_order is None or exit_order.is_over or exit_order.status is Status.PENDING_CANCEL
        order = self.trader.orders[order_id]
        is_protected = order.terms.take_profit is not None or order.terms.stop_loss is not None
        assert (Flag.UNPROTECTED in order.flags) or not is_protected

    @invariant()
    def the_books_balance(self) -> None:
        self.trader.check_fills()
        self.trader.check_statuses()
        self.trader.check_money()
        self.trader.check_positions()
        self.trader.check_holds()

    def teardown(self) -> None:
        for order_id in list(self.trader.orders):
            self.trader.carry_out(order_id, RecordExpiry("the end"))
        account = self.trader.account
        assert (account.reserved, account.open_orders) == (0, 0)
        for holding in account.holdings.values():
            assert holding.working_buys == holding.working_sells == 0


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=150, stateful_step_count=40)


def test_a_request_the_account_cannot_carry_is_refused_and_nothing_is_decided() -> None:
    with pytest.raises(InsufficientFunds):
        desk.decide(None, Account(), place(), OrderValidator())


def test_placing_an_order_that_exists_is_not_checked_again() -> None:
    order = after(placed())
    decision = desk.decide(order, Account(), place(), OrderValidator())
    assert (decision.order, decision.order_events, decision.account_events) == (order, (), ())


def test_a_replacement_the_account_cannot_carry_is_refused() -> None:
    working = after(placed(), sent(), accepted())
    account = Account(cash=dollars(1499), reserved=dollars(1000))
    with pytest.raises(InsufficientFunds):
        desk.decide(working, account, wish(quantity=150), OrderValidator())
    decision = desk.decide(working, Account(cash=dollars(1500), reserved=dollars(1000)), wish(150), OrderValidator())
    assert len(decision.order_events) == len(decision.account_events) == 1


def test_a_replacement_that_asks_for_nothing_new_is_not_checked_again() -> None:
    working = after(placed(), sent(), accepted())
    strict = OrderValidator(Limits(max_order_quantity=units(1)))
    decision = desk.decide(working, Account(cash=dollars(-5)), wish(quantity=100), strict)
    assert (decision.order, decision.order_events) == (working, ())


def test_a_replacement_that_the_venue_reports_is_not_checked_at_all() -> None:
    working = after(placed(), sent(), accepted())
    strict = OrderValidator(Limits(max_order_quantity=units(1)))
    decision = desk.decide(working, Account(), replacement(1, quantity=500), strict)
    assert len(decision.order_events) == 1


def test_a_fill_and_its_exits_are_one_decision() -> None:
    entry = after(placed(stop_loss=price_of(8), take_profit=price_of(12)), sent(), accepted())
    exits = exits_of(entry.order_id, name_of(1, 0))
    others = dict.fromkeys((exits.take_profit, exits.stop_loss))
    decision = desk.decide(entry, Account(), fill(40), OrderValidator(), others)
    assert decision.order_events == (filled(40, 40, Status.PARTIALLY_FILLED),)
    assert [order_id for order_id, _ in decision.other_events] == [exits.take_profit, exits.stop_loss]
    assert [type(event).__name__ for event in decision.account_events] == [
        "TradeBooked",
        "SharesReserved",
        "SharesReserved",
    ]


def test_facts_that_are_told_together_lead_to_what_they_lead_to_one_after_the_other() -> None:
    entry = after(placed(stop_loss=price_of(8)), sent())
    told = [RecordAcceptance("v-1"), fill(40), RecordCancellation("as you wish"), RecordCancellation("once more")]
    others = {exits_of(entry.order_id, name_of(1, 0)).stop_loss: None}
    order, account, known = entry, Account(), others
    events = []
    for fact in told:
        decision = desk.decide(order, account, fact, OrderValidator(), known)
        order, account, known = decision.order, decision.account, decision.others
        events.append((decision.order_events, decision.account_events, decision.other_events))
    together = desk.follow(entry, Account(), told, others)
    assert (together.order, together.account, together.others) == (order, account, known)
    assert [together.order_events, together.account_events, together.other_events] == [
        tuple(event for each in kind for event in each) for kind in zip(*events, strict=True)
    ]
    assert [type(event).__name__ for event in together.order_events] == [
        "OrderAccepted",
        "OrderFilled",
        "OrderCancelled",
    ]


def test_what_happens_to_an_exit_is_told_to_the_order_that_it_protects() -> None:
    trader = Trader()
    trader.account = Account(cash=dollars(1000))
    entry = place(stop_loss=price_of(8))
    trader.carry_out(entry.order_id, entry)
    (exit_id,) = trader.carry_out(entry.order_id, fill(40))
    trader.carry_out(exit_id, RecordRejection("1", "no"))
    assert trader.orders[entry.order_id].flags == (Flag.UNPROTECTED,)
    assert trader.orders[entry.order_id].reason == "its exit is REJECTED: no"
