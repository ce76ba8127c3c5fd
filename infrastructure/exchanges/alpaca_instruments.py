"""What the venue trades, and its last prices.

Thousands of assets come in one answer each for stocks and for crypto. Prices are asked for in chunks of symbols, a few
requests at a time, so that orders still find a free connection. A price that cannot be had is a price not known.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
import structlog

from application.venue import (
    Instrument,
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueUnreachableError,
)
from domain.instruments import SymbolRules, us_equity
from domain.refusals import InvalidPrice, InvalidQuantity, InvalidSymbol
from domain.values import Price, Symbol, parse_price, parse_quantity, parse_symbol
from infrastructure.exchanges.alpaca_http import AlpacaHttp
from infrastructure.exchanges.alpaca_reading import Moment, UnreadableError, decoded, raw_text, utc

SYMBOLS_PER_REQUEST: Final = 500
REQUESTS_AT_A_TIME: Final = 4
_LATEST_TRADES: Final = {"us_equity": "/v2/stocks/trades/latest", "crypto": "/v1beta3/crypto/us/latest/trades"}

_Price = tuple[Price, datetime | None]

log = structlog.get_logger(__name__)


class _Asset(msgspec.Struct):
    symbol: str
    asset_class: str | None = msgspec.field(name="class", default=None)
    name: str | None = None
    tradable: bool | None = None
    fractionable: bool | None = None
    min_order_size: Decimal | None = None
    min_trade_increment: Decimal | None = None
    price_increment: Decimal | None = None


class _Trade(msgspec.Struct):
    p: Decimal
    t: Moment | None = None


class _Trades(msgspec.Struct):
    trades: dict[str, msgspec.Raw]


async def read_instruments(http: AlpacaHttp, base_url: str, data_url: str) -> list[Instrument]:
    """All active stocks and crypto pairs; those that trade have their last price, where it can be had.

    Raises:
        VenueRefusedError, VenueBusyError, VenueUnreachableError, VenueOutcomeUnknownError: no list could be had.
    """
    found: list[Instrument] = []
    for asset_class, path in _LATEST_TRADES.items():
        assets = await _assets(http, base_url, asset_class)
        prices = await _prices(http, f"{data_url}{path}", [asset.symbol for asset in assets if asset.tradable])
        found.extend(_priced(asset, prices.get(asset.symbol)) for asset in assets)
    return found


async def _assets(http: AlpacaHttp, base_url: str, asset_class: str) -> list[Instrument]:
    answer = await http.send("GET", f"{base_url}/v2/assets", params={"status": "active", "asset_class": asset_class})
    if answer.refused:
        raise answer.refusal()
    assets = [_asset(raw, asset_class) for raw in decoded(answer.body, list[msgspec.Raw])]
    return [asset for asset in assets if asset is not None]


def _asset(raw: msgspec.Raw, asset_class: str) -> Instrument | None:
    """The asset; None where it cannot be read, was not asked for, or has a name that no order could use here."""
    try:
        asset = decoded(raw, _Asset)
        symbol = parse_symbol(asset.symbol)
        rules = _rules(asset, asset_class)
    except (UnreadableError, InvalidSymbol, InvalidPrice, InvalidQuantity):
        log.debug("venue_asset_left_out", raw=raw_text(raw))
        return None
    if asset.asset_class not in {None, asset_class}:
        return None
    return Instrument(
        symbol=symbol,
        name=asset.name or symbol,
        tradable=bool(asset.tradable),
        fractionable=bool(asset.fractionable),
        reference_price=None,
        price_at=None,
        rules=rules,
    )


def _rules(asset: _Asset, asset_class: str) -> SymbolRules:
    """What Alpaca takes orders for: it says the increments of crypto, and those of stocks are the law's.

    Raises:
        InvalidPrice, InvalidQuantity: an increment is none.
    """
    if asset_class != "crypto":
        return us_equity(fractionable=bool(asset.fractionable))
    tick = None if asset.price_increment is None else parse_price(asset.price_increment, "price_increment")
    return SymbolRules(
        tick_size=tick,
        tick_size_below_dollar=tick,
        lot_size=None if asset.min_trade_increment is None else parse_quantity(asset.min_trade_increment),
        min_quantity=None if asset.min_order_size is None else parse_quantity(asset.min_order_size),
    )


async def _prices(http: AlpacaHttp, url: str, symbols: Sequence[Symbol]) -> dict[str, _Price]:
    gate = asyncio.Semaphore(REQUESTS_AT_A_TIME)

    async def chunk(start: int) -> dict[str, _Price]:
        wanted = ",".join(symbols[start : start + SYMBOLS_PER_REQUEST])
        async with gate:
            try:
                answer = await http.send("GET", url, params={"symbols": wanted})
                if answer.refused:
                    raise answer.refusal()
                return _read_prices(answer.body)
            except (VenueRefusedError, VenueBusyError, VenueUnreachableError, VenueOutcomeUnknownError) as error:
                log.warning("venue_prices_missing", url=url, symbols=wanted[:100], problem=str(error))
                return {}

    chunks = await asyncio.gather(*map(chunk, range(0, len(symbols), SYMBOLS_PER_REQUEST)))
    return {symbol: price for prices in chunks for symbol, price in prices.items()}


def _read_prices(body: bytes) -> dict[str, _Price]:
    prices: dict[str, _Price] = {}
    for symbol, raw in decoded(body, _Trades).trades.items():
        try:
            trade = decoded(raw, _Trade)
            prices[symbol] = (parse_price(trade.p), None if trade.t is None else utc(trade.t))
        except (UnreadableError, InvalidPrice):
            log.warning("venue_price_unreadable", symbol=symbol, raw=raw_text(raw))
    return prices


def _priced(asset: Instrument, price: _Price | None) -> Instrument:
    return asset if price is None else replace(asset, reference_price=price[0], price_at=price[1])
