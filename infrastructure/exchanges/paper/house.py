"""The house: a market maker that always quotes around the reference price of one book.

Five levels on each side, one step apart, each larger than the one before it. What was taken from a quote is put back
as soon as an order has been executed, at the end of the queue. The house never trades on its own initiative, with one
exception: when the reference price moves, it takes every order that its new quotes would cross.
"""

from decimal import Decimal
from typing import Final

from infrastructure.exchanges.paper.amounts import ZERO
from infrastructure.exchanges.paper.assets import Asset, quote_step
from infrastructure.exchanges.paper.book import Book, Lifetime, Side, Ticket, Trade

LEVELS: Final = 5

_ALL_OF_IT: Final = Decimal("Infinity")


class House:
    """The market maker of one book.

    Args:
        book: Where it quotes.
        asset: What it quotes; the sizes come from here.
    """

    def __init__(self, book: Book, asset: Asset) -> None:
        self._book = book
        self._asset = asset
        self._quotes = self._quotes_around(asset.opening_price)
        self.replenish()

    def replenish(self) -> None:
        """Bring every quote back to its full size, except where it would cross an order of the account."""
        for quote in self._quotes:
            if self._book.leaves(quote.id) == quote.quantity:
                continue
            if quote.id in self._book:
                self._book.cancel(quote.id)
            if self._book.depth(quote) == ZERO:
                self._book.submit(quote)

    def move(self, price: Decimal) -> list[Trade]:
        """Quote around a new reference price, which becomes the last price of the book.

        Returns:
            The trades with the orders that the new quotes crossed.
        """
        for quote in self._quotes:
            if quote.id in self._book:
                self._book.cancel(quote.id)
        self._quotes = self._quotes_around(price)
        trades = [trade for quote in self._quotes for trade in self._sweep(quote)]
        self.replenish()
        self._book.last_price = price
        return trades

    def _sweep(self, quote: Ticket) -> list[Trade]:
        sweep = Ticket(quote.id, quote.side, _ALL_OF_IT, Lifetime.IOC, quote.limit)
        return [outcome for outcome in self._book.submit(sweep) if isinstance(outcome, Trade)]

    def _quotes_around(self, price: Decimal) -> list[Ticket]:
        step = quote_step(price)
        ladder = [
            (Ticket(f"house-{side}-{level}", side, self._asset.house_quantity * level, Lifetime.GTC, limit))
            for level in range(1, LEVELS + 1)
            for side, limit in ((Side.BUY, price - step * level), (Side.SELL, price + step * level))
        ]
        return [quote for quote in ladder if quote.limit is not None and quote.limit > ZERO]
