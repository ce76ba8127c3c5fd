"""Every reason to refuse a request: one exception each, whose docstring is the sentence the trader reads.

Requests can be refused; facts from the venue never are.
"""

from inspect import cleandoc
from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of ours
    """The request was refused"""

    code: ClassVar[str] = "INVALID_REQUEST"

    def __init__(self, field: str | None = None, **facts: object) -> None:
        """``field`` is the request field at fault, when one is; ``facts`` fill the sentence."""
        self.field = field or self.default_field
        self.message = cleandoc(type(self).__doc__ or "").format(field=self.field, **facts)
        super().__init__(self.message)

    default_field: ClassVar[str | None] = None


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


class IdempotencyKeyReused(Refusal):
    """{field} {key} was used before with another request"""

    code = "IDEMPOTENCY_KEY_REUSED"


class OrderExecutionDisabled(Refusal):
    """New orders are switched off at the moment; cancels and queries go on"""

    code = "ORDER_EXECUTION_DISABLED"
