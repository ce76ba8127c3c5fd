import asyncio
import re

import pytest

from api.schemas import AccountView, OrderView
from domain.commands import RecordCancellation
from tests.api.clients import Client, World, pointers_of, problem_of

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def test_a_placed_order_is_answered_with_where_it_is_and_how_it_stands(alice: Client) -> None:
    response = await alice.place(quantity="10.50", price="150.5", client_order_id="mine")

    order = response.json()
    assert response.status_code == 201
    assert UUID.fullmatch(order["id"])
    assert response.headers["location"] == f"/api/v1/orders/{order['id']}"
    assert response.headers["etag"] == '"1"'
    assert "idempotent-replayed" not in response.headers
    assert order | {"id": 0, "position": 0, "created_at": 0, "updated_at": 0} == {
        "id": 0,
        "client_order_id": "mine",
        "trader_id": alice.trader_id,
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "10.5",
        "order_type": "LIMIT",
        "price": "150.50",
        "stop_price": None,
        "time_in_force": "DAY",
        "stop_loss": None,
        "take_profit": None,
        "parent_order_id": None,
        "oco_order_id": None,
        "status": "PENDING",
        "filled_quantity": "0",
        "leaves_quantity": "10.5",
        "average_fill_price": None,
        "fills": [],
        "reason": None,
        "flags": [],
        "version": 1,
        "position": 0,
        "created_at": 0,
        "updated_at": 0,
    }
    OrderView.model_validate_json(response.content)


async def test_every_answer_is_safe_from_caches_and_from_guesses_at_its_type(alice: Client) -> None:
    for response in (await alice.place(), await alice.place(quantity="-1"), await alice.get("/nowhere")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"


async def test_numbers_and_text_say_the_same_quantity_to_the_last_digit(alice: Client) -> None:
    body = b'{"symbol":"AAPL","quantity":0.123456789,"order_type":"LIMIT","price":1234.000000001}'
    response = await alice.request("POST", "/api/v1/orders", content=body)
    assert response.json()["quantity"] == "0.123456789"
    assert response.json()["price"] == "1234.000000001"

    response = await alice.place(quantity="1e1", price=".5")
    assert (response.json()["quantity"], response.json()["price"]) == ("10", "0.50")


async def test_the_price_of_a_stop_order_without_a_stop_price_is_its_stop_price(alice: Client) -> None:
    order = (await alice.place(order_type="STOP", price="120")).json()
    assert (order["price"], order["stop_price"]) == (None, "120.00")

    order = (await alice.place(order_type="STOP", price=None, stop_price="121")).json()
    assert (order["price"], order["stop_price"]) == (None, "121.00")

    response = await alice.place(order_type="STOP", price="120", stop_price="121")
    problem_of(response, 400, "INVALID_PRICE")
    response = await alice.place(order_type="STOP", price=None)
    problem_of(response, 400, "INVALID_PRICE")
    assert pointers_of(response) == ["/stop_price"]


async def test_a_market_order_and_a_sale_are_valued_and_held(alice: Client, world: World) -> None:
    bought = (await alice.place(order_type="MARKET", price=None, quantity="3", time_in_force="IOC")).json()
    await world.fill(bought["id"], "3", "150")
    sold = await alice.place(side="SELL", quantity="2")
    assert sold.json()["side"] == "SELL"
    problem = problem_of(await alice.place(side="SELL", quantity="2"), 400, "INSUFFICIENT_POSITION")
    assert problem["detail"] == "Insufficient position to sell 2 AAPL; available: 1"


async def test_a_refusal_is_a_sentence_to_act_on(alice: Client) -> None:
    problem = problem_of(await alice.place(quantity="1000", price="150"), 400, "INSUFFICIENT_FUNDS")
    assert problem["detail"] == "Insufficient funds for $150,000.00 order; available: $100,000.00"
    assert "errors" not in problem


async def test_a_symbol_that_is_not_traded_or_has_no_price_is_refused(alice: Client) -> None:
    for symbol in ("ZZZZ", "HALT"):
        response = await alice.place(symbol=symbol)
        problem_of(response, 400, "INVALID_SYMBOL")
        assert pointers_of(response) == ["/symbol"]
    problem_of(await alice.place(symbol="MUTE", order_type="MARKET", price=None), 400, "NO_REFERENCE_PRICE")


async def test_the_same_key_and_order_again_give_the_first_answer_again(alice: Client, world: World) -> None:
    key = {"Idempotency-Key": "once and only once"}
    first = await alice.place(key)
    await world.accept(first.json()["id"])
    second = await alice.place(key)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["etag"] == first.headers["etag"]
    assert second.json() == first.json()
    problem_of(await alice.place(key, quantity="2"), 422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_client_order_id_is_used_once_by_each_trader(alice: Client, bob: Client, world: World) -> None:
    await world.fund(bob, "1000")
    first = await alice.place(client_order_id="a-1")
    assert (await alice.place(client_order_id="a-1")).json() == first.json()
    response = await alice.place(client_order_id="a-1", quantity="2")
    problem_of(response, 422, "IDEMPOTENCY_KEY_REUSED")
    assert pointers_of(response) == ["/client_order_id"]
    assert (await bob.place(client_order_id="a-1")).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 129, "tab\there", b"caf\xc3\xa9"])
