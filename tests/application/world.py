"""A small world for the application's tests: a clock that does not wait, ids that count, a venue that plays a script."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from application.ports import EventStore
from application.sequencer import Outcome, Sequencer
from application.snapshots import Snapshot
from application.trading import Caller, OrderRequest, Trading
from application.venue import (
    Instrument,
    Sought,
    VenueFill,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueReplacement,
    VenueReport,
    VenueTerms,
    WorkingOrder,
)
from domain.commands import CancelOrder, Deposit, OrderReport
from domain.events import RecordedEvent
from domain.order import Order
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TraderId

ALICE = TraderId("alice")
BOB = TraderId("bob")
ACME = Symbol("ACME")
CALLER = Caller("trader:alice", "request-1", "request-1")
HUNDRED = Price(Decimal(100))
ELEVEN = datetime(2026, 11, 20, 11, tzinfo=UTC)
BUY_TEN = OrderRequest(
    symbol=ACME,
    side=Side.BUY,
    quantity=Quantity(Decimal(10)),
    order_type=OrderType.LIMIT,
    price=Price(Decimal(100)),
)


class FastClock:
    """Time passes only by sleeping, and sleeping takes none."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 12, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if seconds > 1e6:
            await asyncio.Event().wait()
        self.time += timedelta(seconds=seconds)
        await asyncio.sleep(0.001)


class CountingIds:
    def __init__(self) -> None:
        self.count = 0

    def new(self) -> str:
        self.count += 1
        return f"00000000-0000-4000-8000-{self.count:012d}"


class Acme:
    """Knows one instrument, at 100 unless nobody knows its price."""

    def __init__(
        self, *, tradable: bool = True, price: Price | None = HUNDRED, price_at: datetime | None = ELEVEN
    ) -> None:
        self.tradable = tradable
        self.price = price
        self.price_at = price_at

    def get(self, symbol: Symbol) -> Instrument | None:
        if symbol != ACME:
            return None
        return Instrument(
            symbol=ACME,
            name="Acme",
            tradable=self.tradable,
            fractionable=True,
            reference_price=self.price,
            price_at=self.price_at,
        )


