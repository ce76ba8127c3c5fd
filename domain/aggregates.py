"""Which aggregate a stream holds, and how one event changes it."""

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType

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


def evolve(state: State, event: Event) -> State:
    """The state after the event.

    Raises:
        BrokenHistoryError: the event belongs to another kind of stream, or cannot have followed the ones before it.
    """
    if state is None or isinstance(state, Order):
        if not isinstance(event, OrderEvent):
            raise BrokenHistoryError(f"{type(event).__name__} in an order's stream")
        return orders.evolve(state, event)
    if isinstance(state, Account):
        if not isinstance(event, AccountEvent):
            raise BrokenHistoryError(f"{type(event).__name__} in an account's stream")
        return accounts.evolve(state, event)
    if isinstance(state, Halts):
        if not isinstance(event, HaltEvent):
            raise BrokenHistoryError(f"{type(event).__name__} in the stream of halts")
        return halts.evolve(state, event)
    if isinstance(state, Rollout):
        if not isinstance(event, RolloutChanged):
            raise BrokenHistoryError(f"{type(event).__name__} in the stream of the rollout")
        return rollout.evolve(state, event)
    if isinstance(state, VenueBook):
        if not isinstance(event, UnknownOrderReported):
            raise BrokenHistoryError(f"{type(event).__name__} in a venue's stream")
        return VenueBook(MappingProxyType({**state.unknown, event.venue_order_id: event}))
    if not isinstance(event, ProjectionEvent):
        raise BrokenHistoryError(f"{type(event).__name__} in a projection's stream")
    return SkippedEvents(state.positions | {event.position})
