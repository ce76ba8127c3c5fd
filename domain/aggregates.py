"""Which aggregate a stream holds, and how one event changes it."""

from domain import account as accounts
from domain import order as orders
from domain.account import Account
from domain.events import Event, OrderEvent, StreamId
from domain.order import BrokenHistoryError, Order

State = Order | Account | None


def initial(stream_id: StreamId) -> State:
    """The state before the first event: an account exists from the start, an order does not."""
    return Account() if stream_id.startswith("account-") else None


def evolve(state: State, event: Event) -> State:
    """The state after the event.

    Raises:
        BrokenHistoryError: the event belongs to another kind of stream, or cannot have followed the ones before it.
    """
    if isinstance(state, Account):
        if isinstance(event, OrderEvent):
            raise BrokenHistoryError(f"{type(event).__name__} in an account's stream")
        return accounts.evolve(state, event)
    if not isinstance(event, OrderEvent):
        raise BrokenHistoryError(f"{type(event).__name__} in an order's stream")
    return orders.evolve(state, event)
