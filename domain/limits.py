"""Pre-trade limits: what a trader may do. What nobody set for a trader is as the defaults say, today's defaults."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, NamedTuple

from domain.events import LimitsChanged
from domain.frozen import dataclass
from domain.refusals import InvalidRequest, InvalidSymbol
from domain.values import Money, Quantity, Symbol, parse_number, parse_symbol

RESTRICTED_MAX = 1000
"""How many symbols can be restricted for one trader."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one trader. The defaults refuse only the absurd.

    Money is dollars. ``price_collar_percent`` None and ``duplicate_window_seconds`` 0 mean that the check is off.
    """

    max_position: Quantity = Quantity(Decimal(100_000_000))
    max_order_quantity: Quantity = Quantity(Decimal(10_000_000))
    max_order_notional: Money = Money(Decimal(1_000_000_000))
    max_open_orders: int = 1_000_000
    max_orders_per_second: int = 100_000
    max_daily_notional: Money = Money(Decimal(1_000_000_000_000))
    price_collar_percent: Decimal | None = None
    duplicate_window_seconds: int = 0
    restricted_symbols: tuple[Symbol, ...] = ()

    def with_own(self, own: LimitsChanged | None) -> "Limits":
        """The limits of a trader who has these of their own; restricted symbols come on top of everybody's."""
        if own is None:
            return self
        set_ = {name: getattr(own, name) for name in NAMES if getattr(own, name) is not None}
        set_["restricted_symbols"] = tuple(sorted({*self.restricted_symbols, *(own.restricted_symbols or ())}))
        return replace(self, **set_)


DEFAULTS = Limits()
"""The limits of everybody, where the settings say nothing else."""

NAMES = tuple(field.name for field in fields(Limits))
"""The names of all limits."""

NONE_OF_THEIR_OWN = LimitsChanged(**dict.fromkeys(NAMES), reason=None)
"""The own limits of a trader for whom none was ever set."""


class Range(NamedTuple):
    """What a limit can be: a number from ``lowest`` to ``highest`` with at most so many decimals."""

    lowest: int
    highest: int
    decimals: int


RANGES: Mapping[str, Range] = {
    "max_position": Range(0, 10**9, 9),
    "max_order_quantity": Range(0, 10**9, 9),
    "max_order_notional": Range(0, 10**15, 2),
    "max_open_orders": Range(0, 10**9, 0),
    "max_orders_per_second": Range(1, 10**6, 0),
    "max_daily_notional": Range(0, 10**15, 2),
    "price_collar_percent": Range(0, 10**6, 4),
    "duplicate_window_seconds": Range(0, 3600, 0),
}
"""What each limit that is a number can be."""

_WHOLE = frozenset(name for name, range_ in RANGES.items() if range_.decimals == 0)


def parse_limit(name: str, value: object) -> Any:  # noqa: ANN401 - the type is that of the field of ``Limits``
    """The value of a limit from text, int or Decimal; of ``restricted_symbols`` from a list of symbols.

    Raises:
        InvalidRequest: it is nothing that this limit can be.
    """
    if name == "restricted_symbols":
        return _symbols(value)
    number = parse_number(value, name, *RANGES[name])
    return int(number) if name in _WHOLE else number


def _symbols(value: object) -> tuple[Symbol, ...]:
    if not isinstance(value, list | tuple) or len(value) > RESTRICTED_MAX:
        raise InvalidRequest("restricted_symbols", problem=f"must be a list of at most {RESTRICTED_MAX} symbols")
    try:
        return tuple(sorted({parse_symbol(each) for each in value}))
    except InvalidSymbol as refusal:
        raise InvalidRequest("restricted_symbols", problem=f"has one that is none: {refusal.message}") from None
