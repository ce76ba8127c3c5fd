"""One side of a book: price levels, best first, and in each level the orders by arrival."""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct


class Rest(Struct, frozen=True):
    """An order that rests at a price with a quantity still to trade."""

    id: str
    price: Decimal
    quantity: Decimal


class Ladder:
    """Price levels in order, each a queue.

    Finding the first order costs the same however many rest; adding one costs a binary search over the prices.

    Args:
        highest_first: Whether the highest price comes first (bids) or the lowest (asks).
    """

    def __init__(self, *, highest_first: bool) -> None:
        self._highest_first = highest_first
        self._levels: dict[Decimal, OrderedDict[str, Decimal]] = {}
        # Ascending, so that the first level is at the end, where a list grows and shrinks for free.
        self._keys: list[Decimal] = []

    def first(self) -> Rest | None:
        """The order that trades next, or None."""
        if not self._keys:
            return None
        price = self._key(self._keys[-1])
        order_id, quantity = next(iter(self._levels[price].items()))
        return Rest(order_id, price, quantity)

    def __iter__(self) -> Iterator[Rest]:
        for key in reversed(self._keys):
            price = self._key(key)
            for order_id, quantity in self._levels[price].items():
                yield Rest(order_id, price, quantity)

    def add(self, price: Decimal, order_id: str, quantity: Decimal) -> None:
        """Queue an order behind the others at its price."""
        level = self._levels.get(price)
        if level is None:
            level = self._levels[price] = OrderedDict()
            insort(self._keys, self._key(price))
        level[order_id] = quantity

    def quantity(self, price: Decimal, order_id: str) -> Decimal:
        """What the order at this price still wants; KeyError when it is not there."""
        return self._levels[price][order_id]

    def reduce(self, rest: Rest, quantity: Decimal) -> None:
        """Trade part or all of an order: a part keeps its place in the queue, all of it leaves."""
        if quantity == rest.quantity:
            self.remove(rest.price, rest.id)
        else:
            self._levels[rest.price][rest.id] = rest.quantity - quantity

    def resize(self, price: Decimal, order_id: str, quantity: Decimal) -> None:
        """Let an order want less, which keeps its place in the queue, or more, which puts it at the end."""
        level = self._levels[price]
        if quantity > level[order_id]:
            level.move_to_end(order_id)
        level[order_id] = quantity

    def remove(self, price: Decimal, order_id: str) -> Decimal:
        """Take an order out and return what it still wanted; KeyError when it is not there."""
        level = self._levels[price]
        quantity = level.pop(order_id)
        if not level:
            del self._levels[price]
            del self._keys[bisect_left(self._keys, self._key(price))]
        return quantity

    def _key(self, price: Decimal) -> Decimal:
        # Its own inverse, so that it turns a key back into a price as well.
        return price if self._highest_first else price.copy_negate()
