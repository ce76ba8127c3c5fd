"""Orders that protect what they fill."""

from decimal import Decimal
from typing import Any

import pytest

from api.openapi import document_of
from api.routes import ENDPOINTS
from api.schemas import OrdersPage, OrderView
from api.views import quantity_text
from tests.api.clients import Client, World, pointers_of, problem_of

BRACKET: dict[str, Any] = {"quantity": "10", "stop_loss": "90", "take_profit": "120.5"}


async def exits_of(alice: Client, world: World, entry: str) -> list[dict[str, Any]]:
    """The exits that the trader finds among their orders, newest first."""
    await world.projected()
    response = await alice.get("/api/v1/orders")
    OrdersPage.model_validate_json(response.content)
    return [order for order in response.json()["orders"] if order["parent_order_id"] == entry]


@pytest.mark.parametrize(
    "terms",
    [
        {"stop_loss": "99.99"},
        {"take_profit": "100.01"},
        {"stop_loss": "90", "take_profit": "120"},
        {"order_type": "MARKET", "price": None, "stop_loss": "149", "take_profit": "151"},
        {"order_type": "STOP", "price": "160", "stop_loss": "155", "take_profit": "165"},
        {"order_type": "STOP_LIMIT", "stop_price": "99", "stop_loss": "99.5", "take_profit": "101"},
        {"symbol": "MSFT", "price": "1.25", "stop_loss": "1.2", "take_profit": "1.26"},
    ],
)
async def test_a_buy_may_say_where_it_ends(alice: Client, terms: dict[str, Any]) -> None:
    response = await alice.place(**terms)
    assert response.status_code == 201
    order = response.json()
    exits = {name: order[name] and quantity_text(Decimal(order[name])) for name in ("stop_loss", "take_profit")}
    assert exits == {"stop_loss": None, "take_profit": None} | {name: terms[name] for name in exits if name in terms}
    assert (order["parent_order_id"], order["oco_order_id"]) == (None, None)
    OrderView.model_validate_json(response.content)


@pytest.mark.parametrize(
    ("terms", "pointer", "sentence"),
    [
        ({"stop_loss": "100"}, "/stop_loss", "stop_loss must be below the order's price of 100"),
        ({"stop_loss": "101"}, "/stop_loss", "stop_loss must be below the order's price of 100"),
        ({"take_profit": "100"}, "/take_profit", "take_profit must be above the order's price of 100"),
        ({"take_profit": "99.99"}, "/take_profit", "take_profit must be above the order's price of 100"),
        (
            {"order_type": "MARKET", "price": None, "stop_loss": "150"},
            "/stop_loss",
            "stop_loss must be below the order's price of 150",
        ),
        (
            {"order_type": "STOP", "price": "160", "take_profit": "155"},
            "/take_profit",
            "take_profit must be above the order's price of 160",
        ),
    ],
)
async def test_an_exit_on_the_wrong_side_of_the_price_is_pointed_at(
    alice: Client, terms: dict[str, Any], pointer: str, sentence: str
) -> None:
    response = await alice.place(**terms)
    assert problem_of(response, 400, "INVALID_PRICE")["detail"] == sentence
    assert pointers_of(response) == [pointer]


@pytest.mark.parametrize("name", ["stop_loss", "take_profit"])
async def test_a_sale_has_nothing_to_protect(alice: Client, world: World, name: str) -> None:
    bought = (await alice.place(quantity="10")).json()["id"]
    await world.fill(bought, "10", "100")
    terms: dict[str, Any] = {name: "110"}
    response = await alice.place(side="SELL", **terms)
    problem = problem_of(response, 400, "INVALID_REQUEST")
    assert problem["detail"] == f"{name} protects what a BUY opens; a SELL closes it"
    assert pointers_of(response) == [f"/{name}"]


async def test_what_is_filled_brings_its_exits_as_orders_of_the_same_trader(alice: Client, world: World) -> None:
    entry = (await alice.place(**BRACKET)).json()["id"]
    assert await exits_of(alice, world, entry) == []
    await world.accept(entry)
    await world.fill(entry, "4", "100")
    stop_loss, take_profit = await exits_of(alice, world, entry)
    assert take_profit | {"id": "", "oco_order_id": ""} == take_profit | {
        "id": "",
        "trader_id": alice.trader_id,
        "symbol": "AAPL",
        "side": "SELL",
        "quantity": "4",
        "order_type": "LIMIT",
        "price": "120.50",
        "stop_price": None,
        "time_in_force": "GTC",
        "stop_loss": None,
        "take_profit": None,
        "parent_order_id": entry,
        "oco_order_id": "",
        "status": "PENDING",
    }
    assert (stop_loss["order_type"], stop_loss["price"], stop_loss["stop_price"]) == ("STOP", None, "90.00")
    assert (stop_loss["quantity"], stop_loss["side"]) == ("4", "SELL")
    assert (stop_loss["oco_order_id"], take_profit["oco_order_id"]) == (take_profit["id"], stop_loss["id"])
    for order in (stop_loss, take_profit):
        assert (await alice.get(f"/api/v1/orders/{order['id']}")).json() == order
    # The next fill has exits of its own.
    await world.fill(entry, "6", "100")
    assert [order["quantity"] for order in await exits_of(alice, world, entry)] == ["6", "6", "4", "4"]


async def test_what_the_exits_hold_cannot_be_sold_twice(alice: Client, world: World) -> None:
    entry = (await alice.place(**BRACKET)).json()["id"]
    await world.fill(entry, "10", "100")
    problem = problem_of(await alice.place(side="SELL", quantity="1"), 400, "INSUFFICIENT_POSITION")
    assert problem["detail"] == "Insufficient position to sell 1 AAPL; available: 0"


async def test_one_exit_alone_has_no_other(alice: Client, world: World) -> None:
    entry = (await alice.place(quantity="10", stop_loss="90")).json()["id"]
    await world.fill(entry, "10", "100")
    (stop_loss,) = await exits_of(alice, world, entry)
    assert (stop_loss["order_type"], stop_loss["stop_price"], stop_loss["oco_order_id"]) == ("STOP", "90.00", None)


async def test_an_exit_is_replaced_but_for_the_quantity_that_it_protects(alice: Client, world: World) -> None:
    entry = (await alice.place(**BRACKET)).json()["id"]
    await world.fill(entry, "10", "100")
    stop_loss, take_profit = await exits_of(alice, world, entry)
    assert (await alice.replace(take_profit["id"], price="130")).json()["price"] == "130.00"
    assert (await alice.replace(stop_loss["id"], stop_price="95")).json()["stop_price"] == "95.00"
    response = await alice.replace(take_profit["id"], quantity="5")
    problem = problem_of(response, 400, "INVALID_QUANTITY")
    assert problem["detail"] == "Quantity of an exit follows what it protects; only its price can be replaced"
    assert pointers_of(response) == ["/quantity"]


def test_the_document_knows_what_an_exit_belongs_to() -> None:
    order = document_of(ENDPOINTS)["components"]["schemas"]["OrderView"]
    for name in ("parent_order_id", "oco_order_id"):
        assert name in order["required"]
        assert order["properties"][name]["description"].startswith("of an exit: ")
