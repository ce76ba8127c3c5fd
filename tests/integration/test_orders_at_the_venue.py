"""Orders of every kind from end to end: over HTTP, through the processes of the engine, at the paper venue."""

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from infrastructure.exchanges.paper import server
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.read_models import ReadModels
from infrastructure.postgres.verification import verify
from projections.registry import PROJECTIONS
from tests.conftest import fresh_database
from tests.engine_process import PATIENCE_SECONDS, RunningEngine, place, running_engine, wait_for_order
from tests.infrastructure.postgres.pools import pool_of
from tests.venue_server import running_venue

# The house quotes 1,000 shares a cent from the price, 2,000 two cents from it, and so on for five levels; of bitcoins 10, 20, ...
SPY = {"symbol": "SPY", "quantity": "10"}
_NUMBERS = itertools.count(1)
Order = dict[str, Any]


@pytest.fixture(scope="module")
def database(postgres: str, migrated_template: str) -> Iterator[str]:
    with fresh_database(postgres, template=migrated_template) as url:
        yield url


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[RunningEngine]:
    home = tmp_path_factory.mktemp("engine") / "home"
    with running_engine(home, DATABASE_URL=database, ORDERLOG_RECONCILE_SECONDS="1") as engine:
        yield engine


@pytest.fixture
def alice(engine: RunningEngine) -> Iterator[httpx2.Client]:
    """A trader of the test's own with 100 million dollars, in a market in which SPY costs 500 and a bitcoin 60,000."""
    engine.move_price("SPY", "500")
    engine.move_price("BTC/USD", "60000")
    with trader_of(engine, "alice") as client:
        yield client


@contextmanager
def trader_of(engine: RunningEngine, name: str) -> Iterator[httpx2.Client]:
    trader = f"{name}-{next(_NUMBERS)}"
    engine.fund(trader, "100000000")
    with engine.client(trader) as client:
        yield client


@contextmanager
def messages(engine: RunningEngine, client: httpx2.Client) -> Iterator[ClientConnection]:
    """What the trader is told from now on."""
    ticket = client.post("/api/v1/stream-tickets").raise_for_status().json()["ticket"]
    with connect(f"{engine.url.replace('http', 'ws', 1)}/ws/orders/events?ticket={ticket}") as connection:
        yield connection


def told(connection: ClientConnection, name: str) -> dict[str, Any]:
    """The next message of this name."""
    while True:
        message: dict[str, Any] = json.loads(connection.recv(timeout=PATIENCE_SECONDS))
        if message["event"] == name:
            return message


def replace(client: httpx2.Client, order: Order, **terms: str) -> Order:
    answer = client.post(f"/api/v1/orders/{order['id']}/replace", json=terms)
    assert answer.status_code == 200, answer.text
    found: Order = answer.json()
    return found


