from datetime import UTC, datetime

import pytest

from api.schemas import AccountView, EntriesPage, FillsPage, InstrumentsPage, OrdersPage, OrderView, PositionsPage
from api.views import time_text
from tests.api.clients import FILLED_AT, PRICED_AT, Client, World, problem_of


async def filled_order(alice: Client, world: World) -> str:
    """An order for 10 AAPL of which 4 and 2 are filled."""
    order_id: str = (await alice.place(quantity="10", price="150")).json()["id"]
    await world.accept(order_id)
    await world.fill(order_id, "4", "149.5")
    await world.fill(order_id, "2", "148")
    return order_id


async def test_an_order_is_as_fresh_as_the_log(alice: Client, world: World) -> None:
    order_id = await filled_order(alice, world)
    response = await alice.get(f"/api/v1/orders/{order_id}")
    order = response.json()
    assert response.headers["etag"] == '"4"'
    assert (order["status"], order["version"]) == ("PARTIALLY_FILLED", 4)
    assert (order["filled_quantity"], order["leaves_quantity"], order["average_fill_price"]) == ("6", "4", "149.00")
    assert order["fills"][0] | {"id": 0} == {
        "id": 0,
        "order_id": order_id,
        "timestamp": "2026-01-02T03:04:05.000006Z",
        "quantity_filled": "4",
        "price_at_fill": "149.50",
        "venue": "paper",
        "commission": "0.10",
    }
    OrderView.model_validate_json(response.content)


async def test_an_order_can_be_seen_as_it_was(alice: Client, world: World) -> None:
    before = datetime.now(UTC).isoformat().replace("+00:00", "Z")  # noqa: TID251 - the test's own moment
    order_id = await filled_order(alice, world)
    path = f"/api/v1/orders/{order_id}"
    versions = [(await alice.get(f"{path}?version={version}")).json() for version in (1, 2, 3, 4)]
    assert [order["status"] for order in versions] == ["PENDING", "ACCEPTED", "PARTIALLY_FILLED", "PARTIALLY_FILLED"]
    assert [order["filled_quantity"] for order in versions] == ["0", "0", "4", "6"]
    for order in versions:
        as_of = (await alice.get(f"{path}?as_of={order['updated_at']}")).json()
        assert as_of["version"] >= order["version"]
    problem_of(await alice.get(f"{path}?version=5"), 404, "NOT_FOUND")
    problem_of(await alice.get(f"{path}?as_of={before}"), 404, "NOT_FOUND")
    assert (await alice.get(f"{path}?as_of=2099-12-31t23:59:59%2b14:00")).json()["version"] == 4


