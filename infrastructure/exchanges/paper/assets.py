"""What can be traded here, in which increments, and at which price the venue opens."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from infrastructure.exchanges.paper.amounts import DECIMALS_MAX

_CENT = Decimal("0.01")
_HUNDREDTH_OF_A_CENT = Decimal("0.0001")
_DOLLAR = Decimal(1)


@dataclass(frozen=True, slots=True)
class Asset:
    """One tradable instrument.

    Attributes:
        id: Its UUID, the same in every venue and after every restart.
        symbol: The name orders use, such as `AAPL` or `BTC/USD`.
        name: The name people use.
        asset_class: `us_equity` or `crypto`.
        exchange: The listing exchange, as Alpaca writes it.
        opening_price: The reference price of a venue that has never traded, in US dollars.
        house_quantity: What the house offers at its best price; each level behind it offers as much more.
    """

    id: str
    symbol: str
    name: str
    asset_class: Literal["us_equity", "crypto"]
    exchange: str
    opening_price: Decimal
    house_quantity: Decimal

    @property
    def joined_symbol(self) -> str:
        """The symbol without its slash, which is how positions in crypto are named."""
        return self.symbol.replace("/", "")

    def price_decimals(self, price: Decimal) -> int:
        """How many decimals a price of this size may have."""
        if self.asset_class == "crypto":
            return DECIMALS_MAX
        return 2 if price >= _DOLLAR else 4


def quote_step(price: Decimal) -> Decimal:
    """The distance between two of the house's quotes near `price`: a cent, or a hundredth of one under a dollar."""
    return _CENT if price >= _DOLLAR else _HUNDREDTH_OF_A_CENT


def _id(symbol: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"paper-venue/assets/{symbol}"))


def _equity(symbol: str, name: str, exchange: str, opening_price: str) -> Asset:
    return Asset(_id(symbol), symbol, name, "us_equity", exchange, Decimal(opening_price), Decimal(1_000))


def _coin(symbol: str, name: str, opening_price: str) -> Asset:
    return Asset(_id(symbol), symbol, name, "crypto", "CRYPTO", Decimal(opening_price), Decimal(10))


ASSETS = (
    _equity("AAPL", "Apple Inc. Common Stock", "NASDAQ", "190.00"),
    _equity("AMZN", "Amazon.com, Inc. Common Stock", "NASDAQ", "185.00"),
    _equity("GOOG", "Alphabet Inc. Class C Capital Stock", "NASDAQ", "175.00"),
    _equity("MSFT", "Microsoft Corporation Common Stock", "NASDAQ", "420.00"),
    _equity("NVDA", "NVIDIA Corporation Common Stock", "NASDAQ", "130.00"),
    _equity("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "585.00"),
    _equity("TSLA", "Tesla, Inc. Common Stock", "NASDAQ", "250.00"),
    _coin("BTC/USD", "Bitcoin / US Dollar", "65000.00"),
)

_BY_NAME = {name: asset for asset in ASSETS for name in (asset.symbol, asset.joined_symbol, asset.id)}


def find_asset(name: str) -> Asset | None:
    """The asset of this symbol, with or without its slash, or of this asset id."""
    return _BY_NAME.get(name)