@dataclass
class StoreFeed:
    """Follows a store by reading it again and again."""

    store: EventStore

    async def follow(self, after: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        while True:
            events = await self.store.read(after, 100)
            if events:
                yield events
                after = events[-1].position
            else:
                await asyncio.sleep(0.001)


Answer = Exception | list[VenueReport] | str
"""What a scripted venue does when asked: raise, answer, or ``"ok"``: behave."""


@dataclass
class ScriptedVenue:
    """Accepts and remembers orders; scripts say when it misbehaves. ``"lost"`` acts and then loses the answer."""

    name: str = "scripted"
    submits: deque[Answer] = field(default_factory=deque)
    finds: deque[Answer] = field(default_factory=deque)
    cancels: deque[Answer] = field(default_factory=deque)
    replaces: deque[Answer] = field(default_factory=deque)
    replacements: list[VenueReplacement] = field(default_factory=list)
    working: dict[str, WorkingOrder] = field(default_factory=dict)
    working_errors: deque[Exception] = field(default_factory=deque)
    executed: list[VenueReport] = field(default_factory=list)
    owners: dict[str, OrderId] = field(default_factory=dict)
    submitted: list[VenueOrder] = field(default_factory=list)
    orders: dict[OrderId, list[VenueReport]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    stream: asyncio.Queue[VenueReport | Exception | None] = field(default_factory=asyncio.Queue)

    async def submit(self, order: VenueOrder) -> Sequence[VenueReport]:
        self.calls.append(("submit", order.client_order_id))
        self.submitted.append(order)
        answer = self.submits.popleft() if self.submits else "ok"
        if isinstance(answer, str) and answer in {"ok", "lost"}:
            self.orders.setdefault(order.client_order_id, [accepted(order.client_order_id)])
        if answer == "lost":
            raise VenueOutcomeUnknownError("timeout")
        return self._play(answer, self.orders.get(order.client_order_id, []))

    async def find(self, sought: Sought) -> Sequence[VenueReport]:
        self.calls.append(("find", sought.client_order_id))
        return self._play(self.finds.popleft() if self.finds else "ok", self.orders.get(sought.client_order_id, []))

    async def replace(self, replacement: VenueReplacement) -> Sequence[VenueReport]:
        self.calls.append(("replace", f"{replacement.client_order_id}.{replacement.number}"))
        self.replacements.append(replacement)
        answer = self.replaces.popleft() if self.replaces else "ok"
        known = self.orders.setdefault(replacement.client_order_id, [accepted(replacement.client_order_id)])
        if isinstance(answer, str) and answer in {"ok", "lost"}:
            before = [each.terms for each in known if each.terms]
            known.append(replaced(replacement, *before[-1:]))
        if answer == "lost":
            raise VenueOutcomeUnknownError("timeout")
        return self._play(answer, known)

    async def working_orders(self) -> Sequence[WorkingOrder]:
        self.calls.append(("working", ""))
        if self.working_errors:
            raise self.working_errors.popleft()
        shown = [_shown(order_id, reports) for order_id, reports in self.orders.items()]
        return [*(order for order in shown if order is not None), *self.working.values()]

    async def executions(self, after: datetime) -> Sequence[VenueReport]:
        self.calls.append(("executions", after.isoformat()))
        return list(self.executed)

    async def client_order_id(self, venue_order_id: str) -> OrderId | None:
        self.calls.append(("whose", venue_order_id))
        return self.owners.get(venue_order_id)

    async def cancel(self, venue_order_id: str) -> None:
        self.calls.append(("cancel", venue_order_id))
        self._play(self.cancels.popleft() if self.cancels else "ok", [])

    async def reports(self) -> AsyncIterator[VenueReport]:
        while True:
            said = await self.stream.get()
            if isinstance(said, Exception):
                raise said
            if said is None:
                return
            yield said

    async def instruments(self) -> Sequence[Instrument]:
        return ()

    def _play(self, answer: Answer, usual: Sequence[VenueReport]) -> Sequence[VenueReport]:
        if isinstance(answer, Exception):
            raise answer
        return list(usual) if isinstance(answer, str) else answer

    def count(self, call: str) -> int:
        return sum(1 for name, _ in self.calls if name == call)


def accepted(order_id: OrderId) -> VenueReport:
    return VenueReport(client_order_id=order_id, venue_order_id=f"v-{order_id}", status="accepted")


TEN_AT_100 = VenueTerms(Quantity(Decimal(10)), HUNDRED, None)


def replaced(replacement: VenueReplacement, before: VenueTerms = TEN_AT_100) -> VenueReport:
    """The order works on under a new id."""
    return VenueReport(
        client_order_id=replacement.client_order_id,
        venue_order_id=f"v-{replacement.client_order_id}.{replacement.number}",
        status="replaced",
        replacement=replacement.number,
        terms=VenueTerms(
            quantity=replacement.quantity or before.quantity,
            price=replacement.price or before.price,
            stop_price=replacement.stop_price or before.stop_price,
        ),
    )


def _shown(order_id: OrderId, reports: Sequence[VenueReport]) -> WorkingOrder | None:
    """What a list of working orders shows of an order with these reports."""
    filled = int(sum(report.fill.quantity for report in reports if report.fill))
    terms = [report.terms for report in reports if report.terms] or [TEN_AT_100]
    if filled >= terms[-1].quantity or {"cancelled", "expired", "rejected"} & {report.status for report in reports}:
        return None
    shown = working(order_id, filled=filled, venue_order_id=reports[-1].venue_order_id)
    return replace(shown, terms=terms[-1])


def working(
    order_id: OrderId, quantity: int = 10, filled: int = 0, venue_order_id: str | None = None, price: int = 100
) -> WorkingOrder:
    return WorkingOrder(
        client_order_id=order_id,
        venue_order_id=venue_order_id or f"v-{order_id}",
        symbol="ACME",
        side=Side.BUY,
        status="new",
        terms=VenueTerms(Quantity(Decimal(quantity)), Price(Decimal(price)), None),
        filled_quantity=Decimal(filled),
        submitted_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )


def filled(order_id: OrderId, quantity: int, fill_id: str = "f-1", price: int = 100) -> VenueReport:
    fill = VenueFill(
        fill_id=FillId(fill_id),
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)),
        commission=Money(Decimal(0)),
        executed_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )
    return VenueReport(client_order_id=order_id, venue_order_id=f"v-{order_id}", status="filled", fill=fill)


def ended(order_id: OrderId, status: str, reason: str = "") -> VenueReport:
    return VenueReport(client_order_id=order_id, venue_order_id=f"v-{order_id}", status=status, reason=reason)


def trading_on(store: EventStore, sequencer: Sequencer, ids: CountingIds | None = None) -> Trading:
    return Trading(sequencer, store, Acme(), ids or CountingIds(), FastClock())


async def fund(trading: Trading, amount: int = 100_000, trader_id: TraderId = ALICE) -> None:
    await trading.move_cash(trader_id, Deposit(Money(Decimal(amount))), CALLER)


async def report(trading: Trading, order_id: OrderId, fact: OrderReport) -> Outcome:
    """Record a fact about an order."""
    snapshot = await trading.order(order_id)
    assert snapshot is not None
    return await trading.report(snapshot.state.terms, [fact], CALLER)


async def cancel(trading: Trading, order_id: OrderId, trader_id: TraderId = ALICE) -> Snapshot[Order]:
    """What alice, or another trader, does to take an order back."""
    return await trading.change(trader_id, order_id, CancelOrder(), CALLER)


async def names(store: EventStore) -> list[str]:
    """The types of all events in the log, in order, without those of accounts."""
    events = await store.read(0, 10_000)
    return [type(each.event).__name__ for each in events if each.stream_id.startswith("order-")]


async def until(store: EventStore, *last: str) -> list[str]:
    """Wait until the order events end like this, and return them all."""
    for _ in range(2000):
        found = await names(store)
        if tuple(found[-len(last) :]) == last:
            return found
        await asyncio.sleep(0.001)
    raise AssertionError(f"the log ends with {found}, not with {last}")


def state(order: Order) -> tuple[str, Decimal, tuple[str, ...]]:
    return order.status.value, order.filled_quantity, order.flags
