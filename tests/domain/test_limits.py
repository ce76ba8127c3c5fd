"""Limits of a trader over the defaults, and what a limit can be."""

from decimal import Decimal
from typing import Any

import pytest

from domain import account as accounts
from domain.account import Account
from domain.commands import ChangeLimits
from domain.limits import DEFAULTS, NAMES, NONE_OF_THEIR_OWN, RANGES, RESTRICTED_MAX, Limits, parse_limit
from domain.refusals import InvalidRequest
from domain.values import Symbol
from tests.domain.orders import ACME, units

OTHER = Symbol("OTHER")


def changed(account: Account, changes: dict[str, Any], reason: str | None = "because") -> Account:
    for event in accounts.decide(account, ChangeLimits(changes, reason)):
        account = accounts.evolve(account, event)
    return account


def test_what_is_not_set_for_a_trader_is_as_the_defaults_say_today() -> None:
    trader = changed(Account(), {"max_position": units(5), "max_open_orders": 0})
    assert trader.limits is not None
    assert trader.limits.reason == "because"
    assert DEFAULTS.with_own(trader.limits) == Limits(max_position=units(5), max_open_orders=0)
    strict = Limits(max_order_quantity=units(7), max_position=units(1), price_collar_percent=Decimal(3))
    assert strict.with_own(trader.limits) == Limits(
        max_order_quantity=units(7), max_position=units(5), max_open_orders=0, price_collar_percent=Decimal(3)
    )
    assert strict.with_own(None) is strict


def test_a_change_leaves_the_other_limits_and_none_gives_a_limit_back_to_the_default() -> None:
    trader = changed(Account(), {"max_position": units(5), "duplicate_window_seconds": 30})
    trader = changed(trader, {"max_position": None, "max_open_orders": 9}, None)
    assert DEFAULTS.with_own(trader.limits) == Limits(duplicate_window_seconds=30, max_open_orders=9)
    assert trader.limits is not None
    assert trader.limits.reason is None


def test_what_is_so_already_is_no_change() -> None:
    assert accounts.decide(Account(), ChangeLimits({}, "why")) == []
    assert accounts.decide(Account(), ChangeLimits({"max_position": None}, "why")) == []
    trader = changed(Account(), {"max_position": units(5)})
    assert accounts.decide(trader, ChangeLimits({"max_position": units(5)}, "another why")) == []


def test_symbols_restricted_for_everybody_stay_restricted() -> None:
    firm = Limits(restricted_symbols=(OTHER,))
    trader = changed(Account(), {"restricted_symbols": (ACME,)})
    assert firm.with_own(trader.limits).restricted_symbols == (ACME, OTHER)
    trader = changed(trader, {"restricted_symbols": ()})
    assert firm.with_own(trader.limits).restricted_symbols == (OTHER,)


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("max_position", "0.5", Decimal("0.5")),
        ("max_position", 0, Decimal(0)),
        ("max_order_notional", "25000.50", Decimal("25000.5")),
        ("max_open_orders", "3.0", 3),
        ("max_orders_per_second", Decimal(5), 5),
        ("price_collar_percent", "2.5", Decimal("2.5")),
        ("restricted_symbols", ["OTHER", "ACME", "ACME"], (ACME, OTHER)),
        ("restricted_symbols", (), ()),
    ],
)
def test_a_limit_is_read(name: str, value: object, limit: object) -> None:
    found = parse_limit(name, value)
    assert (found, type(found)) == (limit, type(limit))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_position", "-1", "max_position must be a number with at most 9 decimals from 0 to 1,000,000,000"),
        ("max_position", 1.5, "max_position must be a number with at most 9 decimals from 0 to 1,000,000,000"),
        ("max_order_notional", "0.001", "must be a number with at most 2 decimals"),
        ("max_orders_per_second", "0", "max_orders_per_second must be a whole number from 1 to 1,000,000"),
        ("max_open_orders", "1.5", "must be a whole number"),
        ("duplicate_window_seconds", "3601", "must be a whole number from 0 to 3,600"),
        ("restricted_symbols", "ACME", "restricted_symbols must be a list of at most 1000 symbols"),
        ("restricted_symbols", ["ACME"] * (RESTRICTED_MAX + 1), "must be a list of at most 1000 symbols"),
        ("restricted_symbols", ["acme"], "restricted_symbols has one that is none: Symbol must look like AAPL"),
    ],
)
def test_what_no_limit_can_be_is_refused_by_its_name(name: str, value: object, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message) as caught:
        parse_limit(name, value)
    assert caught.value.field == name


def test_every_limit_can_be_read_and_none_is_set_for_whom_none_was() -> None:
    assert {*RANGES, "restricted_symbols"} == set(NAMES)
    assert all(getattr(NONE_OF_THEIR_OWN, name) is None for name in NAMES)
