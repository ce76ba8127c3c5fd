"""The open orders as the log leaves them, kept in memory by following it."""

from collections.abc import Iterator, Sequence
from typing import cast

from application.snapshots import Snapshot, advanced, empty
from domain.events import RecordedEvent, order_stream
from domain.order import Order
from domain.values import OrderId, exactly


class OpenOrders:
    """Orders that are not over. Those that were open before are known by their ids until they are loaded."""

    def __init__(self) -> None:
        self._orders: dict[OrderId, Snapshot[Order] | None] = {}
        self._waiting: set[OrderId] = set()

    def __contains__(self, order_id: OrderId) -> bool:
        return order_id in self._orders

    def expect(self, order_id: OrderId) -> None:
        """An order is open that has not been loaded yet."""
        self._orders.setdefault(order_id, None)

    def loaded(self, snapshot: Snapshot[Order]) -> None:
        """An open order as it was loaded from the log; what is known already may be newer."""
        order_id = snapshot.state.order_id
        known = self._orders.get(order_id)
        if not snapshot.state.is_over and (known is None or known.version < snapshot.version):
            self._set(order_id, snapshot)

    def follow(self, order_id: OrderId, recorded: RecordedEvent) -> Snapshot[Order] | None:
        """The order after one more event of the log; None if it has not been loaded yet, or was over before."""
        known = self._orders.get(order_id)
        if known is None and recorded.version > 1:
            return None
        with exactly():
            snapshot = cast("Snapshot[Order]", advanced(known or empty(order_stream(order_id)), (recorded,)))
        self._set(order_id, snapshot)
        return snapshot

    def over(self, order_id: OrderId) -> None:
        """The order is over."""
        self._orders.pop(order_id, None)
        self._waiting.discard(order_id)

    @property
    def waiting(self) -> int:
        """How many of those that are loaded the venue has not acknowledged; a leg goes there with its other exit."""
        return len(self._waiting)

    def order(self, order_id: OrderId) -> Snapshot[Order] | None:
        """The order, None if it is over or has not been loaded yet."""
        return self._orders.get(order_id)

    def ids(self) -> Sequence[OrderId]:
        """All open orders, loaded or not."""
        return list(self._orders)

    def expect_legs(self) -> bool:
        """Whether the venue may have a leg of ours whose name for it has not reached us yet.

        It may have been sent already when that has not been followed, and what is not loaded yet may be one.
        """
        return any(
            snapshot is None or (snapshot.state.is_leg and not snapshot.state.is_acknowledged)
            for snapshot in self._orders.values()
        )

    def all(self) -> Iterator[Snapshot[Order]]:
        """All open orders that are loaded, in the order in which they became known."""
        return (snapshot for snapshot in list(self._orders.values()) if snapshot is not None)

    def _set(self, order_id: OrderId, snapshot: Snapshot[Order]) -> None:
        self._orders[order_id] = snapshot
        if snapshot.state.is_there or snapshot.state.is_leg:
            self._waiting.discard(order_id)
        else:
            self._waiting.add(order_id)
