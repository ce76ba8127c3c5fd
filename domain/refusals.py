"""Every reason to refuse a request: one exception each, whose docstring is the sentence the trader reads.

Requests can be refused; facts from the venue never are.
"""

from inspect import cleandoc
from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The request was refused"""

    code: ClassVar[str] = "INVALID_REQUEST"
    sentence: ClassVar[str] = "The request was refused"

    def __init_subclass__(cls) -> None:
        """Take the docstring for the sentence."""
        cls.sentence = cleandoc(cls.__doc__ or "")

    def __init__(self, field: str | None = None, **facts: object) -> None:
        """``field`` is the request field at fault, when one is; ``facts`` fill the sentence."""
        self.field = field or self.default_field
        self.message = self.sentence.format(field=self.field, **facts)
        super().__init__(self.message)

    default_field: ClassVar[str | None] = None
    retry_after_seconds: int | None = None
    """In how many seconds the same request may pass, where time alone makes a difference."""


class InvalidRequest(Refusal):
    """{field} {problem}"""


class InvalidQuantity(Refusal):
    """Quantity {problem}"""

    code = "INVALID_QUANTITY"
    default_field = "quantity"


class InvalidPrice(Refusal):
    """{field} {problem}"""

    code = "INVALID_PRICE"
    default_field = "price"


class InvalidAmount(Refusal):
    """Amount {problem}"""

    default_field = "amount"


class InvalidSymbol(Refusal):
    """Symbol {problem}"""

    code = "INVALID_SYMBOL"
    default_field = "symbol"


class InsufficientFunds(Refusal):
    """Insufficient funds for {cost} order; available: {available}"""

    code = "INSUFFICIENT_FUNDS"


class InsufficientFundsToWithdraw(Refusal):
    """Insufficient funds to withdraw {amount}; available: {available}"""

    code = "INSUFFICIENT_FUNDS"
    default_field = "amount"


class InsufficientPosition(Refusal):
    """Insufficient position to sell {quantity} {symbol}; available: {available}"""

    code = "INSUFFICIENT_POSITION"
    default_field = "quantity"


class MaxPositionExceeded(Refusal):
    """The order could bring the {symbol} position to {position}; the limit is {limit}"""

    code = "MAX_POSITION_EXCEEDED"
    default_field = "quantity"


class MaxOrderQuantityExceeded(Refusal):
    """Order quantity {quantity} is above the limit of {limit}"""

    code = "MAX_ORDER_QUANTITY_EXCEEDED"
    default_field = "quantity"


class MaxNotionalExceeded(Refusal):
    """Order value {notional} is above the limit of {limit}"""

    code = "MAX_NOTIONAL_EXCEEDED"


class MaxOpenOrdersExceeded(Refusal):
    """There are {open_orders} open orders already; the limit is {limit}"""

    code = "MAX_OPEN_ORDERS_EXCEEDED"


class NoReferencePrice(Refusal):
    """There is no reference price for {symbol}, so a {order_type} order cannot be valued; send a LIMIT order"""

    code = "NO_REFERENCE_PRICE"


class NoPriceForCollar(Refusal):
    """There is no reference price for {symbol}, so the order's price cannot be compared with the market"""

    code = "NO_REFERENCE_PRICE"


class StalePrice(Refusal):
    """The reference price of {symbol} is {age}, and none older than {limit} s is relied on; send a LIMIT order or wait"""

    code = "STALE_PRICE"


class PriceOutOfCollar(Refusal):
    """Price {price} is more than {percent} % away from the {what} of {reference}"""

    code = "PRICE_OUT_OF_COLLAR"
    default_field = "price"


class MaxDailyNotionalExceeded(Refusal):
    """The order would bring the value of today's orders (UTC) to {notional}; the limit is {limit}"""

    code = "MAX_DAILY_NOTIONAL_EXCEEDED"


class RestrictedSymbol(Refusal):
    """{symbol} is restricted: it must not be traded"""

    code = "RESTRICTED_SYMBOL"
    default_field = "symbol"


class DuplicateOrder(Refusal):
    """An order on the same terms was placed less than {seconds} s before; wait, or change the terms"""

    code = "DUPLICATE_ORDER"


class RateLimited(Refusal):
    """More than {limit} orders in a second; try again in {retry_after_seconds} s"""

    code = "RATE_LIMITED"

    def __init__(self, *, limit: int, retry_after_seconds: int) -> None:
        super().__init__(limit=limit, retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class TradingIsHalted(Refusal):
    """{what} is halted; open orders can still be cancelled"""

    code = "TRADING_HALTED"


class NotHalted(Refusal):
    """{scope} is not halted"""

    code = "NOT_FOUND"


class OrderNotCancellable(Refusal):
    """The order is {status} and cannot be cancelled"""

    code = "ORDER_NOT_CANCELLABLE"


class OrderNotReplaceable(Refusal):
    """The order is {status} and cannot be replaced"""

    code = "ORDER_NOT_REPLACEABLE"


class OrderChanged(Refusal):
    """The order has changed: it is at version {version}, which is none that If-Match names"""

    code = "PRECONDITION_FAILED"


class OrderNotFound(Refusal):
    """There is no such order"""

    code = "NOT_FOUND"


class AccountNotFound(Refusal):
    """There is no such account"""

    code = "NOT_FOUND"


class IdempotencyKeyReused(Refusal):
    """{field} {key} was used before with another request"""

    code = "IDEMPOTENCY_KEY_REUSED"


class OrderExecutionDisabled(Refusal):
    """New orders are switched off at the moment; cancels and queries go on"""

    code = "ORDER_EXECUTION_DISABLED"


class VenueQueueFull(Refusal):
    """The exchange does not keep up, and no more orders may wait for it; cancels and queries go on, try again later"""

    code = "VENUE_QUEUE_FULL"
    retry_after_seconds = 5
