import asyncio
import gc
import json
import logging
from contextlib import nullcontext

import pytest

from api import streams
from api.asgi import SocketProtocol, build_app
from api.endpoints import Running
from api.fan_out import Stream
from api.http_protocol import HttpProtocol
from api.schemas import TicketView
from application.ports import StoreUnavailableError
from domain.commands import RecordCancellation
from infrastructure.composition import Engine
from tests.api.clients import Client, World, problem_of, token_of
from tests.api.serving import Served, closed, receive, serving, sse


async def test_a_socket_tells_the_life_of_an_order_as_it_happens(served: Served, alice: Client, world: World) -> None:
    async with served.socket(f"?token={alice.token}") as connection:
        order = (await alice.place(quantity="3")).json()
        await world.accept(order["id"])
        fill_id = await world.fill(order["id"], "1.5", "99.5")
        await alice.post(f"/api/v1/orders/{order['id']}/cancel")
        await world.report(order["id"], RecordCancellation("as you wish"))
        messages = await receive(connection, 5)

    assert [message["event"] for message in messages] == [
        "order.submitted",
        "order.accepted",
        "order.filled",
        "order.cancel_requested",
        "order.cancelled",
    ]
    assert [message["status"] for message in messages] == [
        "PENDING",
        "ACCEPTED",
        "PARTIALLY_FILLED",
        "PENDING_CANCEL",
        "CANCELLED",
    ]
    assert messages[0] == {
        "event": "order.submitted",
        "order_id": order["id"],
        "status": "PENDING",
        "timestamp": order["created_at"],
        "position": order["position"],
        "version": 1,
        "trader_id": alice.trader_id,
        "client_order_id": order["client_order_id"],
        "symbol": "AAPL",
        "side": "BUY",
        "quantity": "3",
        "order_type": "LIMIT",
        "price": "100",
        "stop_price": None,
        "time_in_force": "DAY",
        "stop_loss": None,
        "take_profit": None,
        "parent_order_id": None,
        "oco_order_id": None,
    }
    filled = messages[2]
    assert (filled["fill_id"], filled["quantity_filled"], filled["price_at_fill"]) == (fill_id, "1.5", "99.5")
    assert (filled["filled_quantity"], filled["leaves_quantity"], filled["flags"]) == ("1.5", "1.5", [])
    assert messages[4]["reason"] == "as you wish"
    positions = [message["position"] for message in messages]
    assert positions == sorted(set(positions))


async def test_while_the_client_takes_nothing_a_message_waits_and_is_told_later(served: Served, alice: Client) -> None:
    async with served.socket(f"?token={alice.token}") as connection:
        await alice.place()
        await receive(connection, 1)
        (socket,) = (each for each in served.connections if isinstance(each, SocketProtocol))
        socket.pause_writing()  # as the transport says when its buffer is full
        order = (await alice.place()).json()
        while served.app.state.running.fan_out.position < order["position"]:
            await asyncio.sleep(0.01)
        assert not socket.write_frame(b"never written")
        socket.resume_writing()
        (message,) = await receive(connection, 1)
    assert message["order_id"] == order["id"]


async def test_a_socket_that_has_ended_leaves_nothing_to_the_collector_of_garbage(
    served: Served, alice: Client
) -> None:
    # The collector looks seldom at what has lived for long, as sockets do: what waited for it would be thousands of them.
    def kept() -> set[int]:
        # Asked for their type, as a weak reference that is a proxy would be asked for the class of what is no more.
        kinds = (HttpProtocol, SocketProtocol, Stream)
        return {id(each) for each in gc.get_objects() if issubclass(type(each), kinds)}

    gc.collect()
    gc.disable()
    try:
        before = kept()
        async with served.socket(f"?token={alice.token}") as connection:
            await alice.place()
            await receive(connection, 1)
            during = kept()
        assert len(during - before) == 2
        looks = 500
        while kept() - before and (looks := looks - 1):
            await asyncio.sleep(0.01)
        assert kept() - before == set()
    finally:
        gc.enable()


async def test_without_after_a_socket_begins_now(served: Served, alice: Client) -> None:
    await alice.place()
    async with served.socket(f"?token={alice.token}") as connection:
        order = (await alice.place()).json()
        assert [message["order_id"] for message in await receive(connection, 1)] == [order["id"]]