async def test_a_bad_idempotency_key_is_refused(alice: Client, key: str | bytes) -> None:
    response = await alice.place({"Idempotency-Key": key})  # type: ignore[dict-item] # bytes go out as they are
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == ["/Idempotency-Key"]


async def test_an_order_that_never_left_is_cancelled_at_once_and_only_once(alice: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    response = await alice.post(f"/api/v1/orders/{order_id.upper()}/cancel")
    assert response.status_code == 200
    assert response.json()["status"] == "CANCELLED"
    assert response.headers["etag"] == '"2"'
    problem = problem_of(await alice.post(f"/api/v1/orders/{order_id}/cancel"), 400, "ORDER_NOT_CANCELLABLE")
    assert problem["detail"] == "The order is CANCELLED and cannot be cancelled"


async def test_an_order_at_the_venue_is_asked_back(alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.accept(order_id)
    for _ in range(2):
        response = await alice.post(f"/api/v1/orders/{order_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "PENDING_CANCEL")


async def test_what_the_venue_says_at_once_is_in_the_answer_to_a_cancel(alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.accept(order_id)
    answer = asyncio.create_task(alice.post(f"/api/v1/orders/{order_id}/cancel"))
    while (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] != "PENDING_CANCEL":
        await asyncio.sleep(0.01)
    # Other traders' events, and a fill that crosses the cancel, are no answer to it.
    await alice.place()
    await world.fill(order_id, "0.5", "150")
    await world.report(order_id, RecordCancellation("as asked"))
    assert (await answer).json()["status"] == "CANCELLED"


async def test_somebody_elses_order_is_not_there(alice: Client, bob: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    problem_of(await bob.post(f"/api/v1/orders/{order_id}/cancel"), 404, "NOT_FOUND")
    for path in (order_id, f"{order_id}/events", f"{order_id}/fills", f"{order_id}?version=1"):
        problem_of(await bob.get(f"/api/v1/orders/{path}"), 404, "NOT_FOUND")
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["status"] == "PENDING"


async def test_ops_move_cash_and_see_the_account(ops: Client, bob: Client) -> None:
    path = f"/api/v1/accounts/{bob.trader_id}"
    response = await ops.post(f"{path}/deposits", {"amount": "1000.50"})
    account = response.json()
    assert response.status_code == 200
    assert account.pop("position") > 0
    assert account == {
        "trader_id": bob.trader_id,
        "currency": "USD",
        "cash": "1000.50",
        "reserved": "0.00",
        "available": "1000.50",
        "buying_power": "1000.50",
        "equity": "1000.50",
        "market_value": "0.00",
        "realised_pnl": "0.00",
        "unrealised_pnl": "0.00",
        "commission": "0.00",
        "open_orders": 0,
        "positions": [],
    }
    AccountView.model_validate_json(response.content)
    response = await ops.post(f"{path}/withdrawals", {"amount": 1000})
    assert response.json()["cash"] == "0.50"
    response = await ops.post(f"{path}/withdrawals", {"amount": 1})
    problem = problem_of(response, 400, "INSUFFICIENT_FUNDS")
    assert problem["detail"] == "Insufficient funds to withdraw $1.00; available: $0.50"


async def test_a_deposit_with_a_key_is_booked_once(ops: Client, bob: Client) -> None:
    path = f"/api/v1/accounts/{bob.trader_id}/deposits"
    key = {"Idempotency-Key": "payday"}
    for _ in range(2):
        assert (await ops.post(path, {"amount": "10"}, headers=key)).json()["cash"] == "10.00"
    problem_of(await ops.post(path, {"amount": "11"}, headers=key), 422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("amount", ["0", "-5", "1.001", "NaN", "1e400", "", None, [], True, "1000000000000"])
async def test_a_bad_amount_is_refused(ops: Client, amount: object) -> None:
    response = await ops.post("/api/v1/accounts/bob/deposits", {"amount": amount})
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == ["/amount"]


async def test_cash_of_nobody_cannot_be_moved(ops: Client) -> None:
    problem_of(await ops.post("/api/v1/accounts/%20/deposits", {"amount": "1"}), 404, "NOT_FOUND")
