"""The open orders as the log leaves them, kept in memory by following it."""

from collections.abc import Iterator, Sequence
from typing import cast

from application.snapshots import Snapshot, advanced, empty
from domain.aggregates import State
from domain.events import OrderAccepted, OrderPlaced, RecordedEvent
from domain.order import Order
from domain.values import OrderId, exactly


class OpenOrders:
    """Orders that are not over. Those that were open before are known by their ids until they are loaded.

    What happens to an order is folded when somebody looks at it: most are over before anybody does.
    """

    def __init__(self) -> None:
        self._orders: dict[OrderId, Snapshot[Order] | None] = {}
        self._since: dict[OrderId, list[RecordedEvent]] = {}
        self._waiting: set[OrderId] = set()

    def __contains__(self, order_id: OrderId) -> bool:
        return order_id in self._orders

    def expect(self, order_id: OrderId) -> None:
        """An order is open that has not been loaded yet."""
        self._orders.setdefault(order_id, None)

    def loaded(self, snapshot: Snapshot[Order]) -> None:
        """An open order as it was loaded from the log; what is known already may be newer."""
        order_id = snapshot.state.order_id
        known = self.order(order_id)
        if not snapshot.state.is_over and (known is None or known.version < snapshot.version):
            self._orders[order_id] = snapshot
            self._waiting.add(order_id)

    def follow(self, order_id: OrderId, recorded: RecordedEvent) -> OrderPlaced | None:
        """Take note of one more event of the log.

        Returns:
            The terms of the order; None if it has not been loaded yet, or was over before.
        """
        known = self._orders.get(order_id)
        if known is not None:
            self._since.setdefault(order_id, []).append(recorded)
            if isinstance(recorded.event, OrderAccepted):
                self._waiting.discard(order_id)
        elif recorded.version == 1:
            known = self._orders[order_id] = _folded(empty(recorded.stream_id), [recorded])
            self._waiting.add(order_id)
        return known and known.state.terms

    def over(self, order_id: OrderId) -> None:
        """The order is over."""
        self._orders.pop(order_id, None)
        self._since.pop(order_id, None)
        self._waiting.discard(order_id)

    @property
    def waiting(self) -> int:
        """How many of those that are loaded the venue has not acknowledged; a leg goes there with its other exit."""
        self._waiting = {order_id for order_id in self._waiting if _waits(self.order(order_id))}
        return len(self._waiting)

    def order(self, order_id: OrderId) -> Snapshot[Order] | None:
        """The order, None if it is over or has not been loaded yet."""
        known = self._orders.get(order_id)
        if known is not None and order_id in self._since:
            known = self._orders[order_id] = _folded(known, self._since.pop(order_id))
        return known

    def ids(self) -> Sequence[OrderId]:
        """All open orders, loaded or not."""
        return list(self._orders)

    def expect_legs(self) -> bool:
        """Whether the venue may have a leg of ours whose name for it has not reached us yet.

        It may have been sent already when that has not been followed, and what is not loaded yet may be one.
        """
        return any(
            (snapshot := self.order(order_id)) is None or (snapshot.state.is_leg and not snapshot.state.is_acknowledged)
            for order_id in self._orders
        )

    def all(self) -> Iterator[Snapshot[Order]]:
        """All open orders that are loaded, in the order in which they became known."""
        return (snapshot for order_id in self.ids() if (snapshot := self.order(order_id)) is not None)


def _folded(snapshot: Snapshot[State], events: Sequence[RecordedEvent]) -> Snapshot[Order]:
    with exactly():
        return cast("Snapshot[Order]", advanced(snapshot, events))


def _waits(snapshot: Snapshot[Order] | None) -> bool:
    return snapshot is not None and not (snapshot.state.is_there or snapshot.state.is_leg)