async def test_with_after_a_socket_tells_the_past_and_goes_on_without_a_gap_or_a_repeat(
    served: Served, alice: Client, bob: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.fan_out.PAGE", 7)
    await world.fund(bob, "100000")

    async def trade(client: Client, orders: int) -> None:
        for _ in range(orders):
            order_id = (await client.place()).json()["id"]
            await world.accept(order_id)

    await trade(alice, 20)
    trading = asyncio.gather(trade(alice, 40), trade(bob, 20))
    async with served.socket(f"?token={alice.token}&after=0") as early:
        messages = await receive(early, 60)
        async with served.socket(f"?token={alice.token}&after={messages[29]['position']}") as late:
            assert await receive(late, 90) == [*messages[30:], *await receive(early, 60)]
    await trading
    positions = [message["position"] for message in messages]
    assert positions == sorted(set(positions))


async def test_after_the_end_of_the_log_a_socket_waits(served: Served, alice: Client) -> None:
    async with served.socket(f"?token={alice.token}&after=9000000000") as connection:
        await alice.place()
        message = json.loads(await asyncio.wait_for(connection.recv(), 5))
    assert message == {"event": "heartbeat", "position": 9_000_000_000}


async def test_a_heartbeat_says_how_far_a_silent_socket_has_come(served: Served, alice: Client, world: World) -> None:
    await world.fund(alice, "1")
    end = await world.engine.store.position()
    async with served.socket(f"?token={alice.token}") as connection:
        for _ in range(2):
            message = json.loads(await asyncio.wait_for(connection.recv(), 5))
            assert message == {"event": "heartbeat", "position": end}


async def test_every_socket_of_a_trader_hears_the_same_and_nobody_elses_do(
    served: Served, alice: Client, bob: Client
) -> None:
    async with (
        served.socket(f"?token={alice.token}") as one,
        served.socket("", additional_headers={"Authorization": f"Bearer {alice.token}"}) as two,
        served.socket(f"?token={bob.token}") as other,
    ):
        await alice.place()
        assert await receive(one, 1) == await receive(two, 1)
        assert json.loads(await asyncio.wait_for(other.recv(), 5))["event"] == "heartbeat"


async def test_a_socket_that_is_left_is_forgotten(served: Served, alice: Client, world: World) -> None:
    running = running_of(served)
    async with served.socket(f"?token={alice.token}") as connection:
        await alice.place()
        await receive(connection, 1)
        assert alice.trader_id in running.fan_out._streams
        async with served.stream(alice, "/api/v1/orders/stream") as response:
            await alice.place()
            await anext(sse(response))
            assert len(running.fan_out._streams[alice.trader_id]) == 2
    while alice.trader_id in running.fan_out._streams:
        await asyncio.sleep(0.01)
    await world.projected()


def running_of(served: Served) -> Running:
    running: Running = served.app.state.running
    return running


async def test_a_bad_token_closes_with_4401(served: Served, alice: Client) -> None:
    for query in ("", "?token=", "?token=hunter2", "?ticket=hunter2", "?after=0"):
        async with served.socket(query) as connection:
            assert (await closed(connection))[0] == 4401
    auditor = token_of("carol", roles=("auditor",))
    async with served.socket(f"?token={auditor}") as connection:
        assert await closed(connection) == (4403, "This needs the role trader")
    async with served.socket(f"?token={alice.token}&after=-1") as connection:
        assert await closed(connection) == (4400, "after must be at least 0")


async def test_a_ticket_opens_one_stream_once_whichever_process_is_asked(
    served: Served, engine: Engine, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ticket() -> str:
        response = await alice.post("/api/v1/stream-tickets")
        assert response.status_code == 201
        return TicketView.model_validate_json(response.content).ticket

    first, second = await ticket(), await ticket()
    async with serving(build_app(lambda: nullcontext(engine), heartbeat_seconds=0.2)) as another:
        async with another.socket(f"?ticket={first}") as connection:
            assert json.loads(await connection.recv())["event"] == "heartbeat"
        for server in (served, another):
            async with server.socket(f"?ticket={first}") as connection:
                assert (await closed(connection))[0] == 4401
    async with served.stream(
        alice, f"/api/v1/orders/stream?ticket={second}", headers={"Authorization": ""}
    ) as response:
        assert response.status_code == 200

    monkeypatch.setattr(streams, "TICKET_SECONDS", -1)
    async with served.socket(f"?ticket={await ticket()}") as connection:
        assert (await closed(connection))[0] == 4401


async def test_what_a_client_says_is_ignored_until_it_says_too_much(
    served: Served, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_IGNORED_MAX", 10)
    async with served.socket(f"?token={alice.token}") as connection:
        for garbage in ("{", "ping", b"\x00\xff", "x" * 4096, ""):
            await connection.send(garbage)
        await alice.place()
        await receive(connection, 1)
        for _ in range(10):
            await connection.send("and another thing")
        assert (await closed(connection))[0] == 1008


async def test_a_client_may_say_a_little_every_minute(
    served: Served, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_IGNORED_MAX", 1)
    monkeypatch.setattr(streams, "_IGNORED_SECONDS", 0.0)
    async with served.socket(f"?token={alice.token}") as connection:
        for _ in range(10):
            await connection.send("ping")
        await alice.place()
        await receive(connection, 1)


async def test_an_oversized_message_closes_with_1009(served: Served, alice: Client) -> None:
    async with served.socket(f"?token={alice.token}") as connection:
        await connection.send("x" * 5000)
        assert (await closed(connection))[0] == 1009


async def test_server_sent_events_tell_the_same_and_are_resumed_by_their_last_id(served: Served, alice: Client) -> None:
    orders = [(await alice.place()).json() for _ in range(3)]
    async with served.stream(alice, "/api/v1/orders/stream?after=0") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        events = sse(response)
        past = [await anext(events) for _ in range(3)]
        live = (await alice.place()).json()
        assert json.loads((await anext(events))["data"])["order_id"] == live["id"]
        beat = await anext(events)
        assert json.loads(beat["data"]) == {"event": "heartbeat", "position": int(beat["id"])}
    assert [json.loads(event["data"])["order_id"] for event in past] == [order["id"] for order in orders]
    assert [int(event["id"]) for event in past] == [order["position"] for order in orders]

    headers = {"Last-Event-ID": past[1]["id"], "Authorization": ""}
    async with served.stream(alice, f"/api/v1/orders/stream?after=0&token={alice.token}", headers=headers) as response:
        events = sse(response)
        assert await anext(events) == past[2]
        assert json.loads((await anext(events))["data"])["order_id"] == live["id"]


async def test_an_event_stream_without_a_good_token_is_a_problem(world: World, auditor: Client) -> None:
    for query in ("", "?token=hunter2", "?ticket=hunter2"):
        problem_of(await world.http.get(f"/api/v1/orders/stream{query}"), 401, "UNAUTHENTICATED")
    problem_of(await auditor.get("/api/v1/orders/stream"), 403, "FORBIDDEN")


async def test_a_stream_whose_past_cannot_be_read_says_try_again(
    served: Served, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError("no route to host")

    monkeypatch.setattr(running_of(served).fan_out.store.__class__, "raw", away)
    async with served.socket(f"?token={alice.token}&after=0") as connection:
        assert (await closed(connection))[0] == 1013
    async with served.stream(alice, "/api/v1/orders/stream?after=0") as response:
        (close,) = [event async for event in sse(response)]
        assert (close["event"], json.loads(close["data"])["code"]) == ("close", 1013)
    monkeypatch.setattr(running_of(served).fan_out.store.__class__, "position", away)
    async with served.socket(f"?token={alice.token}") as connection:
        assert (await closed(connection))[0] == 1013


async def test_a_stream_that_fails_is_logged_and_closed_with_1011(
    served: Served, alice: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(running_of(served).fan_out.store.__class__, "raw", broken)
    async with served.socket(f"?token={alice.token}&after=0") as connection:
        assert await closed(connection) == (1011, "Something went wrong on our side")
    assert "ZeroDivisionError: a secret detail" in caplog.text


async def test_streams_end_when_the_server_stops(engine: Engine, alice: Client, auditor: Client) -> None:
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=60)
    ended: list[str] = []

    async def listen_to(name: str, served: Served, client: Client, path: str) -> None:
        async with served.stream(client, path, headers={"Accept": "text/event-stream"}) as response:
            opened.release()
            async for _ in sse(response):
                pass
            ended.append(name)

    opened = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as group:
        async with serving(app) as stopping:
            end = await engine.store.position()
            group.create_task(listen_to("orders", stopping, alice, "/api/v1/orders/stream"))
            group.create_task(listen_to("events", stopping, auditor, f"/api/v1/events?after={end}"))
            for _ in range(2):
                await opened.acquire()
            connection = await stopping.socket(f"?token={alice.token}").__aenter__()
            # A grace of three seconds would be over by then.
        assert (await closed(connection))[0] == 1012
    assert sorted(ended) == ["events", "orders"]


async def test_tokens_and_tickets_are_not_in_the_log(
    served: Served, alice: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served.socket(f"?token={alice.token}&after=0"):
        pass
    async with served.stream(alice, f"/api/v1/orders/stream?TOKEN=x&ticket={'s' * 30}"):
        pass
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("uvicorn"))
    assert "?token=***&after=0" in logged
    assert "?TOKEN=***&ticket=***" in logged
    assert alice.token not in logged
    assert "s" * 30 not in logged
