"""Terms off the grid of their symbol are refused where the trader sees it, with the nearest that are on it."""

from typing import Any

import pytest

from tests.api.clients import Client, World, pointers_of, problem_of


@pytest.mark.parametrize(
    ("terms", "code", "field", "sentence"),
    [
        (
            {"price": "190.005"},
            "INVALID_PRICE",
            "price",
            "price 190.005 is not a multiple of the tick size 0.01; nearest: 190.00 or 190.01",
        ),
        (
            {"price": "0.99995"},
            "INVALID_PRICE",
            "price",
            "price 0.99995 is not a multiple of the tick size 0.0001; nearest: 0.9999 or 1.00",
        ),
        (
            {"order_type": "STOP", "price": "191.001"},
            "INVALID_PRICE",
            "stop_price",
            "stop_price 191.001 is not a multiple of the tick size 0.01; nearest: 191.00 or 191.01",
        ),
        (
            {"price": "190", "stop_loss": "180.123"},
            "INVALID_PRICE",
            "stop_loss",
            "stop_loss 180.123 is not a multiple of the tick size 0.01; nearest: 180.12 or 180.13",
        ),
        (
            {"price": "190", "take_profit": "200.999"},
            "INVALID_PRICE",
            "take_profit",
            "take_profit 200.999 is not a multiple of the tick size 0.01; nearest: 200.99 or 201.00",
        ),
        (
            {"price": "190", "quantity": "1.5", "time_in_force": "GTC"},
            "INVALID_QUANTITY",
            "quantity",
            "Quantity 1.5 is taken in a DAY order without stop_loss and take_profit only; nearest whole: 1 or 2",
        ),
    ],
)
async def test_what_is_off_the_grid_is_refused_with_the_nearest_that_is_on_it(
    alice: Client, terms: dict[str, Any], code: str, field: str, sentence: str
) -> None:
    response = await alice.place(symbol="GRID", **terms)
    assert problem_of(response, 400, code)["detail"] == sentence
    assert pointers_of(response) == [f"/{field}"]
    assert (await alice.get("/api/v1/orders")).json()["orders"] == []


async def test_a_fraction_is_taken_for_the_day(alice: Client) -> None:
    assert (await alice.place(symbol="GRID", price="190", quantity="0.123456789")).status_code == 201


async def test_other_terms_must_be_on_the_grid_too(alice: Client, world: World) -> None:
    order_id = (await alice.place(symbol="GRID", price="190", time_in_force="GTC")).json()["id"]
    await world.accept(order_id)
    response = await alice.replace(order_id, price="190.005")
    problem = problem_of(response, 400, "INVALID_PRICE")
    assert problem["detail"] == "price 190.005 is not a multiple of the tick size 0.01; nearest: 190.00 or 190.01"
    assert pointers_of(response) == ["/price"]
    response = await alice.replace(order_id, quantity="1.5")
    problem_of(response, 400, "INVALID_QUANTITY")
    assert pointers_of(response) == ["/quantity"]
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["version"] == 2
