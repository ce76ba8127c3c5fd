"""Whatever is sent to a book, its promises hold."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from infrastructure.exchanges.paper.book import Book, Dropped, Lifetime, Outcome, Side, Ticket, Trade

ZERO = Decimal(0)
LAST = Decimal(100)

# Few prices and small quantities make for many meetings.
PRICES = st.integers(97, 103).map(Decimal)
QUANTITIES = st.integers(1, 9).map(lambda tenths: Decimal(tenths) / 10)


@dataclass(frozen=True)
class Withdrawal:
    """Cancel one of the orders sent so far."""

    pick: int


TICKETS = st.builds(
    Ticket,
    id=st.just(""),
    side=st.sampled_from(Side),
    quantity=QUANTITIES,
    lifetime=st.sampled_from(Lifetime),
    limit=st.none() | PRICES,
    stop=st.none() | st.none() | PRICES,
)
ACTIONS = st.lists(TICKETS | st.builds(Withdrawal, st.integers(0, 99)), max_size=40)


@dataclass
class Run:
    """A book, everything that was sent to it, and everything that came of it."""

    book: Book = field(default_factory=lambda: Book(LAST))
    sent: list[Ticket] = field(default_factory=list)
    withdrawn: dict[str, Decimal] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def step(self, action: Ticket | Withdrawal) -> list[Outcome]:
        if isinstance(action, Withdrawal):
            open_ids = [ticket.id for ticket in self.sent if ticket.id in self.book]
            if open_ids:
                order_id = open_ids[action.pick % len(open_ids)]
                self.withdrawn[order_id] = self.book.cancel(order_id)
            return []
        ticket = replace(action, id=f"o{len(self.sent)}")
        self.sent.append(ticket)
        news = self.book.submit(ticket)
        while more := self.book.trigger():
            news += more
        self.outcomes += news
        return news

    def traded(self, order_id: str) -> Decimal:
        trades = [outcome for outcome in self.outcomes if isinstance(outcome, Trade)]
        return sum((t.quantity for t in trades if order_id in {t.maker_id, t.taker_id}), start=ZERO)

    def dropped(self, order_id: str) -> Decimal:
        drops = [outcome for outcome in self.outcomes if isinstance(outcome, Dropped)]
        return sum((d.quantity for d in drops if d.order_id == order_id), start=ZERO)


def run(actions: Sequence[Ticket | Withdrawal]) -> Run:
    made = Run()
    for action in actions:
        made.step(action)
    return made


@given(ACTIONS)
def test_the_book_is_never_crossed(actions: list[Ticket | Withdrawal]) -> None:
    made = Run()
    for action in actions:
        made.step(action)
        bid, ask = made.book.best(Side.BUY), made.book.best(Side.SELL)
        assert bid is None or ask is None or bid < ask


@given(ACTIONS)
def test_no_quantity_appears_or_disappears(actions: list[Ticket | Withdrawal]) -> None:
    made = run(actions)
    for ticket in made.sent:
        parts = (made.traded(ticket.id), made.dropped(ticket.id), made.book.leaves(ticket.id))
        assert sum(parts, start=made.withdrawn.get(ticket.id, ZERO)) == ticket.quantity
        assert min(parts) >= ZERO


@given(ACTIONS)
def test_a_fok_order_trades_completely_or_not_at_all(actions: list[Ticket | Withdrawal]) -> None:
    made = run(actions)
    for ticket in made.sent:
        if ticket.lifetime is Lifetime.FOK:
            assert made.traded(ticket.id) in {ZERO, ticket.quantity}


@given(ACTIONS)
def test_ioc_fok_and_market_orders_never_rest(actions: list[Ticket | Withdrawal]) -> None:
    made = run(actions)
    for ticket in made.sent:
        if ticket.stop is None and (ticket.lifetime in {Lifetime.IOC, Lifetime.FOK} or ticket.limit is None):
            assert ticket.id not in made.book


@given(ACTIONS)
def test_nobody_trades_beyond_their_limit(actions: list[Ticket | Withdrawal]) -> None:
    made = run(actions)
    tickets = {ticket.id: ticket for ticket in made.sent}
    for outcome in made.outcomes:
        if isinstance(outcome, Trade):
            assert tickets[outcome.maker_id].accepts(outcome.price)
            assert tickets[outcome.taker_id].accepts(outcome.price)


@given(st.lists(TICKETS.map(lambda ticket: replace(ticket, stop=None)), max_size=40))
def test_trades_follow_price_and_then_time(tickets: list[Ticket]) -> None:
    # The same rules, as slow and as plain as they can be written.
    book, resting, numbers = Book(LAST), list[Ticket](), count()
    for ticket in tickets:
        taker = replace(ticket, id=str(next(numbers)))
        makers = sorted(
            (maker for maker in resting if maker.side is not taker.side and taker.accepts(maker.limit or ZERO)),
            key=lambda maker: (maker.limit if taker.side is Side.BUY else -(maker.limit or ZERO), int(maker.id)),
        )
        wanted, expected = taker.quantity, list[Trade]()
        if taker.lifetime is not Lifetime.FOK or sum(maker.quantity for maker in makers) >= wanted:
            for maker in makers:
                quantity = min(wanted, maker.quantity)
                if quantity:
                    expected.append(Trade(maker.id, taker.id, maker.limit or ZERO, quantity))
                    wanted -= quantity
                    place = resting.index(maker)
                    left = replace(maker, quantity=maker.quantity - quantity)
                    resting[place : place + 1] = [left] if left.quantity else []
        if wanted and taker.limit is not None and taker.lifetime in {Lifetime.DAY, Lifetime.GTC}:
            resting.append(replace(taker, quantity=wanted))
        assert [outcome for outcome in book.submit(taker) if isinstance(outcome, Trade)] == expected