async def test_an_order_that_has_not_changed_is_not_sent_again(alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    path = f"/api/v1/orders/{order_id}"
    for condition in ('"1"', 'W/"1"', '"7", "1"', "*"):
        response = await alice.get(path, headers={"If-None-Match": condition})
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", '"1"')
    await world.accept(order_id)
    for condition in ('"1"', "1", ""):
        assert (await alice.get(path, headers={"If-None-Match": condition})).status_code == 200


async def test_the_head_of_an_answer_can_be_asked_for_alone(alice: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    response = await alice.request("HEAD", f"/api/v1/orders/{order_id}")
    assert (response.status_code, response.headers["etag"]) == (200, '"1"')


async def test_orders_are_listed_newest_first_with_their_fills(alice: Client, world: World) -> None:
    filled = await filled_order(alice, world)
    others = [(await alice.place(symbol="MSFT", quantity=str(number))).json()["id"] for number in (1, 2, 3)]
    await alice.post(f"/api/v1/orders/{others[0]}/cancel")
    await world.projected()

    response = await alice.get("/api/v1/orders")
    page = response.json()
    assert [order["id"] for order in page["orders"]] == [*reversed(others), filled]
    assert page["orders"][-1] == (await alice.get(f"/api/v1/orders/{filled}")).json()
    assert page["next_cursor"] is None
    OrdersPage.model_validate_json(response.content)

    async def ids(query: str) -> list[str]:
        return [order["id"] for order in (await alice.get(f"/api/v1/orders?{query}")).json()["orders"]]

    assert await ids("status=PARTIALLY_FILLED") == [filled]
    assert await ids("symbol=MSFT&status=PENDING") == [others[2], others[1]]
    assert await ids("symbol=ZZZZ") == []
    assert await ids("limit=2&offset=1") == [others[1], others[0]]
    first = (await alice.get("/api/v1/orders?limit=2")).json()
    assert await ids(f"limit=2&cursor={first['next_cursor']}") == [others[0], filled]


async def test_a_list_waits_for_the_position_that_its_reader_knows(alice: Client) -> None:
    for _ in range(5):
        order = (await alice.place()).json()
        page = (await alice.get(f"/api/v1/orders?min_position={order['position']}&limit=1")).json()
        assert page["position"] >= order["position"]
        assert page["orders"][0]["id"] == order["id"]


async def test_a_list_does_not_wait_for_ever(alice: Client) -> None:
    response = await alice.get("/api/v1/orders?min_position=9000000000")
    assert response.json()["orders"] == []


async def test_fills_are_those_of_the_log(alice: Client, world: World) -> None:
    order_id = await filled_order(alice, world)
    response = await alice.get(f"/api/v1/orders/{order_id}/fills")
    assert [fill["quantity_filled"] for fill in response.json()["fills"]] == ["4", "2"]
    assert response.json()["position"] > 0
    FillsPage.model_validate_json(response.content)


async def test_an_account_shows_cash_what_is_held_and_what_positions_are_worth(alice: Client, world: World) -> None:
    await filled_order(alice, world)
    await world.projected()
    response = await alice.get("/api/v1/account")
    account = response.json()
    assert account.pop("position") > 0
    assert account == {
        "trader_id": alice.trader_id,
        "currency": "USD",
        "cash": "99105.80",
        "reserved": "600.00",
        "available": "98505.80",
        "buying_power": "98505.80",
        "equity": "100005.80",
        "market_value": "900.00",
        "realised_pnl": "0.00",
        "unrealised_pnl": "6.00",
        "commission": "0.20",
        "open_orders": 1,
        "positions": [
            {
                "symbol": "AAPL",
                "quantity": "6",
                "average_price": "149.00",
                "cost": "894.00",
                "realised_pnl": "0.00",
                "unrealised_pnl": "6.00",
                "commission": "0.20",
                "reference_price": "150.00",
                "price_at": time_text(PRICED_AT),
                "market_value": "900.00",
            }
        ],
    }
    AccountView.model_validate_json(response.content)

    response = await alice.get("/api/v1/positions")
    assert response.json()["positions"] == account["positions"]
    PositionsPage.model_validate_json(response.content)


async def test_a_position_that_nobody_can_value_is_worth_nothing_known(alice: Client, world: World) -> None:
    order_id = (await alice.place(symbol="MUTE")).json()["id"]
    await world.fill(order_id, "1", "100")
    await world.projected()
    account = (await alice.get("/api/v1/account")).json()
    (position,) = account["positions"]
    assert (position["average_price"], position["unrealised_pnl"]) == ("100.00", None)
    assert (position["reference_price"], position["price_at"], position["market_value"]) == (None, None, None)
    assert (account["equity"], account["market_value"], account["unrealised_pnl"]) == (None, None, None)
    assert (account["cash"], account["realised_pnl"]) == ("99899.90", "0.00")


async def test_nothing_is_worth_nothing_whatever_it_would_cost(alice: Client, world: World) -> None:
    await world.fill((await alice.place(symbol="MUTE")).json()["id"], "1", "100")
    await world.fill((await alice.place(symbol="MUTE", side="SELL")).json()["id"], "1", "103")
    await world.projected()
    account = (await alice.get("/api/v1/account")).json()
    (position,) = account["positions"]
    assert (position["quantity"], position["unrealised_pnl"], position["market_value"]) == ("0", "0.00", "0.00")
    assert (account["equity"], account["realised_pnl"], account["commission"]) == ("100002.80", "3.00", "0.20")


async def test_an_account_can_be_seen_as_it_was(alice: Client, world: World) -> None:
    order_id = (await alice.place(quantity="10", price="150")).json()["id"]
    before = (await alice.get(f"/api/v1/orders/{order_id}")).json()["updated_at"]
    await world.fill(order_id, "10", "150")

    account = (await alice.get(f"/api/v1/account?as_of={before}")).json()
    assert (account["cash"], account["reserved"], account["positions"]) == ("100000.00", "1500.00", [])
    assert (await alice.get(f"/api/v1/positions?as_of={before}")).json()["positions"] == []
    now = (await alice.get(f"/api/v1/orders/{order_id}")).json()["updated_at"]
    assert (await alice.get(f"/api/v1/account?as_of={now}")).json()["cash"] == "98499.90"
    (position,) = (await alice.get(f"/api/v1/positions?as_of={now}")).json()["positions"]
    assert position["quantity"] == "10"
    assert (await alice.get("/api/v1/account?as_of=1999-01-01T00:00:00Z")).json()["position"] == 0


async def test_a_trader_who_never_had_money_has_an_account_with_nothing(bob: Client) -> None:
    account = (await bob.get("/api/v1/account")).json()
    assert (account["cash"], account["available"], account["positions"]) == ("0.00", "0.00", [])
    assert (await bob.get("/api/v1/positions")).json()["positions"] == []


async def test_the_execution_log_tells_a_trader_their_own_story(
    alice: Client, bob: Client, auditor: Client, ops: Client, world: World
) -> None:
    order_id = await filled_order(alice, world)
    other = (await alice.place()).json()["id"]
    await world.projected()
    response = await alice.get(f"/api/v1/execution-log?order_id={order_id}")
    entries = response.json()["entries"]
    assert [entry["action"] for entry in entries] == ["SUBMITTED", "ACCEPTED", "FILLED", "FILLED"]
    assert [entry["status"] for entry in entries] == ["PENDING", "ACCEPTED", "PARTIALLY_FILLED", "PARTIALLY_FILLED"]
    assert entries[0]["trader_id"] == alice.trader_id
    EntriesPage.model_validate_json(response.content)

    for reader in (auditor, ops):
        assert (await reader.get(f"/api/v1/execution-log?order_id={order_id}")).json()["entries"] == entries
    assert (await bob.get(f"/api/v1/execution-log?order_id={order_id}")).json()["entries"] == []
    mine = (await alice.get("/api/v1/execution-log")).json()["entries"]
    assert {entry["order_id"] for entry in mine} == {order_id, other}
    rest = (await alice.get(f"/api/v1/execution-log?after={mine[0]['id']}&limit=2")).json()["entries"]
    assert rest == mine[1:3]


async def test_instruments_come_with_their_prices(alice: Client) -> None:
    response = await alice.get("/api/v1/instruments")
    instruments = {each["symbol"]: each for each in response.json()["instruments"]}
    assert instruments["MSFT"] == {
        "symbol": "MSFT",
        "name": "MSFT Inc.",
        "tradable": True,
        "fractionable": True,
        "reference_price": "1.2345",
        "price_at": time_text(PRICED_AT),
        "tick_size": None,
        "tick_size_below_dollar": None,
        "lot_size": None,
        "min_quantity": None,
        "max_quantity": None,
        "fractional_day_only": False,
    }
    rules = {
        "tick_size": "0.01",
        "tick_size_below_dollar": "0.0001",
        "lot_size": "0.000000001",
        "min_quantity": "0.000000001",
        "max_quantity": None,
        "fractional_day_only": True,
    }
    assert instruments["GRID"] == instruments["GRID"] | rules
    assert instruments["MUTE"]["reference_price"] is None
    assert not instruments["HALT"]["tradable"]
    InstrumentsPage.model_validate_json(response.content)


@pytest.mark.parametrize("offset", ["Z", "%2B00:00", "-00:00"])
async def test_a_time_is_the_same_however_its_offset_is_written(alice: Client, offset: str) -> None:
    order_id = (await alice.place()).json()["id"]
    assert (await alice.get(f"/api/v1/orders/{order_id}?as_of=2099-01-01T00:00:00{offset}")).status_code == 200


def test_fills_happen_at_a_time_with_microseconds() -> None:
    assert FILLED_AT.microsecond == 6


async def test_everything_can_be_seen_as_it_was_when_the_log_ended_somewhere(alice: Client, world: World) -> None:
    order = (await alice.place(quantity="10", price="150")).json()
    end = await world.engine.store.position()
    await world.fill(order["id"], "4", "150")
    await alice.place(quantity="1")
    await world.projected()

    then = (await alice.get(f"/api/v1/orders/{order['id']}?position={end}")).json()
    assert then == order
    problem_of(await alice.get(f"/api/v1/orders/{order['id']}?position={order['position'] - 1}"), 404, "NOT_FOUND")
    account = (await alice.get(f"/api/v1/account?position={end}")).json()
    assert (account["cash"], account["reserved"], account["position"]) == ("100000.00", "1500.00", end)
    assert (await alice.get(f"/api/v1/positions?position={end}")).json() == {"positions": [], "position": end}
    response = await alice.get(f"/api/v1/orders?position={end}")
    assert response.json() == {"orders": [order], "next_cursor": None, "position": end}
    OrdersPage.model_validate_json(response.content)
    assert (await alice.get(f"/api/v1/orders?as_of={order['created_at']}")).json()["orders"] == [order]
    assert (await alice.get(f"/api/v1/orders?position={end}&status=FILLED")).json()["orders"] == []
    assert len((await alice.get("/api/v1/orders?as_of=2099-01-01T00:00:00Z&limit=1")).json()["orders"]) == 1


async def test_what_was_held_is_valued_at_the_prices_of_now(alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.fill(order_id, "1", "100")
    end = await world.engine.store.position()
    await world.projected()
    now = (await alice.get("/api/v1/positions")).json()
    then = (await alice.get(f"/api/v1/positions?position={end}")).json()
    assert then == now
    assert then["positions"][0]["price_at"]
