"""One asset with all that belongs to its trading."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from infrastructure.exchanges.paper.assets import Asset
from infrastructure.exchanges.paper.book import Book
from infrastructure.exchanges.paper.house import House

NEVER: Final = datetime.min.replace(tzinfo=UTC)


class LastTrade(Struct, frozen=True):
    """The latest trade of an asset; a move of the reference price counts as one of the house with itself."""

    number: int
    price: Decimal
    quantity: Decimal
    at: datetime


class Market:
    """One asset with its book, its house and its latest trade."""

    def __init__(self, asset: Asset) -> None:
        self.asset = asset
        self.book = Book(asset.opening_price)
        self.house = House(self.book, asset)
        self.last_trade = LastTrade(0, asset.opening_price, asset.house_quantity, NEVER)

    def note_trade(self, price: Decimal, quantity: Decimal, at: datetime) -> None:
        """Remember a trade as the latest."""
        self.last_trade = LastTrade(self.last_trade.number + 1, price, quantity, at)
