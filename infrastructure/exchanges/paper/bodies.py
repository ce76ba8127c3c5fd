"""The JSON bodies that clients send, taken apart with suspicion: each becomes a command, or a refusal."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from infrastructure.exchanges.paper.amounts import DECIMALS_MAX, PRICE_MAX, QUANTITY_MAX, ZERO, fits, plain
from infrastructure.exchanges.paper.assets import find_asset
from infrastructure.exchanges.paper.book import Lifetime, Side
from infrastructure.exchanges.paper.commands import Bust, Correct, MovePrice, OrderType, Place, Replace, StopLeg
from infrastructure.exchanges.paper.refusals import AssetNotTradable, NotUnderstood
from infrastructure.exchanges.paper.requests import wanted_asset

CLIENT_ORDER_ID_LENGTH_MAX: Final = 128

_TimeInForce = Literal["day", "gtc", "ioc", "fok", "opg", "cls"]


class TakeProfit(msgspec.Struct, forbid_unknown_fields=True):
    """Where a pair takes its profit: the limit price of its main order."""

    limit_price: Decimal


class StopLoss(msgspec.Struct, forbid_unknown_fields=True):
    """Where a pair stops its loss: the stop price of its leg."""

    stop_price: Decimal
    limit_price: object = None


class PlaceBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /v2/orders`. Fields without a use here are listed so that they can be refused by name."""

    symbol: str
    side: Side
    type: OrderType
    time_in_force: _TimeInForce
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str | None = None
    extended_hours: bool | None = None
    order_class: str | None = None
    position_intent: str | None = None
    notional: object = None
    trail_price: object = None
    trail_percent: object = None
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    legs: object = None

    def command(self, at: datetime, new_id: Callable[[], str], rejected_because: str = "") -> Place:
        """The order as the exchange takes it, or rejects it; the ids it does not have are made.

        Raises:
            NotUnderstood: It lacks something, or asks for something this venue does not have.
            AssetNotTradable: Its symbol is not traded here.
        """
        for name in ("notional", "trail_price", "trail_percent", "legs"):
            if getattr(self, name) is not None:
                raise NotUnderstood(f"{name} is not supported")
        asset = find_asset(self.symbol)
        if asset is None:
            raise AssetNotTradable(f'asset "{self.symbol}" not found')
        if self.qty is None:
            raise NotUnderstood("qty is required")
        limit_price, stop_loss = self._exit_prices()
        self._check_prices(limit_price)
        return Place(
            at=at,
            id=new_id(),
            client_order_id=_client_order_id(self.client_order_id) or new_id(),
            symbol=asset.symbol,
            side=self.side,
            type=self.type,
            quantity=_quantity(self.qty),
            time_in_force=_lifetime(self.time_in_force),
            limit_price=limit_price,
            stop_price=_optional_price("stop price", self.stop_price),
            extended_hours=bool(self.extended_hours),
            rejected_because=rejected_because,
            leg=None if stop_loss is None else StopLeg(new_id(), new_id(), stop_loss),
        )

    def _exit_prices(self) -> tuple[Decimal | None, Decimal | None]:
        """The limit price, and the stop price of the leg where the order is one of a pair."""
        limit_price = _optional_price("limit price", self.limit_price)
        match self.order_class:
            case None | "" | "simple":
                for name in ("take_profit", "stop_loss"):
                    if getattr(self, name) is not None:
                        raise NotUnderstood(f"{name} requires the order_class oco")
                return limit_price, None
            case "oco":
                return self._pair_prices(limit_price)
            case _:
                raise NotUnderstood(f"order_class {self.order_class} is not supported, only simple and oco are")

    def _pair_prices(self, limit_price: Decimal | None) -> tuple[Decimal, Decimal]:
        if self.stop_loss is None:
            raise NotUnderstood("oco orders require stop_loss.stop_price")
        if self.stop_loss.limit_price is not None:
            raise NotUnderstood("stop_loss.limit_price is not supported: the leg is a stop order")
        if self.type is not OrderType.LIMIT:
            raise NotUnderstood("oco orders must be limit orders")
        if self.time_in_force not in {Lifetime.DAY, Lifetime.GTC}:
            raise NotUnderstood("oco orders require a time_in_force of day or gtc")
        take_profit = limit_price if self.take_profit is None else _price("limit price", self.take_profit.limit_price)
        if take_profit is None:
            raise NotUnderstood("oco orders require take_profit.limit_price")
        if limit_price not in {None, take_profit}:
            raise NotUnderstood("limit_price and take_profit.limit_price are not the same")
        stop_loss = _price("stop price", self.stop_loss.stop_price)
        if self.side is Side.SELL and take_profit <= stop_loss:
            raise NotUnderstood("take_profit.limit_price must be > stop_loss.stop_price")
        if self.side is Side.BUY and take_profit >= stop_loss:
            raise NotUnderstood("take_profit.limit_price must be < stop_loss.stop_price")
        return take_profit, stop_loss

    def _check_prices(self, limit_price: Decimal | None) -> None:
        required = {
            OrderType.MARKET: "market orders require no stop or limit price",
            OrderType.LIMIT: "limit orders require a limit price and no stop price",
            OrderType.STOP: "stop orders require a stop price and no limit price",
            OrderType.STOP_LIMIT: "stop limit orders require both stop and limit price",
        }
        has_limit, has_stop = limit_price is not None, self.stop_price is not None
        if (has_limit, has_stop) != (self.type.has_limit, self.type.has_stop):
            raise NotUnderstood(required[self.type])


class ReplaceBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `PATCH /v2/orders/{id}`."""

    qty: Decimal | None = None
    time_in_force: _TimeInForce | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str | None = None
    trail: object = None

    def command(
        self,
        at: datetime,
        order_id: str,
        new_id: Callable[[], str],
        *,
        refused_because: str = "",
        keeps_predecessor: bool = False,
    ) -> Replace:
        """The replacement as the exchange takes it; the ids it does not have are made.

        Raises:
            NotUnderstood: A value is out of bounds or not supported here.
        """
        if self.trail is not None:
            raise NotUnderstood("trail is not supported")
        return Replace(
            at=at,
            id=order_id,
            replacement_id=new_id(),
            client_order_id=_client_order_id(self.client_order_id) or new_id(),
            quantity=None if self.qty is None else _quantity(self.qty),
            limit_price=_optional_price("limit price", self.limit_price),
            stop_price=_optional_price("stop price", self.stop_price),
            time_in_force=None if self.time_in_force is None else _lifetime(self.time_in_force),
            refused_because=refused_because,
            keeps_predecessor=keeps_predecessor,
        )


class BustBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /control/busts`."""

    execution_id: str

    def command(self, at: datetime) -> Bust:
        """The bust as the exchange takes it."""
        return Bust(at, self.execution_id)


class CorrectBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /control/corrections`."""

    execution_id: str
    qty: Decimal | None = None
    price: Decimal | None = None

    def command(self, at: datetime) -> Correct:
        """The correction as the exchange takes it.

        Raises:
            NotUnderstood: A value is out of bounds.
        """
        quantity = None if self.qty is None else _quantity(self.qty)
        return Correct(at, self.execution_id, quantity, _optional_price("price", self.price))


class PriceBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `PUT /control/prices/{symbol}`."""

    price: Decimal

    def command(self, at: datetime, symbol: str) -> MovePrice:
        """The move as the exchange takes it.

        Raises:
            NotUnderstood: The price is out of bounds.
            AssetNotFound: There is no such symbol.
        """
        return MovePrice(at, wanted_asset(symbol).symbol, _price("price", self.price))


def _client_order_id(wish: str | None) -> str | None:
    if wish is not None and len(wish) > CLIENT_ORDER_ID_LENGTH_MAX:
        raise NotUnderstood(f"client_order_id must be no more than {CLIENT_ORDER_ID_LENGTH_MAX} characters")
    return wish


def _lifetime(time_in_force: _TimeInForce) -> Lifetime:
    if time_in_force in {"opg", "cls"}:
        raise NotUnderstood(f"time_in_force {time_in_force} is not supported")
    return Lifetime(time_in_force)


def _quantity(wish: Decimal) -> Decimal:
    if not wish.is_finite() or wish <= ZERO:
        raise NotUnderstood("qty must be > 0")
    if wish > QUANTITY_MAX:
        raise NotUnderstood(f"qty must be <= {plain(QUANTITY_MAX)}")
    if not fits(wish, DECIMALS_MAX):
        raise NotUnderstood(f"qty must have no more than {DECIMALS_MAX} decimals")
    return wish


def _price(name: str, wish: Decimal) -> Decimal:
    if not wish.is_finite() or wish <= ZERO:
        raise NotUnderstood(f"{name} must be > 0")
    if wish > PRICE_MAX:
        raise NotUnderstood(f"{name} must be <= {plain(PRICE_MAX)}")
    if not fits(wish, DECIMALS_MAX):
        raise NotUnderstood(f"{name} must have no more than {DECIMALS_MAX} decimals")
    return wish


def _optional_price(name: str, wish: Decimal | None) -> Decimal | None:
    return None if wish is None else _price(name, wish)
