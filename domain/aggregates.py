"""Which aggregate a stream holds, and how one event changes it."""

from collections.abc import Callable, Mapping
from dataclasses import field
from types import MappingProxyType, NoneType
from typing import Any, NamedTuple, get_args

from domain import account as accounts
from domain import halts, rollout
from domain import order as orders
from domain.account import Account
from domain.events import (
    HALTS_STREAM,
    ROLLOUT_STREAM,
    AccountEvent,
    Event,
    HaltEvent,
    OrderEvent,
    ProjectionEvent,
    RolloutChanged,
    StreamId,
    UnknownOrderReported,
)
from domain.frozen import dataclass
from domain.halts import Halts
from domain.order import BrokenHistoryError, Order
from domain.rollout import Rollout

FOLD_VERSION = 1
"""To be raised when ``evolve`` makes another state of the same events: then states that were written down are folded anew."""


@dataclass(frozen=True, slots=True)
class VenueBook:
    """What a venue said beyond our orders: each order that is not ours, as it was reported last."""

    unknown: Mapping[str, UnknownOrderReported] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class SkippedEvents:
    """What a read model does not apply: positions in the log."""

    positions: frozenset[int] = frozenset()


State = Order | Account | Halts | Rollout | VenueBook | SkippedEvents | None


def initial(stream_id: StreamId) -> State:
    """The state before the first event: an order does not exist, everything else is there from the start."""
    if stream_id.startswith("order-"):
        return None
    if stream_id.startswith("account-"):
        return Account()
    if stream_id.startswith("projection-"):
        return SkippedEvents()
    if stream_id == HALTS_STREAM:
        return Halts()
    if stream_id == ROLLOUT_STREAM:
        return Rollout()
    return VenueBook() if stream_id.startswith("venue-") else None


def _look_at_venue(book: VenueBook, event: UnknownOrderReported) -> VenueBook:
    return VenueBook(MappingProxyType({**book.unknown, event.venue_order_id: event}))


def _skip(skipped: SkippedEvents, event: ProjectionEvent) -> SkippedEvents:
    return SkippedEvents(skipped.positions | {event.position})


class _Fold(NamedTuple):
    """The events of a kind of stream, how they change its state, and what it is called."""

    events: frozenset[type[Event]]
    evolve: Callable[[Any, Any], State]
    name: str


_ORDERS = _Fold(frozenset(get_args(OrderEvent)), orders.evolve, "an order's stream")
_FOLDS: Mapping[type[State], _Fold] = {
    NoneType: _ORDERS,
    Order: _ORDERS,
    Account: _Fold(frozenset(get_args(AccountEvent)), accounts.evolve, "an account's stream"),
    Halts: _Fold(frozenset(get_args(HaltEvent)), halts.evolve, "the stream of halts"),
    Rollout: _Fold(frozenset({RolloutChanged}), rollout.evolve, "the stream of the rollout"),
    VenueBook: _Fold(frozenset({UnknownOrderReported}), _look_at_venue, "a venue's stream"),
    SkippedEvents: _Fold(frozenset({ProjectionEvent}), _skip, "a projection's stream"),
}


def evolve(state: State, event: Event) -> State:
    """The state after the event.

    Raises:
        BrokenHistoryError: the event belongs to another kind of stream, or cannot have followed the ones before it.
    """
    events, change, name = _FOLDS[type(state)]
    if type(event) not in events:
        raise BrokenHistoryError(f"{type(event).__name__} in {name}")
    return change(state, event)
