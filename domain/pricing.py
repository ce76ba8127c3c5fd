"""What a unit of an order may cost at most: the price at which cash is held for it."""

from decimal import ROUND_CEILING, Context, Decimal

from domain.commands import PlaceOrder
from domain.instruments import FINEST
from domain.refusals import NoReferencePrice
from domain.values import OrderType, Price, Side, tidy

MARKET_MARGIN = Decimal("0.05")
"""How much above the reference or stop price a buy without a limit is held for, as a share of that price."""

_FACTOR = 1 + MARKET_MARGIN
_UPWARDS = Context(prec=100, rounding=ROUND_CEILING)

LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def worst_price(order: PlaceOrder) -> Price:
    """What a unit may cost at most: the limit, or the stop or reference price plus the margin.

    Raises:
        NoReferencePrice: a market order in a symbol that nobody can value.
    """
    price = limit_of(order.order_type, order.price, order.stop_price or order.reference_price)
    if price is None:
        raise NoReferencePrice(symbol=order.symbol, order_type=order.order_type)
    return price


def reserve_price(order: PlaceOrder) -> Price | None:
    """The cash held per unit of a buy, None for a sell.

    Raises:
        NoReferencePrice: a market order in a symbol that nobody can value.
    """
    return worst_price(order) if order.side is Side.BUY else None


def limit_of(order_type: OrderType, price: Price | None, without_limit: Price | None) -> Price | None:
    """The limit of an order that has one, else the other price plus the margin; None where there is neither."""
    if order_type in LIMITED:
        return price
    return None if without_limit is None else _with_margin(without_limit)


def _with_margin(price: Price) -> Price:
    return Price(tidy((price * _FACTOR).quantize(FINEST, context=_UPWARDS)))
