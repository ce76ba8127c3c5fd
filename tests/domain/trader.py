"""One trader's orders and account, kept by the desk, beside a ledger that is kept in the plainest way there is."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from domain import account as accounts
from domain import desk
from domain.account import Account
from domain.commands import CancelOrder, OrderCommand
from domain.events import AccountEvent, OrderEvent, OrderFillBusted, OrderFillCorrected, OrderFilled, OrderReplaced
from domain.exits import concerned
from domain.lifecycle import FINAL, Flag, Status
from domain.order import Order, evolve
from domain.position import positions_of
from domain.validation import OrderValidator
from domain.values import FillId, OrderId, Side, Symbol, exactly
from tests.domain.average_cost import Fill, held_after


class Execution(NamedTuple):
    """A fill as the venue reports it."""

    quantity: Decimal
    price: Decimal
    commission: Decimal


def name_of(number: int, level: int) -> FillId:
    """The id of fill ``number`` (level 0), of its correction (1), or of the correction of that (2)."""
    return FillId(f"{'fcd'[level]}-{number}")


@dataclass
class Ledger:
    """What the venue has said of the fills of one order, by number and level."""

    facts: dict[tuple[int, int], Execution] = field(default_factory=dict)
    busted: set[tuple[int, int]] = field(default_factory=set)

    def standing(self) -> list[Execution]:
        """Each fill that was not taken back under any name it has, as its last correction has it."""
        return list(self.by_number().values())

    def by_number(self) -> dict[int, Execution]:
        """The same by the numbers of the fills."""
        levels = {number: [at for each, at in self.facts if each == number] for number, _ in self.facts}
        return {
            number: self.facts[number, max(reported)]
            for number, reported in levels.items()
            if self.busted.isdisjoint((number, level) for level in {0, *reported})
        }


class Trader:
    """Carries commands out and checks each decision by itself; what must hold between them, ``check`` says."""

    def __init__(self) -> None:
        self.account = Account()
        self.orders: dict[OrderId, Order] = {}
        self.ledgers: dict[OrderId, Ledger] = {}
        self.external = Decimal(0)
        self.account_events: list[AccountEvent] = []
        self.heard_of: dict[tuple[OrderId, int], None] = {}

    def carry_out(self, order_id: OrderId, command: OrderCommand) -> list[OrderId]:
        """Decide and record. Returns the orders that came into being by it.

        Raises:
            Refusal: nothing has changed.
        """
        numbers = self.ledgers[order_id].facts if order_id in self.ledgers else ()
        self.heard_of |= {(order_id, number): None for number, _ in numbers}
        with exactly():
            before = self.orders.get(order_id)
            decision = self._decide(order_id, command)
            for booked in decision.account_events:
                self.account = accounts.evolve(self.account, booked)
                self.account_events.append(booked)
            known = set(self.orders)
            self._record(order_id, before, decision.order_events)
            for other_id, event in decision.other_events:
                self._record(other_id, self.orders.get(other_id), (event,))
            assert self.orders[order_id] == decision.order
            assert self.account == decision.account
            assert {each: self.orders.get(each) for each in decision.others} == decision.others
            if not isinstance(command, CancelOrder) or not self.orders[order_id].is_over:
                again = self._decide(order_id, command)
                assert (again.order_events, again.account_events, again.other_events) == ((), (), ())
            return [each for each in self.orders if each not in known]

    def _decide(self, order_id: OrderId, command: OrderCommand) -> desk.Decision:
        order = self.orders.get(order_id)
        others = {each: self.orders.get(each) for each in concerned(order.terms, command)} if order else {}
        return desk.decide(order, self.account, command, OrderValidator(), others)

    def _record(self, order_id: OrderId, order: Order | None, events: tuple[OrderEvent, ...]) -> None:
        for event in events:
            order = evolve(order, event)
            _check_event(event, order)
        if order is not None:
            self.orders[order_id] = order
            self.ledgers.setdefault(order_id, Ledger())

    # ── What must always hold ────────────────────────────────────────────────────────────────────────────────────────

    def check_fills(self) -> None:
        """Cumulative, value and average are those of the distinct fills as they stand."""
        for order_id, order in self.orders.items():
            standing = self.ledgers[order_id].standing()
            with exactly():
                value = sum((each.quantity * each.price for each in standing), Decimal(0))
            assert order.filled_quantity == sum(each.quantity for each in standing)
            assert order.traded_value == value
            assert len(order.fills) == len(standing)
            assert (order.average_fill_price is None) is (not standing)

    def check_statuses(self) -> None:
        """Leaves, flags, pending requests and status say the same."""
        for order in self.orders.values():
            left = order.current.quantity - order.filled_quantity
            assert order.leaves_quantity == (0 if order.status in FINAL else left)
            assert order.is_over or left > 0
            assert (Flag.OVERFILLED in order.flags) is (left < 0)
            assert Flag.UNRESOLVED not in order.flags or not order.is_there
            assert (order.status is Status.PENDING_REPLACE) <= bool(order.replacements)
            assert bool(order.replacements) <= (order.status in {Status.PENDING_REPLACE, Status.PENDING_CANCEL})
            assert all(one.number < next_.number for one, next_ in pairwise(order.replacements))

    def check_money(self) -> None:
        """Not a fraction of a cent appears or vanishes."""
        with exactly():
            cash = self.external
            held: dict[Symbol, Decimal] = {}
            for order_id, order in self.orders.items():
                sign = 1 if order.terms.side is Side.BUY else -1
                for each in self.ledgers[order_id].standing():
                    cash -= sign * each.quantity * each.price + each.commission
                    held[order.terms.symbol] = held.get(order.terms.symbol, 0) + sign * each.quantity
            assert self.account.cash == cash
        assert {symbol: holding.quantity for symbol, holding in self.account.holdings.items() if symbol in held} == held

    def check_positions(self) -> None:
        """Positions are what the fills that stand lead to, in the order in which they were heard of."""
        standing = {order_id: ledger.by_number() for order_id, ledger in self.ledgers.items()}
        fills: dict[Symbol, list[Fill]] = {}
        for order_id, number in self.heard_of:
            if fill := standing[order_id].get(number):
                terms = self.orders[order_id].terms
                sign = 1 if terms.side is Side.BUY else -1
                fills.setdefault(terms.symbol, []).append(Fill(sign, *fill))
        with exactly():
            positions = positions_of(self.account_events)
        for symbol, position in positions.items():
            expected = held_after(fills.get(symbol, ()))
            told = (position.quantity, position.cost, position.realised_pnl, position.commission)
            assert tuple(map(Fraction, told)) == expected.as_told
        assert set(fills) <= set(positions)

    def check_holds(self) -> None:
        """What is held is what the open orders hold."""
        working = [order for order in self.orders.values() if not order.is_over]
        with exactly():
            assert self.account.reserved == sum(order.held.amount for order in working)
        assert self.account.open_orders == len(working)
        for order in working:
            if order.is_leg or order.counterpart_filled:
                assert order.held.quantity <= order.leaves_quantity
            else:
                assert order.held.quantity >= order.leaves_quantity
                assert order.replacements or order.held.quantity == order.leaves_quantity
        for side, units in (
            (Side.BUY, sum(holding.working_buys for holding in self.account.holdings.values())),
            (Side.SELL, sum(holding.working_sells for holding in self.account.holdings.values())),
        ):
            assert units == sum(order.held.quantity for order in working if order.terms.side is side)


def _check_event(event: OrderEvent, order: Order) -> None:
    """Each event says how it left the order, so that its reader need not fold the ones before it."""
    assert event.status is order.status
    if isinstance(event, OrderFilled | OrderFillBusted | OrderFillCorrected):
        assert event.filled_quantity == order.filled_quantity
        assert event.average_fill_price == order.average_fill_price
    if isinstance(event, OrderFilled | OrderFillBusted | OrderFillCorrected | OrderReplaced):
        assert event.leaves_quantity == order.leaves_quantity
        assert event.flags == order.flags
