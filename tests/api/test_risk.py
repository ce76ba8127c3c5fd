"""Limits that ops changes while orders come in, each with its code; and the kill switch."""

from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import pytest
import pytest_asyncio

from api.asgi import build_app
from infrastructure.settings import Settings
from tests.api.clients import Client, World, pointers_of, problem_of
from tests.api.conftest import settings_of, working_engine

MARKET = {"order_type": "MARKET", "price": None}


async def limit(ops: Client, trader: Client, **limits: Any) -> dict[str, Any]:
    response = await ops.request("PUT", f"/api/v1/accounts/{trader.trader_id}/limits", json=limits)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def halt(ops: Client, scope: str, **more: Any) -> dict[str, Any]:
    response = await ops.post("/api/v1/halts", {"scope": scope, "reason": "a drill"} | more)
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def resume(ops: Client, scope: str) -> None:
    assert (await ops.request("DELETE", f"/api/v1/halts/{scope}")).status_code == 200


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nobody_has_limits_of_their_own_at_first(alice: Client, ops: Client) -> None:
    shown = (await ops.get(f"/api/v1/accounts/{alice.trader_id}/limits")).json()
    assert shown == {
        "trader_id": alice.trader_id,
        "max_position": "100000000",
        "max_order_quantity": "10000000",
        "max_order_notional": "1000000000.00",
        "max_open_orders": 1_000_000,
        "max_orders_per_second": 100_000,
        "max_daily_notional": "1000000000000.00",
        "price_collar_percent": None,
        "duplicate_window_seconds": 0,
        "restricted_symbols": [],
        "defaults": [
            "max_position",
            "max_order_quantity",
            "max_order_notional",
            "max_open_orders",
            "max_orders_per_second",
            "max_daily_notional",
            "price_collar_percent",
            "duplicate_window_seconds",
            "restricted_symbols",
        ],
        "position": shown["position"],
    }


async def test_limits_are_set_one_by_one_and_given_back_to_the_default(alice: Client, ops: Client) -> None:
    shown = await limit(ops, alice, max_position="5.5", max_open_orders=3, price_collar_percent=2.5, reason="new here")
    assert (shown["max_position"], shown["max_open_orders"], shown["price_collar_percent"]) == ("5.5", 3, "2.5")
    assert "max_position" not in shown["defaults"]
    shown = await limit(ops, alice, max_position=None)
    assert (shown["max_position"], shown["max_open_orders"]) == ("100000000", 3)
    assert "max_position" in shown["defaults"]
    assert (await ops.get(f"/api/v1/accounts/{alice.trader_id}/limits")).json() == shown


async def test_who_changed_limits_and_why_is_in_the_log(alice: Client, ops: Client, auditor: Client) -> None:
    shown = await limit(ops, alice, max_position=7, reason="new here")
    query = {"after": shown["position"] - 1, "limit": 1}
    (event,) = (await auditor.get("/api/v1/events", params=query)).json()["events"]
    assert (event["type"], event["data"]["max_position"], event["data"]["reason"]) == ("LimitsChanged", "7", "new here")
    assert event["metadata"]["actor"] == "ops:olga"
    assert event["metadata"]["trader_id"] == alice.trader_id
    # What is so already is no change.
    assert (await limit(ops, alice, max_position=7, reason="again"))["position"] == shown["position"]


