"""Orders that go on with other terms."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from api.schemas import OrderView
from domain.commands import RecordReplacement, RecordReplaceRefusal
from domain.values import Price, Quantity
from tests.api.clients import Client, World, pointers_of, problem_of


def replaced(number: int, quantity: str, price: str) -> RecordReplacement:
    """The venue works on these terms from now on."""
    return RecordReplacement(
        number=number,
        venue_order_id=f"venue-{number}",
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)),
        stop_price=None,
    )


async def resting(alice: Client, world: World, **terms: Any) -> str:
    """An order for 10 AAPL at 100 that works at the venue."""
    order_id: str = (await alice.place(**{"quantity": "10"} | terms)).json()["id"]
    await world.accept(order_id)
    return order_id


async def answered(alice: Client, order_id: str, world: World, report: Any, **terms: Any) -> dict[str, Any]:
    """The answer to a replacement that the venue answers at once."""
    answer = asyncio.create_task(alice.replace(order_id, **terms))
    while (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] != "PENDING_REPLACE":
        await asyncio.sleep(0.01)
    await alice.place()  # another order's event is no answer
    await world.report(order_id, report)
    response = await answer
    assert response.status_code == 200
    order: dict[str, Any] = response.json()
    assert response.headers["etag"] == f'"{order["version"]}"'
    OrderView.model_validate_json(response.content)
    return order


async def test_an_order_that_never_left_is_replaced_at_once(alice: Client, world: World) -> None:
    order_id = (await alice.place(quantity="10")).json()["id"]
    response = await alice.replace(order_id.upper(), quantity="4.50", price=90)
    order = response.json()
    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert (order["status"], order["quantity"], order["leaves_quantity"]) == ("PENDING", "4.5", "4.5")
    assert order["price"] == "90.00"
    OrderView.model_validate_json(response.content)
    assert (await alice.get("/api/v1/account")).json()["reserved"] == "405.00"
    assert (await alice.get(f"/api/v1/orders/{order_id}?version=1")).json()["price"] == "100.00"
    await world.projected()
    assert (await alice.get("/api/v1/orders")).json()["orders"] == [order]


async def test_what_is_left_out_stays(alice: Client) -> None:
    order_id = (await alice.place(order_type="STOP_LIMIT", quantity="10", stop_price="99")).json()["id"]

    async def after(**terms: Any) -> tuple[str, str, str]:
        order = (await alice.replace(order_id, **terms)).json()
        return order["quantity"], order["price"], order["stop_price"]

    assert await after(stop_price="98") == ("10", "100.00", "98.00")
    assert await after(quantity="11", price=None) == ("11", "100.00", "98.00")
    assert await after(price="101", quantity=None, stop_price=None) == ("11", "101.00", "98.00")


async def test_terms_that_the_order_has_already_are_nothing_new(alice: Client) -> None:
    order_id = (await alice.place(quantity="10")).json()["id"]
    response = await alice.replace(order_id, quantity="10.0", price="100")
    assert (response.status_code, response.json()["version"]) == (200, 1)


async def test_what_the_venue_says_at_once_is_in_the_answer(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    order = await answered(alice, order_id, world, replaced(1, "8", "95"), quantity="8", price="95")
    assert (order["status"], order["quantity"], order["price"]) == ("ACCEPTED", "8", "95.00")


async def test_what_the_venue_will_not_do_is_in_the_answer_too(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    refusal = RecordReplaceRefusal(1, "the order is being filled")
    order = await answered(alice, order_id, world, refusal, price="95")
    assert (order["status"], order["price"], order["reason"]) == ("ACCEPTED", "100.00", "the order is being filled")


async def test_a_fill_that_crosses_a_replacement_is_no_answer_to_it(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    answer = asyncio.create_task(alice.replace(order_id, quantity="8"))
    while (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] != "PENDING_REPLACE":
        await asyncio.sleep(0.01)
    await world.fill(order_id, "3", "100")
    order = (await answer).json()
    assert (order["status"], order["filled_quantity"], order["quantity"]) == ("PENDING_REPLACE", "3", "10")
    await world.report(order_id, replaced(1, "8", "100"))
    order = (await alice.get(f"/api/v1/orders/{order_id}")).json()
    assert (order["status"], order["quantity"], order["leaves_quantity"]) == ("PARTIALLY_FILLED", "8", "5")


async def test_several_replacements_build_on_each_other(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    answers = await asyncio.gather(alice.replace(order_id, quantity="8"), alice.replace(order_id, price="95"))
    assert [answer.json()["status"] for answer in answers] == ["PENDING_REPLACE"] * 2
    # While it is not known which of them holds, the larger of what they cost is held.
    assert (await alice.get("/api/v1/account")).json()["reserved"] == "1000.00"
    await world.report(order_id, replaced(1, "8", "100"))
    await world.report(order_id, replaced(2, "8", "95"))
    order = (await alice.get(f"/api/v1/orders/{order_id}")).json()
    assert (order["status"], order["quantity"], order["price"]) == ("ACCEPTED", "8", "95.00")
    assert (await alice.get("/api/v1/account")).json()["reserved"] == "760.00"


@pytest.mark.parametrize("body", [{}, {"quantity": None}, {"quantity": None, "price": None, "stop_price": None}])
async def test_nothing_to_replace_is_refused(alice: Client, body: dict[str, Any]) -> None:
    order_id = (await alice.place()).json()["id"]
    problem = problem_of(await alice.replace(order_id, **body), 400, "INVALID_REQUEST")
    assert problem["detail"] == "Say what to replace: quantity, price or stop_price"


@pytest.mark.parametrize(
    ("terms", "code", "pointer"),
    [
        ({"quantity": "0"}, "INVALID_QUANTITY", "/quantity"),
        ({"quantity": "NaN"}, "INVALID_QUANTITY", "/quantity"),
        ({"quantity": False}, "INVALID_QUANTITY", "/quantity"),
        ({"price": "-1"}, "INVALID_PRICE", "/price"),
        ({"stop_price": "1e400"}, "INVALID_PRICE", "/stop_price"),
        ({"stop_price": "99"}, "INVALID_PRICE", "/stop_price"),
        ({"symbol": "MSFT"}, "INVALID_REQUEST", "/symbol"),
        ({"side": "SELL", "price": "1"}, "INVALID_REQUEST", "/side"),
        ({"stop_loss": "90"}, "INVALID_REQUEST", "/stop_loss"),
    ],
)
async def test_what_cannot_be_replaced_is_pointed_at(
    alice: Client, terms: dict[str, Any], code: str, pointer: str
) -> None:
    order_id = (await alice.place()).json()["id"]
    response = await alice.replace(order_id, **terms)
    problem_of(response, 400, code)
    assert pointers_of(response) == [pointer]


async def test_a_market_order_has_no_price_to_replace(alice: Client) -> None:
    order_id = (await alice.place(order_type="MARKET", price=None)).json()["id"]
    response = await alice.replace(order_id, price="90")
    problem = problem_of(response, 400, "INVALID_PRICE")
    assert problem["detail"] == "price has no meaning for a MARKET order"


async def test_less_than_what_is_filled_is_refused(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    await world.fill(order_id, "3", "100")
    for quantity in ("2", "3"):
        response = await alice.replace(order_id, quantity=quantity)
        problem = problem_of(response, 400, "INVALID_QUANTITY")
        assert problem["detail"] == "Quantity must be above the 3 that are filled already"
        assert pointers_of(response) == ["/quantity"]


async def test_what_the_account_cannot_carry_is_refused_and_leaves_no_trace(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    problem = problem_of(await alice.replace(order_id, quantity="1001"), 400, "INSUFFICIENT_FUNDS")
    assert problem["detail"] == "Insufficient funds for $100,100.00 order; available: $100,000.00"
    problem_of(await alice.replace(order_id, quantity="10000001"), 400, "MAX_ORDER_QUANTITY_EXCEEDED")
    problem_of(await alice.replace(order_id, price="100000001"), 400, "MAX_NOTIONAL_EXCEEDED")
    await world.fill(order_id, "10", "100")
    sale = (await alice.place(side="SELL", quantity="6")).json()["id"]
    await alice.place(side="SELL", quantity="3")
    problem = problem_of(await alice.replace(sale, quantity="8"), 400, "INSUFFICIENT_POSITION")
    assert problem["detail"] == "Insufficient position to sell 8 AAPL; available: 7"
    assert (await alice.get(f"/api/v1/orders/{sale}")).json()["version"] == 1
    assert (await alice.replace(sale, quantity="7")).json()["quantity"] == "7"


async def test_an_order_that_is_over_or_wanted_back_is_not_replaced(alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    await alice.post(f"/api/v1/orders/{order_id}/cancel")
    problem = problem_of(await alice.replace(order_id, price="90"), 400, "ORDER_NOT_REPLACEABLE")
    assert problem["detail"] == "The order is CANCELLED and cannot be replaced"
    order_id = await resting(alice, world)
    await alice.post(f"/api/v1/orders/{order_id}/cancel")
    problem = problem_of(await alice.replace(order_id, price="90"), 400, "ORDER_NOT_REPLACEABLE")
    assert problem["detail"] == "The order is PENDING_CANCEL and cannot be replaced"


async def test_an_order_that_is_being_replaced_can_be_cancelled(alice: Client, world: World) -> None:
    order_id = await resting(alice, world)
    answer = asyncio.create_task(alice.replace(order_id, price="90"))
    while (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] != "PENDING_REPLACE":
        await asyncio.sleep(0.01)
    assert (await alice.post(f"/api/v1/orders/{order_id}/cancel")).json()["status"] == "PENDING_CANCEL"
    assert (await answer).json()["status"] == "PENDING_CANCEL"


@pytest.mark.parametrize("order_id", ["00000000-0000-4000-8000-000000000000", "seven"])
async def test_an_order_that_does_not_exist_is_not_replaced(alice: Client, order_id: str) -> None:
    problem_of(await alice.replace(order_id, price="90"), 404, "NOT_FOUND")


async def test_somebody_elses_order_is_not_there_to_be_replaced(alice: Client, bob: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    problem_of(await bob.replace(order_id, price="90"), 404, "NOT_FOUND")
    problem_of(await bob.replace(order_id, {"If-Match": '"7"'}, price="90"), 404, "NOT_FOUND")
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["version"] == 1
