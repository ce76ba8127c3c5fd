"""Names and terms of orders."""

import json
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.venue import VenueTerms
from domain.values import OrderId, Price, Quantity
from infrastructure.exchanges.alpaca_orders import named, read_order, replacement_name, terms_of
from tests.infrastructure.exchanges.alpaca_words import ORDER_ID, order


@pytest.mark.parametrize(
    ("name", "order_id", "number"),
    [
        (ORDER_ID, ORDER_ID, 0),
        (f"{ORDER_ID}.1", ORDER_ID, 1),
        (f"{ORDER_ID}.120", ORDER_ID, 120),
        (f"{ORDER_ID.upper()}.2", ORDER_ID.upper(), 2),
        (f"{ORDER_ID}.0", f"{ORDER_ID}.0", 0),
        (f"{ORDER_ID}.01", f"{ORDER_ID}.01", 0),
        (f"{ORDER_ID}.", f"{ORDER_ID}.", 0),
        (f"{ORDER_ID}.1\n", f"{ORDER_ID}.1\n", 0),
        (f"{ORDER_ID}.\u0661", f"{ORDER_ID}.\u0661", 0),
        (f"{ORDER_ID}.1.1", f"{ORDER_ID}.1.1", 0),
        (f"{ORDER_ID}.1234567890", f"{ORDER_ID}.1234567890", 0),
        ("my-order.1", "my-order.1", 0),
        ("", "", 0),
    ],
)
def test_replacements_of_ours_are_known_by_their_names(name: str, order_id: str, number: int) -> None:
    assert named(name) == (order_id, number)


def test_a_name_that_was_given_is_a_name_that_is_known() -> None:
    assert named(replacement_name(OrderId(ORDER_ID), 12)) == (ORDER_ID, 12)


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, None),
        ({"qty": None}, None),
        ({"qty": "1.50"}, VenueTerms(Quantity(Decimal("1.5")), None, None)),
        (
            {"qty": 2, "limit_price": 190.5, "stop_price": "1"},
            VenueTerms(Quantity(Decimal(2)), Price(Decimal("190.5")), Price(Decimal(1))),
        ),
    ],
)
def test_terms_are_told_where_the_venue_tells_them(fields: dict[str, Any], terms: VenueTerms | None) -> None:
    assert terms_of(read_order(json.dumps(order(**fields)).encode())) == terms


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": "0"},
        {"qty": "NaN"},
        {"qty": "sNaN"},
        {"qty": "1", "limit_price": "-1"},
        {"qty": "1", "stop_price": "1e10"},
    ],
)
def test_terms_that_are_nonsense_are_logged_and_left_out(fields: dict[str, Any]) -> None:
    with capture_logs() as logs:
        assert terms_of(read_order(json.dumps(order(**fields)).encode())) is None
    assert [log["event"] for log in logs] == ["venue_terms_unreadable"]