async def test_traders_see_their_own_limits_and_nobody_else_s(alice: Client, bob: Client, auditor: Client) -> None:
    path = f"/api/v1/accounts/{alice.trader_id}/limits"
    assert (await alice.get(path)).json()["trader_id"] == alice.trader_id
    assert (await auditor.get(path)).status_code == 200
    problem_of(await bob.get(path), 404, "NOT_FOUND")
    problem_of(await bob.request("PUT", path, json={}), 403, "FORBIDDEN")
    problem_of(await auditor.get("/api/v1/accounts/%20/limits"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("limits", "pointers"),
    [
        ({"max_position": "-1"}, ["/max_position"]),
        ({"max_orders_per_second": 0, "max_open_orders": 1.5}, ["/max_open_orders", "/max_orders_per_second"]),
        ({"price_collar_percent": True}, ["/price_collar_percent"]),
        ({"restricted_symbols": ["nope"]}, ["/restricted_symbols"]),
        ({"reason": " "}, ["/reason"]),
        ({"max_speed": 1}, ["/max_speed"]),
    ],
)
async def test_wrong_limits_are_named(alice: Client, ops: Client, limits: dict[str, Any], pointers: list[str]) -> None:
    response = await ops.request("PUT", f"/api/v1/accounts/{alice.trader_id}/limits", json=limits)
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == pointers


@pytest.mark.parametrize(
    ("limits", "terms", "code"),
    [
        ({"max_position": "0.5"}, {}, "MAX_POSITION_EXCEEDED"),
        ({"max_order_quantity": "0.5"}, {}, "MAX_ORDER_QUANTITY_EXCEEDED"),
        ({"max_order_notional": "99.99"}, {}, "MAX_NOTIONAL_EXCEEDED"),
        ({"max_open_orders": 0}, {}, "MAX_OPEN_ORDERS_EXCEEDED"),
        ({"max_daily_notional": "99.99"}, {}, "MAX_DAILY_NOTIONAL_EXCEEDED"),
        ({"restricted_symbols": ["AAPL"]}, {}, "RESTRICTED_SYMBOL"),
        ({"price_collar_percent": 5}, {"price": "142.49"}, "PRICE_OUT_OF_COLLAR"),
        ({"price_collar_percent": 5}, {"symbol": "MUTE"}, "NO_REFERENCE_PRICE"),
        ({}, MARKET | {"symbol": "MUTE"}, "NO_REFERENCE_PRICE"),
    ],
)
async def test_an_order_above_a_limit_is_refused_with_its_code(
    alice: Client, ops: Client, limits: dict[str, Any], terms: dict[str, Any], code: str
) -> None:
    await limit(ops, alice, **limits)
    problem_of(await alice.place(**terms), 400, code)
    await limit(ops, alice, **dict.fromkeys(limits))
    if limits:
        assert (await alice.place(**terms)).status_code == 201


async def test_too_many_orders_in_a_second_have_to_wait(alice: Client, ops: Client) -> None:
    await limit(ops, alice, max_orders_per_second=2)
    first = await alice.place()
    await alice.place()
    refused = await alice.place()
    problem_of(refused, 429, "RATE_LIMITED")
    assert refused.headers["Retry-After"] in {"1", "2"}
    problem_of(await alice.replace(first.json()["id"], quantity="2"), 429, "RATE_LIMITED")


async def test_the_same_order_again_is_refused_unless_it_is_the_same_request(alice: Client, ops: Client) -> None:
    await limit(ops, alice, duplicate_window_seconds=60)
    first = await alice.place(headers={"Idempotency-Key": "once"})
    again = await alice.place(headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()) == (200, first.json())
    problem_of(await alice.place(), 400, "DUPLICATE_ORDER")
    assert (await alice.place(price="101")).status_code == 201


@pytest.mark.parametrize(
    ("limits", "terms", "code"),
    [
        ({"max_position": 1}, {"quantity": "2"}, "MAX_POSITION_EXCEEDED"),
        ({"max_order_quantity": 1}, {"quantity": "2"}, "MAX_ORDER_QUANTITY_EXCEEDED"),
        ({"max_order_notional": 100}, {"quantity": "2"}, "MAX_NOTIONAL_EXCEEDED"),
        ({"max_daily_notional": 100}, {"quantity": "2"}, "MAX_DAILY_NOTIONAL_EXCEEDED"),
        ({"restricted_symbols": ["AAPL"]}, {"quantity": "0.5"}, "RESTRICTED_SYMBOL"),
        ({"price_collar_percent": 5}, {"price": "101"}, "PRICE_OUT_OF_COLLAR"),
    ],
)
async def test_a_replacement_above_a_limit_is_refused_with_its_code(
    alice: Client, ops: Client, limits: dict[str, Any], terms: dict[str, Any], code: str
) -> None:
    order = (await alice.place()).json()
    await limit(ops, alice, **limits)
    problem_of(await alice.replace(order["id"], **terms), 400, code)
    await limit(ops, alice, **dict.fromkeys(limits))
    assert (await alice.replace(order["id"], **terms)).status_code == 200


@pytest_asyncio.fixture(loop_scope="module")
async def strict(settings: Settings) -> AsyncIterator[World]:
    """Another process on the same database, whose settings are stricter."""
    variables = {
        "ORDERLOG_MAX_ORDER_QUANTITY": "3",
        "ORDERLOG_RESTRICTED_SYMBOLS": "MSFT",
        "ORDERLOG_PRICE_AGE_MAX": "0.000001",
    }
    stricter = settings_of(str(settings.database_url), settings.home, **variables)
    async with working_engine(stricter) as engine:
        app = build_app(lambda: nullcontext(engine))
        async with app.router.lifespan_context(app), World(app, engine) as world:
            yield world


async def test_a_changed_default_holds_for_everybody_who_has_no_limit_of_their_own(
    strict: World, alice: Client, ops: Client
) -> None:
    trader = strict.client(alice.trader_id)
    problem_of(await trader.place(quantity="4"), 400, "MAX_ORDER_QUANTITY_EXCEEDED")
    problem_of(await trader.place(symbol="MSFT", price="1"), 400, "RESTRICTED_SYMBOL")
    await limit(ops, alice, max_order_quantity=5, restricted_symbols=[])
    assert (await trader.place(quantity="4")).status_code == 201
    problem_of(await trader.place(symbol="MSFT", price="1"), 400, "RESTRICTED_SYMBOL")
    shown = (await strict.client("olga", ("ops",)).get(f"/api/v1/accounts/{alice.trader_id}/limits")).json()
    assert (shown["max_order_quantity"], shown["restricted_symbols"]) == ("5", ["MSFT"])


async def test_a_price_that_is_too_old_is_not_relied_on(strict: World, alice: Client) -> None:
    trader = strict.client(alice.trader_id)
    problem = problem_of(await trader.place(**MARKET), 400, "STALE_PRICE")
    assert "send a LIMIT order or wait" in problem["detail"]
    assert (await trader.place()).status_code == 201
    assert (await alice.place(**MARKET)).status_code == 201


# ── The kill switch ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scope", ["all", "trader:{alice}", "symbol:AAPL"])
async def test_a_halt_refuses_what_is_new_and_lets_cancels_pass_until_trading_is_resumed(
    alice: Client, ops: Client, scope: str
) -> None:
    scope = scope.format(alice=alice.trader_id)
    working, other = [(await alice.place()).json()["id"] for _ in range(2)]
    await halt(ops, scope)
    problem_of(await alice.place(), 400, "TRADING_HALTED")
    problem_of(await alice.replace(working, quantity="2"), 400, "TRADING_HALTED")
    assert (await alice.post(f"/api/v1/orders/{other}/cancel")).json()["status"] == "CANCELLED"
    await resume(ops, scope)
    assert (await alice.place()).status_code == 201
    assert (await alice.replace(working, quantity="2")).status_code == 200


async def test_halts_are_listed_with_who_when_and_why_and_resumed_one_by_one(
    ops: Client, auditor: Client, bob: Client
) -> None:
    first = await halt(ops, "trader:mallory", reason="spoofing?")
    second = await halt(ops, "symbol:BTC/USD", cancel_open=True)
    assert (first["scope"], first["reason"], first["halted_by"]) == ("trader:mallory", "spoofing?", "ops:olga")
    assert (first["cancel_open"], second["cancel_open"], second["cancel_requested"]) == (False, True, False)
    page = (await auditor.get("/api/v1/halts")).json()
    assert page["halts"] == [first, second]
    assert page["position"] >= second["position"]
    left = await ops.request("DELETE", "/api/v1/halts/symbol:BTC%2FUSD", params={"reason": "over"})
    assert left.json()["halts"] == [first]
    problem_of(await ops.request("DELETE", "/api/v1/halts/symbol:BTC/USD"), 404, "NOT_FOUND")
    problem_of(await ops.request("DELETE", "/api/v1/halts/nonsense"), 404, "NOT_FOUND")
    problem_of(await bob.get("/api/v1/halts"), 403, "FORBIDDEN")
    problem_of(await bob.post("/api/v1/halts", {"scope": "all", "reason": "fun"}), 403, "FORBIDDEN")
    await resume(ops, "trader:mallory")
    assert (await ops.get("/api/v1/halts")).json()["halts"] == []


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"scope": "everything", "reason": "x"}, ["/scope"]),
        ({"scope": "symbol:aapl", "reason": "x"}, ["/scope"]),
        ({"scope": "all"}, ["/reason"]),
        ({"scope": "all", "reason": ""}, ["/reason"]),
        ({"scope": "all", "reason": "x", "cancel_open": "yes"}, ["/cancel_open"]),
    ],
)
async def test_what_is_wrong_with_a_halt_is_named(ops: Client, body: dict[str, Any], pointers: list[str]) -> None:
    response = await ops.post("/api/v1/halts", body)
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == pointers


async def test_a_halt_is_seen_by_another_process_with_its_next_order(strict: World, alice: Client, ops: Client) -> None:
    there = strict.client(alice.trader_id)
    assert (await there.place()).status_code == 201
    await halt(ops, f"trader:{alice.trader_id}")
    problem_of(await there.place(), 400, "TRADING_HALTED")
    await resume(ops, f"trader:{alice.trader_id}")
    assert (await there.place()).status_code == 201
