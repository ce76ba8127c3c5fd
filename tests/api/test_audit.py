import asyncio
import json
from typing import Any

import pytest
from httpx2 import Response

from api import audit
from api.fan_out import PAGE
from api.schemas import EventsPage, EventView
from tests.api.clients import Client, World, problem_of
from tests.api.serving import Served, sse

NDJSON = {"Accept": "application/x-ndjson"}
SSE = {"Accept": "text/event-stream"}


def lines_of(response: Response) -> list[dict[str, Any]]:
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_an_event_is_shown_exactly_as_it_is_stored(auditor: Client, alice: Client, world: World) -> None:
    order = (await alice.place(quantity="2.5")).json()
    response = await auditor.get(f"/api/v1/events?order_id={order['id']}")
    (stored,) = await world.engine.store.raw(order["position"] - 1, 1)
    (event,) = response.json()["events"]
    assert stored.data in response.text
    assert event == {
        "position": order["position"],
        "stream_id": f"order-{order['id']}",
        "version": 1,
        "type": "OrderPlaced",
        "data": json.loads(stored.data),
        "metadata": json.loads(stored.metadata),
        "recorded_at": order["created_at"],
        "hash": stored.hash.hex(),
    }
    assert event["data"]["quantity"] == "2.5"
    assert event["metadata"]["actor"] == f"trader:{alice.trader_id}"
    EventsPage.model_validate_json(response.content)


async def test_the_log_is_read_page_by_page_to_its_end(auditor: Client, alice: Client, world: World) -> None:
    for _ in range(3):
        await alice.place()
    end = await world.engine.store.position()
    await asyncio.sleep(0.05)
    positions: list[int] = []
    after = 0
    while True:
        page = (await auditor.get(f"/api/v1/events?after={after}&limit=2")).json()
        positions += [event["position"] for event in page["events"]]
        after = page["position"]
        if len(page["events"]) < 2:
            break
    assert positions == list(range(1, end + 1))
    assert after == end


async def test_the_log_can_be_filtered(auditor: Client, alice: Client, world: World) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.accept(order_id)

    async def types(query: str) -> list[str]:
        return [event["type"] for event in (await auditor.get(f"/api/v1/events?{query}")).json()["events"]]

    assert await types(f"trader_id={alice.trader_id}") == [
        "FundsDeposited",
        "OrderPlaced",
        "FundsReserved",
        "OrderAccepted",
    ]
    assert await types(f"order_id={order_id}") == ["OrderPlaced", "OrderAccepted"]
    assert await types(f"trader_id={alice.trader_id}&type=FundsReserved") == ["FundsReserved"]
    placed = (await auditor.get(f"/api/v1/events?order_id={order_id}&limit=1")).json()["events"][0]
    assert await types(f"order_id={order_id}&until={placed['recorded_at']}") == ["OrderPlaced"]
    assert await types("until=1999-01-01T00:00:00Z") == []


async def test_an_orders_events_are_its_traders_and_the_auditors_to_see(
    auditor: Client, alice: Client, bob: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 2)
    order_id = (await alice.place(quantity="3")).json()["id"]
    for _ in range(3):
        await world.fill(order_id, "1", "100")
    path = f"/api/v1/orders/{order_id}/events"
    response = await alice.get(path)
    assert [event["type"] for event in response.json()["events"]] == ["OrderPlaced", *["OrderFilled"] * 3]
    assert [event["version"] for event in response.json()["events"]] == [1, 2, 3, 4]
    assert response.json()["position"] == response.json()["events"][-1]["position"]
    EventsPage.model_validate_json(response.content)
    assert (await auditor.get(path)).json() == response.json()
    problem_of(await bob.get(path), 404, "NOT_FOUND")
    missing = "/api/v1/orders/00000000-0000-4000-8000-000000000000/events"
    problem_of(await auditor.get(missing), 404, "NOT_FOUND")


async def test_a_download_is_the_whole_log_a_line_for_each_event(
    auditor: Client, alice: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "PAGE", 3)
    for _ in range(4):
        await alice.place()
    end = await world.engine.store.position()
    events = lines_of(await auditor.get("/api/v1/events", headers=NDJSON))
    assert [event["position"] for event in events] == list(range(1, end + 1))
    EventView.model_validate(events[-1])
    assert lines_of(await auditor.get("/api/v1/events?after=1&limit=4", headers=NDJSON)) == events[1:5]
    assert (await auditor.get(f"/api/v1/events?after={end}", headers=NDJSON)).text == ""


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
        ("application/json, text/event-stream", "application/json"),
        ("text/html, Application/X-NDJSON;q=0.5, application/json", "application/x-ndjson"),
    ],
)
async def test_the_log_comes_in_the_first_form_that_is_accepted(auditor: Client, accept: str, media_type: str) -> None:
    response = await auditor.get("/api/v1/events?limit=1", headers={"Accept": accept})
    assert response.headers["content-type"] == media_type


async def test_a_download_ends_where_the_log_ended_when_it_began(
    auditor: Client, alice: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await alice.place()
    end = await world.engine.store.position()
    monkeypatch.setattr(type(world.engine.store), "position", _always(end - 1))
    events = lines_of(await auditor.get("/api/v1/events", headers=NDJSON))
    assert events[-1]["position"] == end - 1


def _always(position: int) -> Any:
    async def answer(_: object) -> int:
        return position

    return answer


async def test_a_stream_of_the_log_goes_on_live_and_can_be_resumed(
    served: Served, alice: Client, auditor: Client, world: World
) -> None:
    first = (await alice.place()).json()
    path = f"/api/v1/events?trader_id={alice.trader_id}"
    async with served.stream(auditor, path, headers=SSE) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        events = sse(response)
        past = [await anext(events) for _ in range(3)]
        second = (await alice.place()).json()
        live = [await anext(events) for _ in range(2)]
    received = [json.loads(event["data"]) for event in (*past, *live)]
    assert [event["type"] for event in received] == [
        "FundsDeposited",
        *["OrderPlaced", "FundsReserved"] * 2,
    ]
    assert [int(event["id"]) for event in (*past, *live)] == [event["position"] for event in received]
    assert [event["position"] for event in received][1::2] == [first["position"], second["position"]]
    EventView.model_validate(received[-1])

    headers = SSE | {"Last-Event-ID": past[-1]["id"]}
    async with served.stream(auditor, f"{path}&after=0", headers=headers) as response:
        events = sse(response)
        assert [await anext(events) for _ in range(2)] == live
    await world.projected()


async def test_a_stream_of_the_log_is_not_silent_while_nothing_happens(served: Served, auditor: Client) -> None:
    async with served.stream(auditor, "/api/v1/events?after=9000000000", headers=SSE) as response:
        async for line in response.aiter_lines():
            assert line == ": heartbeat"
            break


async def test_a_stream_of_the_log_ends_where_it_is_asked_to_end(
    served: Served, auditor: Client, alice: Client
) -> None:
    order = (await alice.place()).json()
    for query, count in ((f"trader_id={alice.trader_id}&until={order['created_at']}", 3), ("limit=2", 2)):
        async with served.stream(auditor, f"/api/v1/events?{query}", headers=SSE) as response:
            assert len([event async for event in sse(response)]) == count


async def test_a_page_of_a_stream_is_of_a_bounded_size() -> None:
    assert PAGE <= 1000
