"""What can be traded here, in which increments, and at which price the venue opens."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from infrastructure.exchanges.paper.amounts import DECIMALS_MAX

_CENT = Decimal("0.01")
_HUNDREDTH_OF_A_CENT = Decimal("0.0001")
_DOLLAR = Decimal(1)
_FINEST = Decimal(1).scaleb(-DECIMALS_MAX)


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
        fractionable: Whether parts of it are traded.
        price_increment: Of a coin: prices are multiples of it. Those of stocks are the law's.
        min_trade_increment: Of a coin: quantities are multiples of it.
        min_order_size: Of a coin: no order is smaller.
        tradable: Whether orders are taken; an asset that is not stays listed.
    """

    id: str
    symbol: str
    name: str
    asset_class: Literal["us_equity", "crypto"]
    exchange: str
    opening_price: Decimal
    house_quantity: Decimal
    fractionable: bool = True
    price_increment: Decimal = _FINEST
    min_trade_increment: Decimal = _FINEST
    min_order_size: Decimal = _FINEST
    tradable: bool = True

    @property
    def joined_symbol(self) -> str:
        """The symbol without its slash, which is how positions in crypto are named."""
        return self.symbol.replace("/", "")

    @property
    def is_coin(self) -> bool:
        """Whether it is crypto, which says its increments itself."""
        return self.asset_class == "crypto"

    def increment_at(self, price: Decimal) -> Decimal:
        """What prices of this size are multiples of."""
        return self.price_increment if self.is_coin else quote_step(price)


def quote_step(price: Decimal) -> Decimal:
    """The distance between two of the house's quotes near `price`: a cent, or a hundredth of one under a dollar."""
    return _CENT if price >= _DOLLAR else _HUNDREDTH_OF_A_CENT


def _id(symbol: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"paper-venue/assets/{symbol}"))


def _equity(
    symbol: str, name: str, exchange: str, opening_price: str, *, fractionable: bool = True, tradable: bool = True
) -> Asset:
    return Asset(
        id=_id(symbol),
        symbol=symbol,
        name=name,
        asset_class="us_equity",
        exchange=exchange,
        opening_price=Decimal(opening_price),
        house_quantity=Decimal(1_000),
        fractionable=fractionable,
        tradable=tradable,
    )


def _coin(
    symbol: str,
    name: str,
    opening_price: str,
    *,
    tick: Decimal = _FINEST,
    lot: Decimal = _FINEST,
    least: Decimal = _FINEST,
) -> Asset:
    return Asset(
        id=_id(symbol),
        symbol=symbol,
        name=name,
        asset_class="crypto",
        exchange="CRYPTO",
        opening_price=Decimal(opening_price),
        house_quantity=Decimal(10),
        price_increment=tick,
        min_trade_increment=lot,
        min_order_size=least,
    )


ASSETS = (
    _equity("AAPL", "Apple Inc. Common Stock", "NASDAQ", "190.00"),
    _equity("AMZN", "Amazon.com, Inc. Common Stock", "NASDAQ", "185.00"),
    _equity("GOOG", "Alphabet Inc. Class C Capital Stock", "NASDAQ", "175.00"),
    _equity("MSFT", "Microsoft Corporation Common Stock", "NASDAQ", "420.00"),
    _equity("NVDA", "NVIDIA Corporation Common Stock", "NASDAQ", "130.00"),
    _equity("SPY", "SPDR S&P 500 ETF Trust", "ARCA", "585.00"),
    _equity("TSLA", "Tesla, Inc. Common Stock", "NASDAQ", "250.00"),
    _equity("BRK.A", "Berkshire Hathaway Inc. Class A", "NYSE", "700000.00", fractionable=False),
    _equity("TWTR", "Twitter, Inc. Common Stock (delisted)", "NYSE", "53.70", tradable=False),
    _coin("BTC/USD", "Bitcoin / US Dollar", "65000.00"),
    _coin(
        "ETH/USD",
        "Ethereum / US Dollar",
        "3500.00",
        tick=Decimal("0.1"),
        lot=Decimal("0.0001"),
        least=Decimal("0.001"),
    ),
)

_BY_NAME = {name: asset for asset in ASSETS for name in (asset.symbol, asset.joined_symbol, asset.id)}


def find_asset(name: str) -> Asset | None:
    """The asset of this symbol, with or without its slash, or of this asset id."""
    return _BY_NAME.get(name)