def until(look: Callable[[], Any]) -> Any:
    """What is seen as soon as there is something to see."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (seen := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return seen


def filled(order: Order) -> Decimal:
    return Decimal(order["filled_quantity"])


# ── Replacing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_resting_order_is_replaced_within_the_request(engine: RunningEngine, alice: httpx2.Client) -> None:
    order = place(alice, SPY | {"order_type": "LIMIT", "price": "400"})
    wait_for_order(alice, order["id"], "ACCEPTED")
    with messages(engine, alice) as connection:
        # The venue has 400 ms to be in the answer; on a machine that has other things to do it may need several tries.
        for number in range(1, 20):
            answer = replace(alice, order, price=f"{400 + number}", quantity=f"{10 + number}")
            if answer["status"] == "ACCEPTED":
                break
            wait_for_order(alice, order["id"], "ACCEPTED")
        assert (answer["status"], answer["id"]) == ("ACCEPTED", order["id"])
        assert (answer["price"], answer["quantity"]) == (f"{400 + number}.00", f"{10 + number}")
        message = told(connection, "order.replaced")
        assert (message["order_id"], message["status"]) == (order["id"], "ACCEPTED")
        assert (message["price"], message["quantity"], message["stop_price"]) == ("401", "11", None)
    (working,) = [each for each in engine.at_venue("GET", "/v2/orders") if each["symbol"] == "SPY"]
    assert (Decimal(working["limit_price"]), Decimal(working["qty"])) == (
        Decimal(400 + number),
        Decimal(10 + number),
    )
    assert alice.get("/api/v1/account").json()["reserved"] == f"{(400 + number) * (10 + number)}.00"
    alice.post(f"/api/v1/orders/{order['id']}/cancel").raise_for_status()
    wait_for_order(alice, order["id"], "CANCELLED")


def test_a_replacement_that_meets_the_market_is_filled_and_keeps_the_fills_of_before(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    order = place(alice, SPY | {"quantity": "1500", "order_type": "LIMIT", "price": "500.01"})
    part = wait_for_order(alice, order["id"], "PARTIALLY_FILLED")
    assert filled(part) == 1000
    replace(alice, order, price="500.02", quantity="1200")
    done = wait_for_order(alice, order["id"], "FILLED")
    assert (done["filled_quantity"], done["quantity"], done["leaves_quantity"]) == ("1200", "1200", "0")
    assert [fill["price_at_fill"] for fill in done["fills"]] == ["500.01", "500.02"]
    assert engine.at_venue("GET", "/v2/positions/SPY")["qty"] == "1200"
    account = alice.get("/api/v1/account").json()
    assert (account["reserved"], account["positions"][0]["quantity"]) == ("0.00", "1200")
    sale = place(alice, SPY | {"side": "SELL", "quantity": "1200", "order_type": "MARKET"})
    wait_for_order(alice, sale["id"], "FILLED")


def test_replacements_that_are_asked_for_at_once_end_in_one_order_on_the_last_terms(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    order = place(alice, SPY | {"order_type": "LIMIT", "price": "400"})
    for number in range(1, 6):
        replace(alice, order, price=f"{400 + number}")
    done = until(lambda: (now := wait_for_order(alice, order["id"], "ACCEPTED"))["price"] == "405.00" and now)
    assert done["quantity"] == "10"
    (working,) = [each for each in engine.at_venue("GET", "/v2/orders") if each["symbol"] == "SPY"]
    assert Decimal(working["limit_price"]) == 405
    alice.post(f"/api/v1/orders/{order['id']}/cancel").raise_for_status()
    wait_for_order(alice, order["id"], "CANCELLED")
    assert [each for each in engine.at_venue("GET", "/v2/orders") if each["symbol"] == "SPY"] == []


# ── Exits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def exits_of(client: httpx2.Client, entry: Order) -> tuple[Order, Order]:
    """The take-profit and the stop-loss of an order that one fill filled, as soon as both work at the venue."""

    def look() -> tuple[Order, Order] | None:
        page = client.get("/api/v1/orders").raise_for_status().json()["orders"]
        exits = {each["order_type"]: each for each in page if each["parent_order_id"] == entry["id"]}
        if [each["status"] for each in exits.values()] != ["ACCEPTED", "ACCEPTED"]:
            return None
        return exits["LIMIT"], exits["STOP"]

    found: tuple[Order, Order] = until(look)
    return found


def position(client: httpx2.Client, symbol: str) -> str:
    positions = client.get("/api/v1/positions").raise_for_status().json()["positions"]
    return next((str(each["quantity"]) for each in positions if each["symbol"] == symbol), "0")


def never_oversold(engine: RunningEngine, client: httpx2.Client) -> bool:
    """Whether the trader never sold what they did not have, by the log."""
    trader = client.get("/api/v1/account").json()["trader_id"]
    with engine.client("auditor", "auditor") as auditor:
        query = {"trader_id": trader, "type": "TradeBooked", "limit": "1000"}
        trades = [event["data"] for event in auditor.get("/api/v1/events", params=query).json()["events"]]
    signed = [Decimal(trade["quantity"]) * (1 if trade["side"] == "BUY" else -1) for trade in trades]
    return min(itertools.accumulate(signed)) >= 0


@pytest.mark.parametrize(("price", "filled_exit"), [("521", "LIMIT"), ("479", "STOP")])
def test_of_two_exits_one_is_filled_and_the_other_cancelled(
    engine: RunningEngine, alice: httpx2.Client, price: str, filled_exit: str
) -> None:
    entry = place(alice, SPY | {"order_type": "LIMIT", "price": "501", "stop_loss": "480", "take_profit": "520"})
    wait_for_order(alice, entry["id"], "FILLED")
    take_profit, stop_loss = exits_of(alice, entry)
    for order in (take_profit, stop_loss):
        assert (order["side"], order["quantity"], order["time_in_force"]) == ("SELL", "10", "GTC")
        assert order["trader_id"] == entry["trader_id"]
    assert (take_profit["price"], stop_loss["stop_price"]) == ("520.00", "480.00")
    assert (take_profit["oco_order_id"], stop_loss["oco_order_id"]) == (stop_loss["id"], take_profit["id"])
    assert position(alice, "SPY") == "10"
    answer = alice.post("/api/v1/orders", json=SPY | {"side": "SELL", "quantity": "1", "order_type": "MARKET"})
    assert answer.json()["code"] == "INSUFFICIENT_POSITION"

    engine.move_price("SPY", price)
    gone, left = (take_profit, stop_loss) if filled_exit == "LIMIT" else (stop_loss, take_profit)
    assert filled(wait_for_order(alice, gone["id"], "FILLED")) == 10
    assert filled(wait_for_order(alice, left["id"], "CANCELLED")) == 0
    assert position(alice, "SPY") == "0"
    account = alice.get("/api/v1/account").json()
    bought, sold = (alice.get(f"/api/v1/orders/{each['id']}").json()["fills"] for each in (entry, gone))
    cash = Decimal(100_000_000) - sum(value(fill) for fill in bought) + sum(value(fill) for fill in sold)
    assert (Decimal(account["cash"]), account["reserved"]) == (cash, "0.00")
    assert never_oversold(engine, alice)
    assert [each for each in engine.at_venue("GET", "/v2/positions") if each["symbol"] == "SPY"] == []
    assert [each for each in engine.at_venue("GET", "/v2/orders") if each["symbol"] == "SPY"] == []


def value(fill: dict[str, str]) -> Decimal:
    return Decimal(fill["quantity_filled"]) * Decimal(fill["price_at_fill"])


def test_what_one_exit_fills_in_part_the_other_no_longer_sells(engine: RunningEngine, alice: httpx2.Client) -> None:
    coins = {"symbol": "BTC/USD", "order_type": "LIMIT", "price": "60000.01"}
    entry = place(alice, coins | {"quantity": "8", "stop_loss": "59000", "take_profit": "60010"})
    wait_for_order(alice, entry["id"], "FILLED")
    take_profit, stop_loss = exits_of(alice, entry)
    with trader_of(engine, "bob") as bob:
        # The house offers 150 below the take-profit; three more are taken from it.
        greedy = place(bob, coins | {"quantity": "153", "price": "60010", "time_in_force": "IOC"})
        assert filled(wait_for_order(bob, greedy["id"], "FILLED")) == 153
    assert filled(wait_for_order(alice, take_profit["id"], "PARTIALLY_FILLED")) == 3
    reduced = until(lambda: (now := get(alice, stop_loss))["leaves_quantity"] == "5" and now)
    assert (reduced["status"], reduced["filled_quantity"]) == ("ACCEPTED", "0")
    engine.move_price("BTC/USD", "58000")
    assert filled(wait_for_order(alice, stop_loss["id"], "FILLED")) == 5
    assert filled(wait_for_order(alice, take_profit["id"], "CANCELLED")) == 3
    assert position(alice, "BTC/USD") == "0"
    assert never_oversold(engine, alice)
    assert alice.get("/api/v1/account").json()["reserved"] == "0.00"


def get(client: httpx2.Client, order: Order) -> Order:
    found: Order = client.get(f"/api/v1/orders/{order['id']}").raise_for_status().json()
    return found


def test_every_fill_of_an_entry_has_exits_of_its_own(engine: RunningEngine, alice: httpx2.Client) -> None:
    bracket = {"order_type": "LIMIT", "price": "500.02", "stop_loss": "480", "take_profit": "520"}
    entry = place(alice, SPY | {"quantity": "1200"} | bracket)
    assert [fill["quantity_filled"] for fill in wait_for_order(alice, entry["id"], "FILLED")["fills"]] == [
        "1000",
        "200",
    ]

    def working() -> list[Order]:
        page = alice.get("/api/v1/orders", params={"status": "ACCEPTED"}).json()["orders"]
        return [each for each in page if each["parent_order_id"] == entry["id"]]

    exits = until(lambda: len(working()) == 4 and working())
    assert sorted((each["order_type"], each["quantity"]) for each in exits) == [
        ("LIMIT", "1000"),
        ("LIMIT", "200"),
        ("STOP", "1000"),
        ("STOP", "200"),
    ]
    engine.move_price("SPY", "521")
    until(lambda: position(alice, "SPY") == "0" and not working())
    assert never_oversold(engine, alice)


def test_exits_can_be_replaced_and_an_exit_that_is_cancelled_takes_the_other_with_it(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    entry = place(alice, SPY | {"order_type": "LIMIT", "price": "501", "stop_loss": "480", "take_profit": "520"})
    wait_for_order(alice, entry["id"], "FILLED")
    take_profit, stop_loss = exits_of(alice, entry)
    replace(alice, stop_loss, stop_price="490")
    until(lambda: get(alice, stop_loss)["stop_price"] == "490.00")
    replace(alice, take_profit, price="530")
    until(lambda: get(alice, take_profit)["price"] == "530.00")
    working = [
        each
        for each in engine.at_venue(
            "GET",
            "/v2/orders",
        )
        if each["symbol"] == "SPY"
    ]
    assert {(each["limit_price"], each["stop_price"]) for each in working} == {("530", None), (None, "490")}
    alice.post(f"/api/v1/orders/{take_profit['id']}/cancel").raise_for_status()
    wait_for_order(alice, take_profit["id"], "CANCELLED")
    wait_for_order(alice, stop_loss["id"], "CANCELLED")
    sale = place(alice, SPY | {"side": "SELL", "order_type": "MARKET"})
    wait_for_order(alice, sale["id"], "FILLED")
    assert position(alice, "SPY") == "0"


# ── Kinds of orders ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stop_order_becomes_a_market_order_when_the_price_gets_there(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    order = place(alice, SPY | {"order_type": "STOP", "stop_price": "510"})
    wait_for_order(alice, order["id"], "ACCEPTED")
    engine.move_price("SPY", "509.99")
    assert get(alice, order)["status"] == "ACCEPTED"
    engine.move_price("SPY", "512")
    done = wait_for_order(alice, order["id"], "FILLED")
    assert (done["average_fill_price"], done["stop_price"], done["price"]) == ("512.01", "510.00", None)
    sale = place(alice, SPY | {"order_type": "STOP", "side": "SELL", "price": "505"})
    wait_for_order(alice, sale["id"], "ACCEPTED")
    engine.move_price("SPY", "504")
    assert wait_for_order(alice, sale["id"], "FILLED")["average_fill_price"] == "503.99"
    assert position(alice, "SPY") == "0"


def test_a_stop_limit_order_becomes_a_limit_order_when_the_price_gets_there(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    order = place(alice, SPY | {"order_type": "STOP_LIMIT", "stop_price": "510", "price": "511"})
    wait_for_order(alice, order["id"], "ACCEPTED")
    engine.move_price("SPY", "520")  # beyond the limit: it rests
    (working,) = [each for each in engine.at_venue("GET", "/v2/orders") if each["symbol"] == "SPY"]
    assert (working["filled_qty"], get(alice, order)["status"]) == ("0", "ACCEPTED")
    engine.move_price("SPY", "508")  # below the stop price, which does not matter any more
    done = wait_for_order(alice, order["id"], "FILLED")
    assert [fill["price_at_fill"] for fill in done["fills"]] == ["511.00"]
    sale = place(alice, SPY | {"order_type": "MARKET", "side": "SELL"})
    wait_for_order(alice, sale["id"], "FILLED")


def test_an_ioc_order_takes_what_is_there_and_cancels_the_rest(engine: RunningEngine, alice: httpx2.Client) -> None:
    order = place(alice, SPY | {"quantity": "1500", "order_type": "LIMIT", "price": "500.01", "time_in_force": "IOC"})
    done = wait_for_order(alice, order["id"], "CANCELLED")
    assert (done["filled_quantity"], done["leaves_quantity"]) == ("1000", "0")
    nothing = place(alice, SPY | {"order_type": "LIMIT", "price": "400", "time_in_force": "IOC"})
    assert filled(wait_for_order(alice, nothing["id"], "CANCELLED")) == 0
    assert alice.get("/api/v1/account").json()["reserved"] == "0.00"
    sale = place(alice, SPY | {"quantity": "1000", "side": "SELL", "order_type": "MARKET", "time_in_force": "IOC"})
    wait_for_order(alice, sale["id"], "FILLED")
    assert engine.at_venue("GET", "/v2/orders") == []


def test_a_fok_order_takes_all_or_nothing(alice: httpx2.Client) -> None:
    too_much = place(
        alice, SPY | {"quantity": "1001", "order_type": "LIMIT", "price": "500.01", "time_in_force": "FOK"}
    )
    assert filled(wait_for_order(alice, too_much["id"], "CANCELLED")) == 0
    order = place(alice, SPY | {"quantity": "1000", "order_type": "LIMIT", "price": "500.01", "time_in_force": "FOK"})
    done = wait_for_order(alice, order["id"], "FILLED")
    assert (done["filled_quantity"], len(done["fills"])) == ("1000", 1)
    sale = place(alice, SPY | {"quantity": "1000", "side": "SELL", "order_type": "MARKET", "time_in_force": "FOK"})
    wait_for_order(alice, sale["id"], "FILLED")
    assert position(alice, "SPY") == "0"


def test_a_day_order_expires_with_its_day_and_a_gtc_order_works_on(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_LOOK_AT_CLOCK_SECONDS", 0.05)
    calendar = [datetime(2026, 11, 20, 12, tzinfo=UTC)]
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "ORDERLOG_EXCHANGE": "alpaca",
        "APCA_API_KEY_ID": "key",
        "APCA_API_SECRET_KEY": "secret",
    }
    limit = SPY | {"quantity": "1500", "order_type": "LIMIT", "price": "585.01"}
    with (
        running_venue(clock=lambda: calendar[-1]) as venue,
        running_engine(tmp_path / "home", ALPACA_BASE_URL=venue.url, **settings) as engine,
        trader_of(engine, "dora") as dora,
        messages(engine, dora) as connection,
    ):
        part = place(dora, limit | {"time_in_force": "DAY"})
        wait_for_order(dora, part["id"], "PARTIALLY_FILLED")
        rests = {
            time_in_force: place(dora, limit | {"price": "500", "time_in_force": time_in_force})
            for time_in_force in ("DAY", "GTC")
        }
        for order in rests.values():
            wait_for_order(dora, order["id"], "ACCEPTED")
        calendar.append(calendar[-1] + timedelta(days=1))
        expired = wait_for_order(dora, part["id"], "EXPIRED")
        assert (expired["filled_quantity"], expired["leaves_quantity"]) == ("1000", "0")
        assert filled(wait_for_order(dora, rests["DAY"]["id"], "EXPIRED")) == 0
        assert told(connection, "order.expired")["reason"] == expired["reason"]
        assert get(dora, rests["GTC"])["status"] == "ACCEPTED"
        # What was bought, and what the one that works on may still cost, is all that is gone.
        assert dora.get("/api/v1/account").json()["reserved"] == "750000.00"
        dora.post(f"/api/v1/orders/{rests['GTC']['id']}/cancel").raise_for_status()
        wait_for_order(dora, rests["GTC"]["id"], "CANCELLED")


# ── What the venue changes of its own accord ─────────────────────────────────────────────────────────────────────────


def test_a_trade_that_the_venue_corrects_and_takes_back_is_corrected_and_taken_back_here(
    engine: RunningEngine, alice: httpx2.Client
) -> None:
    order = place(alice, SPY | {"order_type": "LIMIT", "price": "500.01"})
    (fill,) = wait_for_order(alice, order["id"], "FILLED")["fills"]
    with messages(engine, alice) as connection:
        engine.at_venue("POST", "/control/corrections", execution_id=fill["id"], price="499.50")
        message = told(connection, "order.fill_corrected")
        assert (message["fill_id"], message["price_at_fill"], message["status"]) == (fill["id"], "499.5", "FILLED")
        corrected = get(alice, order)
        assert [each["price_at_fill"] for each in corrected["fills"]] == ["499.50"]
        until(lambda: alice.get("/api/v1/account").json()["cash"] == "99995005.00")

        execution = engine.at_venue("GET", "/v2/account/activities/FILL?direction=desc&page_size=1")[0]["id"]
        engine.move_price("SPY", "510")  # so that the order, which has more to do again, is not filled at once
        engine.at_venue("POST", "/control/busts", execution_id=execution.rpartition("::")[2])
        message = told(connection, "order.fill_busted")
        assert (message["quantity_filled"], message["filled_quantity"]) == ("0", "0")
    reopened = wait_for_order(alice, order["id"], "ACCEPTED")
    assert (reopened["fills"], reopened["leaves_quantity"], reopened["average_fill_price"]) == ([], "10", None)
    account = alice.get("/api/v1/account").json()
    assert (account["cash"], account["reserved"]) == ("100000000.00", "5000.10")
    assert position(alice, "SPY") == "0"
    page = alice.get("/api/v1/orders", params={"min_position": str(reopened["position"])}).json()
    assert page["orders"] == [reopened]
    alice.post(f"/api/v1/orders/{order['id']}/cancel").raise_for_status()
    wait_for_order(alice, order["id"], "CANCELLED")


def test_an_order_at_the_venue_that_is_not_ours_is_reported(engine: RunningEngine) -> None:
    terms = {"symbol": "SPY", "qty": "7", "side": "buy", "type": "limit", "limit_price": "1", "time_in_force": "gtc"}
    foreign = engine.at_venue("POST", "/v2/orders", client_order_id="somebody else's", **terms)
    with engine.client("auditor", "auditor") as auditor:
        query = {"type": "UnknownOrderReported"}
        (event,) = until(lambda: auditor.get("/api/v1/events", params=query).raise_for_status().json()["events"])
    assert (event["data"]["venue_order_id"], event["data"]["client_order_id"]) == (foreign["id"], "somebody else's")
    assert (event["data"]["quantity"], event["metadata"]["trader_id"]) == ("7", "")
    # Nobody cancels what is not ours.
    assert engine.at_venue("GET", f"/v2/orders/{foreign['id']}")["status"] == "new"
    engine.at_venue("DELETE", f"/v2/orders/{foreign['id']}")


async def test_the_read_tables_are_the_fold_of_everything_that_happened_here(
    engine: RunningEngine, database: str
) -> None:
    names = [projection.name for projection in PROJECTIONS]
    async with PostgresEventStore(database) as store, pool_of(database) as pool:
        end = await store.position()
        assert await ReadModels(pool).wait_for(names, end, PATIENCE_SECONDS)
        compared = await verify(database, store)
    assert engine.process.poll() is None
    assert [table.difference for table in compared] == [None] * len(PROJECTIONS)
    assert min(table.position for table in compared) >= end
