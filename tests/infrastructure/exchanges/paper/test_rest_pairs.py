"""Pairs, busts and corrections over HTTP, on a server that really listens."""

from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.infrastructure.exchanges.paper.test_rest import get, place

Json = dict[str, Any]

EXITS = {"order_class": "oco", "take_profit": {"limit_price": "190"}, "stop_loss": {"stop_price": "185"}}


def place_pair(http: httpx2.Client, **fields: object) -> Json:
    """Place a pair that sells 10 AAPL at 190 or when the price falls to 185."""
    return place(http, side="sell", type="limit", **{**EXITS, **fields})


def named(http: httpx2.Client, client_order_id: str) -> Any:
    return get(http, "/v2/orders:by_client_order_id", client_order_id=client_order_id)


def test_a_pair_is_an_order_with_a_leg(http: httpx2.Client) -> None:
    answer = place_pair(http, client_order_id="mine")
    (leg,) = answer["legs"]
    assert (answer["order_class"], answer["client_order_id"], answer["status"]) == ("oco", "mine", "pending_new")
    assert (leg["order_class"], leg["legs"], leg["status"]) == ("oco", None, "pending_new")
    assert (answer["type"], answer["limit_price"], answer["stop_price"]) == ("limit", "190", None)
    assert (leg["type"], leg["limit_price"], leg["stop_price"]) == ("stop", None, "185")
    assert str(UUID(leg["id"])) == leg["id"] != answer["id"]
    assert str(UUID(leg["client_order_id"])) == leg["client_order_id"]

    main = get(http, f"/v2/orders/{answer['id']}")
    assert main == named(http, "mine") == get(http, f"/v2/orders/{answer['id']}", nested="true")
    assert main["status"] == "new"
    assert main["legs"] == [named(http, leg["client_order_id"])] == [get(http, f"/v2/orders/{leg['id']}")]


@pytest.mark.parametrize(
    "prices", [{"limit_price": "190", "take_profit": None}, {"limit_price": "190.0"}, {"limit_price": None}]
)
def test_the_limit_may_be_written_in_two_places(shared_http: httpx2.Client, prices: Json) -> None:
    assert place_pair(shared_http, **prices)["limit_price"] in {"190", "190.0"}


@pytest.mark.parametrize("order_class", ["", None, "simple"])
def test_a_simple_order_is_simple(shared_http: httpx2.Client, order_class: str | None) -> None:
    assert place(shared_http, order_class=order_class)["order_class"] == "simple"


def test_a_list_rolls_legs_up_or_names_them_all(http: httpx2.Client) -> None:
    main = place_pair(http)
    (nested,) = get(http, "/v2/orders", nested="true")
    assert nested == get(http, f"/v2/orders/{main['id']}")
    leg, flat = get(http, "/v2/orders")
    assert flat == {**nested, "legs": None}
    assert [leg] == nested["legs"]


def test_no_leg_is_lost_between_two_pages(http: httpx2.Client) -> None:
    ids = [one["id"] for one in (place_pair(http) for _ in range(2))]
    pages, after = [], "2020-01-01T00:00:00Z"
    while page := get(http, "/v2/orders", status="all", direction="asc", limit="1", after=after):
        pages += [order["id"] for order in page]
        after = page[-1]["submitted_at"]
    assert len(pages) == len(set(pages)) == 4
    assert pages[::2] == ids


def test_a_replacement_takes_its_place_in_the_pair(http: httpx2.Client) -> None:
    main = place_pair(http)
    leg = main["legs"][0]
    new_leg = http.patch(f"/v2/orders/{leg['id']}", json={"stop_price": "186", "client_order_id": "leg"}).json()
    assert (new_leg["client_order_id"], new_leg["legs"], new_leg["replaces"]) == ("leg", None, leg["id"])
    assert get(http, f"/v2/orders/{main['id']}")["legs"] == [named(http, "leg")]
    new_main = http.patch(f"/v2/orders/{main['id']}", json={"limit_price": "191"}).json()
    assert [one["id"] for one in new_main["legs"]] == [new_leg["id"]]
    old = get(http, f"/v2/orders/{main['id']}")
    assert (old["status"], old["replaced_by"], old["legs"]) == ("replaced", new_main["id"], None)
    refused = http.patch(f"/v2/orders/{new_main['id']}", json={"qty": "5"})
    assert (refused.status_code, refused.json()["message"]) == (422, "qty of oco orders cannot be replaced")


def test_pairs_are_cancelled_with_everything_else(http: httpx2.Client) -> None:
    main = place_pair(http)
    other = place(http, type="limit", limit_price="180")
    response = http.delete("/v2/orders")
    assert response.status_code == 207
    assert [(entry["id"], entry["status"], entry["body"]["status"]) for entry in response.json()] == [
        (order_id, 200, "canceled") for order_id in (main["id"], main["legs"][0]["id"], other["id"])
    ]


