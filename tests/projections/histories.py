"""Logs for the read models to fold: told event by event, or whatever a desk with a few traders comes up with."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st

from domain import account as accounts
from domain import desk
from domain.account import Account
from domain.commands import (
    AccountRequest,
    CancelOrder,
    Deposit,
    OrderCommand,
    PlaceOrder,
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
from domain.events import Event, Metadata, OrderEvent, RecordedEvent, StreamId, account_stream, order_stream
from domain.exits import concerned
from domain.order import Order, evolve
from domain.refusals import Refusal
from domain.validation import OrderValidator
from domain.values import Money, OrderId, Price, Quantity, Side, Symbol, TraderId, exactly
from projections.projection import Past
from tests.domain.average_cost import Fill
from tests.domain.orders import ACME, ALICE, NOON, ORDER_ID, bust, correction, fill, place, units
from tests.domain.tape import Tape

BOB = TraderId("bob")


@dataclass
class History:
    """A log that grows by what happens. Times go by a second per event."""

    log: list[RecordedEvent] = field(default_factory=list)
    orders: dict[OrderId, Order] = field(default_factory=dict)
    accounts: dict[TraderId, Account] = field(default_factory=dict)
    versions: dict[StreamId, int] = field(default_factory=dict)

    def record(self, stream_id: StreamId, event: Event, trader_id: TraderId = ALICE) -> None:
        position = len(self.log) + 1
        self.versions[stream_id] = version = self.versions.get(stream_id, 0) + 1
        metadata = Metadata(trader_id, "tests", "request", "cause")
        recorded_at = NOON + timedelta(seconds=position)
        self.log.append(RecordedEvent(position, stream_id, version, event, metadata, recorded_at, bytes(32)))

    def cash(self, request: AccountRequest, trader_id: TraderId = ALICE) -> "History":
        account = self.accounts.get(trader_id, Account())
        for event in accounts.decide(account, request):
            self.record(account_stream(trader_id), event, trader_id)
            self.accounts[trader_id] = accounts.evolve(account, event)
        return self

    def order(self, command: OrderCommand, order_id: OrderId = ORDER_ID) -> "History":
        order = self.orders.get(order_id)
        trader_id = order.trader_id if order else command.trader_id if isinstance(command, PlaceOrder) else ALICE
        account = self.accounts.get(trader_id, Account())
        others = concerned(order.terms, command) if order else ()
        decision = desk.decide(
            order, account, command, OrderValidator(), {other: self.orders.get(other) for other in others}
        )
        for order_event in decision.order_events:
            self.record(order_stream(order_id), order_event, trader_id)
        for event in decision.account_events:
            self.record(account_stream(trader_id), event, trader_id)
            account = accounts.evolve(account, event)
        for other, other_event in decision.other_events:
            self.record(order_stream(other), other_event, trader_id)
            self.orders[other] = evolve(self.orders.get(other), other_event)
        self.accounts[trader_id] = account
        if decision.order is not None:
            self.orders[order_id] = decision.order
        return self

    def past(self, streams: Collection[StreamId]) -> Past:
        """Streams from their beginning."""
        return {
            stream_id: [recorded for recorded in self.log if recorded.stream_id == stream_id] for stream_id in streams
        }


SIDES = {Side.BUY: OrderId("a purchase"), Side.SELL: OrderId("a sale")}
OPENING = Fill(1, Decimal(1), Decimal(10), Decimal(0))


def two_sided() -> tuple[History, Tape]:
    """Alice has bought one ACME of many that she wants, and sells it: what is reported next, she did not ask for."""
    history = History().cash(Deposit(Money(Decimal(100_000))))
    history.order(place(order_id=SIDES[Side.BUY]), SIDES[Side.BUY]).order(fill(1, "opening"), SIDES[Side.BUY])
    history.order(place(order_id=SIDES[Side.SELL], side=Side.SELL, quantity=units(1)), SIDES[Side.SELL])
    return history, Tape()


def sides(history: History) -> dict[Side, Order]:
    """Both orders as they are."""
    return {side: history.orders[order_id] for side, order_id in SIDES.items()}


def log_of(*events: OrderEvent) -> list[RecordedEvent]:
    """The log in which nothing but this happens to Alice's order."""
    history = History()
    for event in events:
        history.record(order_stream(ORDER_ID), event)
    return history.log


# ── Anything that can happen ─────────────────────────────────────────────────────────────────────────────────────────

