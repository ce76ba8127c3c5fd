"""Which aggregate a stream holds, and how one event changes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from domain import account as accounts
from domain import order as orders
from domain.account import Account
from domain.events import AccountEvent, Event, OrderEvent, StreamId, UnknownOrderReported
from domain.order import BrokenHistoryError, Order


@dataclass(frozen=True, slots=True)
class VenueBook:
    """What a venue said beyond our orders: each order that is not ours, as it was reported last."""

    unknown: Mapping[str, UnknownOrderReported] = field(default_factory=lambda: MappingProxyType({}))


State = Order | Account | VenueBook | None


def initial(stream_id: StreamId) -> State:
    """The state before the first event: accounts and venues exist from the start, an order does not."""
    if stream_id.startswith("account-"):
        return Account()
    return VenueBook() if stream_id.startswith("venue-") else None


def evolve(state: State, event: Event) -> State:
    """The state after the event.

    Raises:
        BrokenHistoryError: the event belongs to another kind of stream, or cannot have followed the ones before it.
    """
    if isinstance(state, Account):
        if not isinstance(event, AccountEvent):
            raise BrokenHistoryError(f"{type(event).__name__} in an account's stream")
        return accounts.evolve(state, event)
    if isinstance(state, VenueBook):
        if not isinstance(event, UnknownOrderReported):
            raise BrokenHistoryError(f"{type(event).__name__} in a venue's stream")
        return VenueBook(MappingProxyType({**state.unknown, event.venue_order_id: event}))
    if not isinstance(event, OrderEvent):
        raise BrokenHistoryError(f"{type(event).__name__} in an order's stream")
    return orders.evolve(state, event)
