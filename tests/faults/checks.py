"""What has to be true once everything is up again and quiet. Every check returns what is wrong, in sentences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from tests.faults.ledger import Ledger, LoggedOrder
from tests.faults.subscribers import Subscriber
from tests.faults.traders import Trader
from tests.faults.venue_books import VenueBooks, VenueOrder

ABSENT = "absent"
_AGREE = {
    "ACCEPTED": {"new", "accepted", "pending_new", "held"},
    "PARTIALLY_FILLED": {"partially_filled"},
    "FILLED": {"filled"},
    "CANCELLED": {"canceled", "expired", ABSENT},
    "EXPIRED": {"canceled", "expired"},
    "REJECTED": {"rejected", ABSENT},
}
"""What the venue may say of an order that we say this of. Whatever is not here is not settled yet."""


def under_way(ledger: Ledger) -> Iterator[str]:
    """Something is asked of the venue that it has not answered."""
    for order_id, order in ledger.orders.items():
        if order.status not in _AGREE:
            yield f"order {order_id} is {order.status} (attempt {order.attempts})"


def requests_and_log(traders: Sequence[Trader], ledger: Ledger) -> Iterator[str]:
    """Every order that was answered is in the log, and nothing else is: no answer was a lie, no retry a second order."""
    answered: Counter[str] = Counter()
    for trader in traders:
        yield from trader.tally.problems
        if trader.tally.unanswered:
            yield f"{trader.trader_id} has no answer to {sorted(trader.tally.unanswered)}"
        answered.update(trader.tally.accepted.values())
    for order_id, count in answered.items():
        if count > 1:
            yield f"{count} requests under different keys were answered with order {order_id}"
        if order_id not in ledger.orders:
            yield f"order {order_id} was answered and is not in the log"
    for order_id, order in ledger.orders.items():
        if order_id not in answered and not order.is_exit:
            yield f"order {order_id} is in the log, and nobody was told of it"


def log_and_venue(ledger: Ledger, venue: VenueBooks) -> Iterator[str]:
    """Each order is at the venue at most once, in the same state, with the same fills, each booked once."""

    def other_exit(order_id: str) -> str | None:
        order = ledger.orders.get(order_id)
        return order.placed["oco_order_id"] if order else None

    there = venue.lines(other_exit)
    for client_order_id in there.keys() - ledger.orders.keys():
        yield f"the venue has an order {client_order_id} that the log has not"
    for order_id, order in ledger.orders.items():
        yield from _order(order_id, order, there.get(order_id, []))
    booked = {(order_id, fill.id) for order_id, order in ledger.orders.items() for fill in order.fills}
    for (order_id, fill_id), count in ledger.booked.items():
        if count > 1:
            yield f"fill {fill_id} of order {order_id} changed the account {count} times"
        if (order_id, fill_id) not in booked:
            yield f"fill {fill_id} of order {order_id} changed the account and not the order"
    for order_id, fill_id in booked - ledger.booked.keys():
        yield f"fill {fill_id} of order {order_id} did not change the account"


def _order(order_id: str, order: LoggedOrder, line: Sequence[VenueOrder]) -> Iterator[str]:
    """One order of ours, and what the venue has of it: itself and whatever replaced it."""
    if sum(each.replaces is None for each in line) > 1:
        yield f"order {order_id} is at the venue several times: {line}"
    remaining = [each for each in line if each.status != "replaced"]
    if len(remaining) > 1:
        yield f"order {order_id} and what replaced it are both at the venue: {line}"
    last = remaining[0] if remaining else None
    status = last.status if last else ABSENT
    if status not in _AGREE.get(order.status, set()):
        yield f"order {order_id} is {order.status} (attempt {order.attempts}) in the log and {status} at the venue"
    if last and last.works and last.terms != order.terms:
        yield f"order {order_id} has the terms {order.terms} in the log and {last.terms} at the venue"
    theirs = Counter(fill for each in line for fill in each.fills)
    ours = Counter(order.fills)
    for fill in theirs - ours:
        yield f"fill {fill} of order {order_id} is not booked"
    for fill in ours - theirs:
        yield f"fill {fill} of order {order_id} is booked more often than the venue has it"
    total = sum((fill.quantity for fill in order.fills), Decimal(0))
    if total != order.cumulative or total != (last.filled if last else 0):
        found = last.filled if last else "nothing"
        yield f"order {order_id}: the fills make {total}, the log says {order.cumulative} and the venue {found}"


def exits(ledger: Ledger) -> Iterator[str]:
    """What was filled is protected, or its trader was told that it is not; no pair sells more than it protects."""
    protected: Counter[tuple[str, str]] = Counter()
    for order_id, order in ledger.orders.items():
        if not order.is_exit:
            continue
        protected[order.placed["parent_order_id"], order.placed["order_type"]] += int(order.placed["quantity"])
        other = ledger.orders.get(order.placed["oco_order_id"])
        if other is not None and order.cumulative + other.cumulative > Decimal(order.placed["quantity"]):
            yield f"exit {order_id} and its other exit sold more than there was to protect"
        if other is not None and order.is_over != other.is_over:
            yield f"exit {order_id} is {order.status}, and its other exit is {other.status}"
    for order_id, order in ledger.orders.items():
        if order.is_unprotected:
            continue
        for wish, order_type in (("stop_loss", "STOP"), ("take_profit", "LIMIT")):
            if order.placed[wish] is not None and protected[order_id, order_type] != order.cumulative:
                yield f"order {order_id} has filled {order.cumulative}: exits for {protected[order_id, order_type]}"


def money(
    ledger: Ledger, venue: VenueBooks, opening_cash: Decimal, accounts: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Cash, reservations and positions follow from deposits, fills and open orders, and add up to the venue's."""
    held: dict[str, Decimal] = {}
    spent = Decimal(0)
    for trader_id, account in accounts.items():
        books = ledger.traders[trader_id]
        reserved = sum(
            (order.reserved for order in ledger.orders.values() if order.placed["trader_id"] == trader_id), Decimal(0)
        )
        shown = {position["symbol"]: Decimal(position["quantity"]) for position in account["positions"]}
        shown = {symbol: quantity for symbol, quantity in shown.items() if quantity}
        mine = {symbol: quantity for symbol, quantity in books.held.items() if quantity}
        for what, expected, found in (
            ("cash", books.cash, Decimal(account["cash"])),
            ("reserved cash", reserved, Decimal(account["reserved"])),
            ("positions", mine, shown),
        ):
            if expected != found:
                yield f"{what} of {trader_id}: {expected} follows from the log, and the account says {found}"
        spent += books.deposited - books.cash
        for symbol, quantity in mine.items():
            held[symbol] = held.get(symbol, Decimal(0)) + quantity
    if venue.cash != opening_cash - spent:
        yield f"the traders have spent {spent}, and the venue's cash went from {opening_cash} to {venue.cash}"
    held = {symbol: quantity for symbol, quantity in held.items() if quantity}
    if held != venue.held:
        yield f"the traders hold {held}, and the venue {venue.held}"


def attempts(ledger: Ledger, submitted: Mapping[str, int]) -> Iterator[str]:
    """Nothing is sent to the venue that was not recorded as an attempt before."""
    for order_id, count in submitted.items():
        if "." in order_id:  # a replacement, under the name of the order and a number
            continue
        recorded = ledger.orders[order_id].attempts if order_id in ledger.orders else 0
        if count > recorded:
            yield f"order {order_id} was sent {count} times, of which {recorded} are in the log"


def streams(ledger: Ledger, subscribers: Sequence[Subscriber]) -> Iterator[str]:
    """Every subscriber has seen everything that was said of its trader, once and in order."""
    for subscriber in subscribers:
        told = ledger.traders[subscriber.trader_id].told
        if subscriber.seen == told:
            continue
        positions = [position for position, _ in subscriber.seen]
        if positions != sorted(set(positions)):
            yield f"the positions that {subscriber.name} saw do not rise"
        missed = sorted(set(told) - set(subscriber.seen))
        strange = sorted(set(subscriber.seen) - set(told))
        yield f"{subscriber.name} missed {missed[:5]} ({len(missed)}) and saw {strange[:5]} ({len(strange)}) for nothing"