_amounts = st.decimals("0.01", "100000", places=2).map(Money)
_quantities = st.decimals("0.001", "200", places=3).map(Quantity)
_prices = st.decimals("0.0001", "300", places=4).map(Price)
_commissions = st.sampled_from(["0", "0.01", "1.5"])

_cash = st.one_of(st.builds(Deposit, _amounts), st.builds(Withdraw, _amounts))
_placements = st.builds(
    place,
    symbol=st.sampled_from([ACME, Symbol("BTC/USD")]),
    side=st.sampled_from(Side),
    quantity=_quantities,
    price=_prices,
)
# Bought at 10 at most, in larger quantities than fills have, so that several fills bring exits.
_brackets = st.builds(
    place,
    quantity=st.just(units(250)),
    stop_loss=st.sampled_from([None, Price(Decimal(9))]),
    take_profit=st.sampled_from([None, Price(Decimal(11))]),
)
_fills = st.builds(
    lambda quantity, price, number, commission: fill(str(quantity), f"f-{number}", str(price), commission),
    _quantities,
    _prices,
    st.integers(1, 9),
    _commissions,
)
# Of fills, of earlier corrections, and of what was never heard of.
_executions = st.sampled_from([f"{kind}-{number}" for kind in "ffc" for number in range(4)])
_busts = st.builds(lambda busted, number: bust(busted, f"b-{number}"), _executions, st.integers(1, 5))
_corrections = st.builds(
    lambda quantity, price, corrected, number, commission: correction(
        quantity, str(price), corrected, f"c-{number}", commission
    ),
    st.integers(1, 150),
    _prices,
    _executions,
    st.integers(1, 3),
    _commissions,
)
_wishes: st.SearchStrategy[OrderCommand] = st.builds(
    ReplaceOrder, quantity=st.none() | _quantities, price=st.none() | _prices
)
_replacements: st.SearchStrategy[OrderCommand] = st.builds(
    lambda number, quantity, price: RecordReplacement(
        number=number, venue_order_id=f"v-{number}", quantity=quantity, price=price, stop_price=None
    ),
    st.integers(0, 3),
    _quantities,
    _prices,
)
_answers: st.SearchStrategy[OrderCommand] = st.sampled_from(
    [
        RecordReplaceRefusal(0, "the venue would not"),
        RecordReplaceRefusal(1, "the venue would not"),
        RecordDifference(
            venue_order_id="v", venue_status="new", venue_filled_quantity=units(7), reason="the books differ"
        ),
    ]
)
_ends: st.SearchStrategy[OrderCommand] = st.sampled_from(
    [
        RecordRejection("42", "no"),
        RecordNeverArrived("not found"),
        RecordCancellation("as asked"),
        RecordExpiry("the day is over"),
        CancelOrder(),
    ]
)
_reports: st.SearchStrategy[OrderCommand] = st.sampled_from(
    [
        RecordSent(1),
        RecordSent(2),
        RecordUnresolved("no answer"),
        RecordRecovery(1, "v"),
        RecordAcceptance("v"),
        CancelOrder(),
        RecordCancelRefusal("too late"),
    ]
)
# Most of an order's life is reports, and a list is as long as its minimum allows on average.
_kinds: list[st.SearchStrategy[OrderCommand | AccountRequest]] = [
    *[_cash, _placements, _brackets, _fills, _fills, _fills, _ends],
    *[_reports, _reports, _reports, _reports, _busts, _corrections],
    *[_wishes, _wishes, _replacements, _replacements, _answers],
]
_steps = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(_kinds).flatmap(lambda kind: kind)), min_size=20)


SETTINGS = settings(max_examples=50)
"""For tests over histories: making one takes several milliseconds."""


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Two traders with cash, of whom Alice has shares too, and whatever they and the venue do; refusals leave none."""
    with exactly():
        history = History().cash(Deposit(Money(Decimal(200_000)))).cash(Deposit(Money(Decimal(200_000))), BOB)
        history.order(place()).order(RecordSent(1)).order(fill(100, "f-0"))
        for index, command in draw(_steps):
            with suppress(Refusal):
                _carry_out(history, index, command)
    return history


def _carry_out(history: History, index: int, command: OrderCommand | AccountRequest) -> None:
    trader_id = (ALICE, BOB)[index % 2]
    if isinstance(command, Deposit | Withdraw):
        history.cash(command, trader_id)
    elif isinstance(command, PlaceOrder):
        order_id = OrderId(f"order {len(history.orders)}")
        history.order(replace(command, order_id=order_id, trader_id=trader_id), order_id)
    elif history.orders:
        order_ids = list(history.orders)
        history.order(command, order_ids[index % len(order_ids)])
