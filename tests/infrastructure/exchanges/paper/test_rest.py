"""Trading over HTTP, on a server that really listens."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from infrastructure.exchanges.paper.journal import Journal, JournalUnwritable
from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import running_venue

Json = dict[str, Any]


def place(http: httpx2.Client, **fields: object) -> Json:
    """Place a market order for ten AAPL, or whatever the fields make of it."""
    body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10", **fields}
    response = http.post("/v2/orders", json=body)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def get(http: httpx2.Client, path: str, **params: str) -> Any:
    response = http.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def test_an_order_is_acknowledged_and_then_found_filled(http: httpx2.Client) -> None:
    acknowledged = place(http, client_order_id="mine")
    assert str(UUID(acknowledged["id"])) == acknowledged["id"]
    assert (acknowledged["status"], acknowledged["filled_qty"]) == ("pending_new", "0")
    order = get(http, f"/v2/orders/{acknowledged['id']}")
    assert order == get(http, "/v2/orders:by_client_order_id", client_order_id="mine")
    assert order | {"created_at": 0, "updated_at": 0, "submitted_at": 0, "filled_at": 0, "expires_at": 0} == {
        "id": acknowledged["id"],
        "client_order_id": "mine",
        "created_at": 0,
        "updated_at": 0,
        "submitted_at": 0,
        "filled_at": 0,
        "expired_at": None,
        "expires_at": 0,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": get(http, "/v2/assets/AAPL")["id"],
        "symbol": "AAPL",
        "asset_class": "us_equity",
        "notional": None,
        "qty": "10",
        "filled_qty": "10",
        "filled_avg_price": "190.01",
        "order_class": "simple",
        "order_type": "market",
        "type": "market",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": None,
        "stop_price": None,
        "status": "filled",
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
    }


def test_an_order_without_a_client_order_id_gets_one(http: httpx2.Client) -> None:
    ids = {place(http)["client_order_id"], place(http, client_order_id="")["client_order_id"]}
    assert {str(UUID(client_order_id)) for client_order_id in ids} == ids
    assert len(ids) == 2


def test_amounts_may_be_numbers_or_strings_and_lose_no_digit(http: httpx2.Client) -> None:
    order = place(http, symbol="BTC/USD", type="limit", qty=0.123456789, limit_price="64000.000000001")
    assert (order["qty"], order["limit_price"]) == ("0.123456789", "64000.000000001")


def test_an_order_is_cancelled_once(http: httpx2.Client) -> None:
    order_id = place(http, type="limit", limit_price="185")["id"]
    response = http.delete(f"/v2/orders/{order_id}")
    assert (response.status_code, response.content) == (204, b"")
    assert get(http, f"/v2/orders/{order_id}")["status"] == "canceled"
    again = http.delete(f"/v2/orders/{order_id}")
    assert again.status_code == 422
    assert again.json() == {"code": 42210000, "message": 'order is already in "canceled" state'}


def test_an_order_is_replaced(http: httpx2.Client) -> None:
    old = place(http, type="limit", limit_price="185")
    response = http.patch(f"/v2/orders/{old['id']}", json={"qty": "20", "limit_price": "186"})
    new = response.json()
    assert response.status_code == 200
    assert (new["status"], new["qty"], new["limit_price"]) == ("pending_new", "20", "186")
    assert new["replaces"] == old["id"]
    assert get(http, f"/v2/orders/{old['id']}")["replaced_by"] == new["id"]


def test_all_open_orders_are_cancelled_together(http: httpx2.Client) -> None:
    ids = [place(http, type="limit", limit_price="185")["id"] for _ in range(2)]
    place(http)
    response = http.delete("/v2/orders")
    assert response.status_code == 207
    assert [(entry["id"], entry["status"], entry["body"]["status"]) for entry in response.json()] == [
        (ids[0], 200, "canceled"),
        (ids[1], 200, "canceled"),
    ]
    assert get(http, "/v2/orders") == []


def test_orders_are_listed(http: httpx2.Client) -> None:
    first = place(http, type="limit", limit_price="185")
    second = place(http, symbol="BTCUSD", qty="1")
    third = place(http, side="sell")

    def ids(**params: str) -> list[str]:
        return [order["id"] for order in get(http, "/v2/orders", **params)]

    assert ids() == [first["id"]]
    assert ids(status="closed") == [third["id"], second["id"]]
    assert ids(status="all", direction="asc", limit="2") == [first["id"], second["id"]]
    assert ids(status="all", symbols="BTC/USD,MSFT") == ids(status="all", symbols="BTCUSD") == [second["id"]]
    assert ids(status="all", symbols="NONE") == []
    assert ids(status="all", side="sell", nested="true", after="") == [third["id"]]
    assert ids(status="all", after=second["submitted_at"]) == [third["id"]]
    assert ids(status="all", until=second["submitted_at"].replace("Z", "")) == [first["id"]]


def test_a_plus_sign_that_was_not_encoded_is_still_a_time_zone(http: httpx2.Client) -> None:
    place(http)
    assert len(http.get("/v2/orders?status=all&after=2020-01-01T00:00:00+00:00").json()) == 1


def test_the_account_shows_what_was_bought(http: httpx2.Client) -> None:
    before = get(http, "/v2/account")
    place(http)
    place(http, symbol="MSFT", side="sell", qty="2")
    account = get(http, "/v2/account")
    assert float(before["cash"]) - float(account["cash"]) == pytest.approx(1900.10 - 839.98)
    assert (account["long_market_value"], account["short_market_value"]) == ("1900.1", "-839.98")
    assert account["equity"] == before["equity"]
    assert (account["status"], account["currency"]) == ("ACTIVE", "USD")


def test_positions_are_listed_and_found_by_symbol(http: httpx2.Client) -> None:
    place(http, symbol="BTC/USD", qty="2")
    place(http, side="sell")
    bitcoin, apple = get(http, "/v2/positions")
    assert bitcoin == get(http, "/v2/positions/BTC%2FUSD") == get(http, "/v2/positions/BTCUSD")
    assert (bitcoin["symbol"], bitcoin["qty"], bitcoin["side"]) == ("BTCUSD", "2", "long")
    assert (apple["qty"], apple["side"], apple["avg_entry_price"]) == ("-10", "short", "189.99")
    assert http.put("/control/prices/AAPL", json={"price": "180"}).status_code == 200
    apple = get(http, "/v2/positions/AAPL")
    assert (apple["current_price"], apple["unrealized_pl"], apple["cost_basis"]) == ("180", "99.9", "-1899.9")
    assert apple["unrealized_plpc"] == "0.052581715"


def test_assets_are_found_by_every_name_they_have(shared_http: httpx2.Client) -> None:
    assets = {asset["symbol"]: asset for asset in get(shared_http, "/v2/assets")}
    assert {"AAPL", "MSFT", "SPY", "TSLA", "GOOG", "BTC/USD"} <= set(assets)
    bitcoin = assets["BTC/USD"]
    assert (bitcoin["class"], bitcoin["price_increment"], bitcoin["fractionable"]) == ("crypto", "0.000000001", True)
    ether = assets["ETH/USD"]
    steps = (ether["price_increment"], ether["min_trade_increment"], ether["min_order_size"])
    assert steps == ("0.1", "0.0001", "0.001")
    assert "price_increment" not in assets["AAPL"]
    assert (assets["BRK.A"]["fractionable"], assets["TWTR"]["tradable"]) == (False, False)
    for name in ("BTC%2FUSD", "BTC/USD", "BTCUSD", bitcoin["id"]):
        assert get(shared_http, f"/v2/assets/{name}") == bitcoin


def test_the_market_is_always_open(shared_http: httpx2.Client) -> None:
    clock = get(shared_http, "/v2/clock")
    assert clock["is_open"] is True
    assert datetime.fromisoformat(clock["next_close"]) > datetime.fromisoformat(clock["timestamp"])


def test_fills_are_activities(http: httpx2.Client) -> None:
    order = place(http, qty="1500")
    newest, oldest = get(http, "/v2/account/activities/FILL")
    assert newest["id"] > oldest["id"]
    assert oldest | {"id": 0, "account_id": 0, "transaction_time": 0} == {
        "id": 0,
        "account_id": 0,
        "activity_type": "FILL",
        "transaction_time": 0,
        "type": "partial_fill",
        "price": "190.01",
        "qty": "1000",
        "side": "buy",
        "symbol": "AAPL",
        "leaves_qty": "500",
        "order_id": order["id"],
        "cum_qty": "1000",
        "order_status": "partially_filled",
        "commission": "0",
    }
    assert (newest["type"], newest["leaves_qty"], newest["order_status"]) == ("fill", "0", "filled")


def test_activities_are_read_page_by_page_in_both_directions(http: httpx2.Client) -> None:
    for _ in range(3):
        place(http, qty="1500")
    path = "/v2/account/activities"
    everything = [entry["id"] for entry in get(http, path, activity_types="FILL", direction="asc")]
    assert everything == sorted(everything)
    assert len(everything) == 6
    for direction, expected in (("asc", everything), ("desc", everything[::-1])):
        pages, token = [], ""
        while page := get(http, path, activity_types="FILL", direction=direction, page_size="4", page_token=token):
            pages.append([entry["id"] for entry in page])
            token = pages[-1][-1]
        assert [len(page) for page in pages] == [4, 2]
        assert list(chain(*pages)) == expected


def test_activities_are_filtered_by_time_and_type(http: httpx2.Client) -> None:
    place(http)
    place(http)
    newest, oldest = get(http, "/v2/account/activities", activity_types="DIV,FILL")
    path = "/v2/account/activities/FILL"
    assert get(http, path, after=oldest["transaction_time"]) == [newest]
    assert get(http, path, until=newest["transaction_time"], direction="asc") == [oldest]
    assert get(http, path, after=newest["transaction_time"], direction="asc") == []
    assert get(http, path, until=oldest["transaction_time"]) == []
    assert get(http, "/v2/account/activities/DIV") == []


def test_activities_are_filtered_by_order(http: httpx2.Client) -> None:
    first, second = place(http, qty="1500"), place(http)
    path = "/v2/account/activities/FILL"
    assert [entry["order_id"] for entry in get(http, path, order_id=second["id"])] == [second["id"]]
    newest, oldest = get(http, path, order_id=first["id"])
    assert get(http, path, order_id=first["id"], page_token=newest["id"]) == [oldest]
    assert get(http, path, order_id="none") == []
    assert get(http, "/v2/account/activities/DIV", order_id=first["id"]) == []


def test_the_latest_trades_are_market_data(http: httpx2.Client) -> None:
    opening = get(http, "/v2/stocks/trades/latest", symbols="AAPL,MSFT,NONE")["trades"]
    assert {symbol: trade["p"] for symbol, trade in opening.items()} == {"AAPL": 190, "MSFT": 420}
    assert datetime.now(UTC) - datetime.fromisoformat(opening["AAPL"]["t"]) < timedelta(minutes=1)  # noqa: TID251 - the server's clock is the real one
    place(http, symbol="BTC/USD", qty="0.5")
    response = http.get("/v1beta3/crypto/us/latest/trades", params={"symbols": "BTC/USD"})
    # Digit by digit, as no float would keep it.
    assert '"p":65000.01,"s":0.5,"i":1,"tks":"B"' in response.text


def test_a_moved_price_is_the_latest_trade_and_fills_what_it_crosses(http: httpx2.Client) -> None:
    order = place(http, symbol="SPY", type="limit", limit_price="580")
    response = http.put("/control/prices/SPY", json={"price": "579.99"})
    assert (response.status_code, response.json()) == (200, {"symbol": "SPY", "price": "579.99"})
    assert get(http, f"/v2/orders/{order['id']}")["status"] == "filled"
    assert get(http, "/v2/stocks/trades/latest", symbols="SPY")["trades"]["SPY"]["p"] == 579.99


def test_commission_is_shown_where_fills_are() -> None:
    with running_venue(commission="0.01") as address, client_of(address) as http:
        place(http)
        assert get(http, "/v2/account/activities/FILL")[0]["commission"] == "0.1"


def test_a_venue_that_cannot_record_takes_no_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        running_venue(journal=tmp_path / "journal") as address,
        client_of(address) as http,
    ):

        def full(_journal: Journal, _command: object) -> None:
            raise JournalUnwritable("cannot write to the journal: no space left")

        with monkeypatch.context() as patched:
            patched.setattr(Journal, "append", full)
            body = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "day", "qty": "10"}
            response = http.post("/v2/orders", json=body)
        assert response.status_code == 503
        assert response.json() == {"code": 50310000, "message": "cannot write to the journal: no space left"}
        assert get(http, "/v2/orders", status="all") == []
