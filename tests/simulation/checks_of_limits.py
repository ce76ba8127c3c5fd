"""What must be true of limits: what was asked for was within those that held then, whoever decided. Sentences say what is not.

Everything is counted here anew, from what is recorded; clocks that were set are given the benefit of the doubt.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from domain.account import Account
from domain.events import (
    FundsReserved,
    OrderPlaced,
    OrderReplaced,
    OrderReplaceRequested,
    RecordedEvent,
    ReservationChanged,
    SharesReserved,
    account_stream,
)
from domain.limits import DEFAULTS, Limits
from domain.values import ZERO, TraderId, exactly
from tests.simulation.evidence import Evidence

_SECOND = timedelta(seconds=0.99)
_HOUR = timedelta(hours=1)

Asked = FundsReserved | SharesReserved | ReservationChanged
Wish = OrderPlaced | OrderReplaceRequested | OrderReplaced


def no_order_passes_a_limit(evidence: Evidence) -> Iterator[str]:
    """Neither a new order nor other terms, from the commit of the limit on, in whichever process."""
    with exactly():
        for trader in evidence.world.traders:
            yield from _Walk(evidence, trader.trader_id).findings()


class _Walk:
    """Through the account of one trader, event by event."""

    def __init__(self, evidence: Evidence, trader_id: TraderId) -> None:
        self._evidence = evidence
        self._events = evidence.of_stream[account_stream(trader_id)]
        self._account = Account()
        self._asked: list[Asked] = []
        self._day = date.min
        self._today = ZERO

    def findings(self) -> Iterator[str]:
        for recorded in self._events:
            event = recorded.event
            if isinstance(event, Asked) and event.asked_at is not None:
                before, self._account = self._evidence.accounts_at(recorded)
                limits = DEFAULTS.with_own(before.limits)
                for name, found in self._passed(recorded, event, before, limits):
                    yield (
                        f"order {event.order_id} was let through at position {recorded.position} with {found}:"
                        f" {name} was {getattr(limits, name)}"
                    )

    def _passed(
        self, recorded: RecordedEvent, event: Asked, before: Account, limits: Limits
    ) -> Iterator[tuple[str, object]]:
        at, notional = event.asked_at, event.notional
        assert at is not None
        assert notional is not None
        self._asked.append(event)
        self._today = notional + (self._today if at.date() <= self._day else ZERO)
        self._day = max(self._day, at.date())
        if event.symbol in limits.restricted_symbols:
            yield "restricted_symbols", event.symbol
        pace = self._pace(at)
        if pace > limits.max_orders_per_second:
            yield "max_orders_per_second", pace
        if notional and self._today > limits.max_daily_notional:
            yield "max_daily_notional", self._today
        holding = self._account.holding(event.symbol)
        more = holding.working_buys - before.holding(event.symbol).working_buys
        if more > ZERO and holding.quantity + holding.working_buys > limits.max_position:
            yield "max_position", holding.quantity + holding.working_buys
        terms = self._wish(recorded)
        if (terms.price or ZERO) * terms.quantity > limits.max_order_notional and notional:
            yield "max_order_notional", f"{terms.quantity} at {terms.price}"
        if event.quantity > ZERO and terms.quantity > limits.max_order_quantity:
            yield "max_order_quantity", terms.quantity
        if isinstance(terms, OrderPlaced) and not isinstance(event, ReservationChanged):
            yield from self._passed_by_order(event, terms, before, limits)

    def _wish(self, recorded: RecordedEvent) -> Wish:
        """What was asked for when this was recorded beside it."""
        request_id = recorded.metadata.causation_id
        order_id = recorded.event.order_id  # type: ignore[union-attr] # it is one of those that have it
        events = (each for each in self._evidence.of_order(order_id) if each.metadata.causation_id == request_id)
        return next(each.event for each in events if isinstance(each.event, Wish))

    def _passed_by_order(
        self, event: FundsReserved | SharesReserved, terms: OrderPlaced, before: Account, limits: Limits
    ) -> Iterator[tuple[str, object]]:
        if before.open_orders >= limits.max_open_orders:
            yield "max_open_orders", before.open_orders + 1
        reference = terms.stop_price or terms.reference_price
        collar = (reference or ZERO) * (limits.price_collar_percent or ZERO) / 100
        if limits.price_collar_percent is not None and terms.price and abs(terms.price - (reference or ZERO)) > collar:
            yield "price_collar_percent", f"{terms.price} of {reference}"
        window = timedelta(seconds=limits.duplicate_window_seconds)
        if window and self._was_asked(event, terms, window):
            yield "duplicate_window_seconds", "the same terms"

    def _pace(self, at: datetime) -> int:
        """How many of the newest requests are of one second, this one included."""
        earliest = latest = at
        count = 0
        for each in reversed(self._asked):
            assert each.asked_at is not None
            earliest, latest = min(earliest, each.asked_at), max(latest, each.asked_at)
            if latest - earliest > _SECOND:
                break
            count += 1
        return count

    def _was_asked(self, event: FundsReserved | SharesReserved, terms: OrderPlaced, window: timedelta) -> bool:
        at = event.asked_at
        assert at is not None
        for each in self._asked[-2::-1]:
            assert each.asked_at is not None
            if abs(at - each.asked_at) >= min(window, _HOUR):
                return False
            if isinstance(each, ReservationChanged) or each.terms is None:
                continue
            if _same(self._evidence.orders[each.order_id].terms, terms):
                return True
        return False


def _same(one: OrderPlaced, other: OrderPlaced) -> bool:
    names = ("side", "quantity", "symbol", "order_type", "price", "stop_price", "time_in_force")
    return all(getattr(one, name) == getattr(other, name) for name in names)