def test_whoever_is_cancelled_takes_the_other_with_it(http: httpx2.Client) -> None:
    main = place_pair(http)
    assert http.delete(f"/v2/orders/{main['legs'][0]['id']}").status_code == 204
    found = get(http, f"/v2/orders/{main['id']}")
    assert (found["status"], found["legs"][0]["status"]) == ("canceled", "canceled")


def test_a_partial_fill_shows_on_both(http: httpx2.Client) -> None:
    main = place_pair(http)
    place(http, type="limit", limit_price="190", qty="3")
    found = get(http, f"/v2/orders/{main['id']}")
    assert (found["qty"], found["filled_qty"], found["status"]) == ("10", "3", "partially_filled")
    assert [(leg["qty"], leg["filled_qty"], leg["status"]) for leg in found["legs"]] == [("7", "0", "new")]


def fills(http: httpx2.Client) -> Any:
    return get(http, "/v2/account/activities/FILL", direction="asc")


def test_a_bust_is_a_further_activity(http: httpx2.Client) -> None:
    order = place(http, type="limit", limit_price="190.01")
    http.put("/control/prices/AAPL", json={"price": "200"})
    (fill,) = fills(http)
    execution_id = fill["id"].partition("::")[2]
    answer = http.post("/control/busts", json={"execution_id": execution_id}).json()
    assert (answer["event"], answer["previous_execution_id"], answer["reason"]) == (
        "trade_bust", execution_id, "TRADE_BUST",
    )  # fmt: skip
    assert (answer["qty"], answer["price"], answer["position_qty"]) == ("10", "190.01", "0")
    assert answer["order"] == get(http, f"/v2/orders/{order['id']}")
    assert (answer["order"]["status"], answer["order"]["filled_qty"]) == ("new", "0")
    original, bust = fills(http)
    assert original == fill
    assert bust["id"].endswith("::" + answer["execution_id"])
    assert bust["transaction_time"] == answer["timestamp"]
    assert bust | {"id": 0, "account_id": 0, "transaction_time": 0} == {
        "id": 0,
        "account_id": 0,
        "activity_type": "FILL",
        "transaction_time": 0,
        "type": "trade_bust",
        "price": "190.01",
        "qty": "10",
        "side": "buy",
        "symbol": "AAPL",
        "leaves_qty": "10",
        "order_id": order["id"],
        "cum_qty": "0",
        "order_status": "new",
        "commission": "0",
        "previous_execution_id": execution_id,
    }
    assert get(http, "/v2/positions") == []
    again = http.post("/control/busts", json={"execution_id": execution_id})
    assert (again.status_code, again.json()["message"]) == (422, "the execution was busted already")


def test_a_correction_is_a_further_activity(http: httpx2.Client) -> None:
    place(http, type="limit", limit_price="190.01")
    http.put("/control/prices/AAPL", json={"price": "200"})
    execution_id = fills(http)[0]["id"].partition("::")[2]
    body = {"execution_id": execution_id, "qty": "4", "price": "189.995"}
    answer = http.post("/control/corrections", json=body).json()
    assert (answer["event"], answer["previous_execution_id"], "reason" in answer) == (
        "trade_correct", execution_id, False,
    )  # fmt: skip
    assert (answer["qty"], answer["price"], answer["order"]["filled_avg_price"]) == ("4", "189.995", "189.995")
    correction = fills(http)[1]
    assert (correction["type"], correction["qty"], correction["price"]) == ("trade_correct", "4", "189.995")
    assert (correction["cum_qty"], correction["leaves_qty"]) == ("4", "6")
    assert correction["previous_execution_id"] == execution_id
    again = http.post("/control/corrections", json=body)
    assert again.json() == {
        "code": 42210000,
        "message": f"the execution was corrected and goes by {answer['execution_id']} now",
    }


def test_activities_stay_in_order(http: httpx2.Client) -> None:
    place(http, type="limit", limit_price="190.02", qty="3000")
    first = fills(http)[0]["id"].partition("::")[2]
    http.post("/control/busts", json={"execution_id": first})
    place(http)
    entries = fills(http)
    assert {entry["type"] for entry in entries} == {"partial_fill", "fill", "trade_bust"}
    for earlier, later in pairwise(entries):
        assert earlier["id"] < later["id"]
        assert earlier["transaction_time"] <= later["transaction_time"]
    page = get(http, "/v2/account/activities/FILL", direction="asc", page_token=entries[1]["id"])
    assert page == entries[2:]
