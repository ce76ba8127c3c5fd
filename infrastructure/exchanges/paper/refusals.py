"""Why the exchange would not do what it was asked, in the words Alpaca uses."""

from decimal import Decimal

from infrastructure.exchanges.paper.amounts import plain


class Refusal(Exception):  # noqa: N818 - a refused request is an answer, not an error of the venue
    """The request was understood and refused; nothing happened."""


class AssetNotFound(Refusal):
    """There is no such asset."""

    def __init__(self, symbol: str) -> None:
        super().__init__(f"asset not found for {symbol}")


class AssetNotTradable(Refusal):
    """An order names an asset that is not traded here, or not at the moment."""


class OrderNotFound(Refusal):
    """There is no such order."""

    def __init__(self, name: str) -> None:
        super().__init__(f"order not found for {name}")


class ExecutionNotFound(Refusal):
    """There is no such execution."""

    def __init__(self, name: str) -> None:
        super().__init__(f"execution not found for {name}")


class PositionNotFound(Refusal):
    """The account holds nothing of this asset."""

    def __init__(self) -> None:
        super().__init__("position does not exist")


class ClientOrderIdTaken(Refusal):
    """An order with this client_order_id exists, in whatever state."""

    def __init__(self) -> None:
        super().__init__("client_order_id must be unique")


class PriceOffIncrement(Refusal):
    """A price is no multiple of what the asset is quoted in: its own `increment`, or that of the law."""

    def __init__(self, field: str, price: Decimal, increment: Decimal | None) -> None:
        why = "sub-penny increment does not fulfill minimum pricing criteria"
        if increment is not None:
            why = f"price must be a multiple of {plain(increment)}"
        super().__init__(f"invalid {field} {plain(price)}. {why}")


class QuantityNotTraded(Refusal):
    """So much of the asset is not traded, or not in an order like this."""


class InsufficientBuyingPower(Refusal):
    """The order costs more than the account can pay.

    Attributes:
        buying_power: What the account can pay, in US dollars.
        cost_basis: What the order would cost.
    """

    def __init__(self, buying_power: Decimal, cost_basis: Decimal) -> None:
        super().__init__("insufficient buying power")
        self.buying_power = buying_power
        self.cost_basis = cost_basis


class NotCancelable(Refusal):
    """The order is over."""

    def __init__(self, status: str) -> None:
        super().__init__(f'order is already in "{status}" state')


class NotReplaceable(Refusal):
    """The order is over, or the change does not fit it."""


class NotRevisable(Refusal):
    """The execution is not what it was, or the correction does not fit it."""


class NotUnderstood(Refusal):
    """The request has the form of JSON but not of a request that can be met here."""


class NotJson(Refusal):
    """The body of a request is not JSON."""

    def __init__(self) -> None:
        super().__init__("request body format is invalid")


class BodyTooLarge(Refusal):
    """The body of a request is larger than any request needs to be."""

    def __init__(self) -> None:
        super().__init__("request body is too large")


class NotAuthorized(Refusal):
    """A request came without keys."""

    def __init__(self) -> None:
        super().__init__("request is not authorized")


class BadFaults(Refusal):
    """The rules for faults cannot be read; the message names what is wrong with them."""
