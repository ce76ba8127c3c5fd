import pytest

from application.ports import StoreUnavailableError
from infrastructure.postgres.heartbeats import beat
from tests.api.clients import Client, World
from tests.api.serving import Served, closed


async def metrics_of(world: World) -> str:
    answer = await world.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


async def test_metrics_need_no_token_and_tell_what_the_database_knows(world: World, alice: Client) -> None:
    await alice.place()
    await world.projected()
    await beat(world.engine.pool, "exchange", "answers", is_ok=True)
    text = await metrics_of(world)
    assert 'orderlog_dependency_up{dependency="database"} 1.0' in text
    assert 'orderlog_projection_lag_events{projection="orders"} 0.0' in text
    assert 'orderlog_projection_stopped{projection="orders"} 0.0' in text
    assert "\norderlog_worker_silence_seconds 0." in text
    assert "\norderlog_open_orders " in text
    assert 'orderlog_http_request_seconds_count{method="POST",route="/api/v1/orders",status="201"}' in text
    assert (await world.http.head("/metrics")).status_code == 200


async def test_a_worker_that_was_never_there_is_not_told_of(world: World) -> None:
    async with world.engine.pool.connection() as connection:
        await connection.execute("DELETE FROM heartbeats")
    assert "orderlog_worker_silence_seconds" not in await metrics_of(world)


async def test_without_its_database_a_process_tells_what_it_can(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: object) -> int:
        raise StoreUnavailableError

    monkeypatch.setattr(type(world.engine.store), "position", away)
    text = await metrics_of(world)
    assert 'orderlog_dependency_up{dependency="database"} 0.0' in text
    assert "orderlog_open_orders" not in text
    assert "orderlog_build_info" in text


async def test_a_database_that_goes_meanwhile_is_no_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(_: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr("api.exposition.heartbeats", gone)
    text = await metrics_of(world)
    assert 'orderlog_dependency_up{dependency="database"} 1.0' in text
    assert "orderlog_open_orders" not in text


async def test_what_is_asked_for_outside_of_the_table_makes_no_series_of_its_own(world: World) -> None:
    await world.http.get("/nothing/at/all")
    await world.http.request("BREW", "/livez")
    await world.http.get("/openapi.json")
    text = await metrics_of(world)
    for labels in (
        'method="GET",route="none",status="404"',
        'method="OTHER",route="/livez",status="405"',
        'method="GET",route="static",status="200"',
    ):
        assert f"orderlog_http_request_seconds_count{{{labels}}}" in text


async def test_a_stream_that_resumes_or_is_too_slow_had_a_gap(served: Served, alice: Client, world: World) -> None:
    await alice.place()
    before = world.engine.metrics.gaps.labels("resumed")._value.get()
    async with served.socket(f"?token={alice.token}&after=0"):
        assert world.engine.metrics.gaps.labels("resumed")._value.get() == before + 1
        assert world.engine.metrics.streams.labels("websocket")._value.get() == 1


async def test_an_error_of_a_socket_is_counted_as_what_it_is(served: Served, world: World) -> None:
    async with served.socket("?token=bad") as connection:
        assert (await closed(connection))[0] == 4401
    assert 'orderlog_refusals_total{code="UNAUTHENTICATED"}' in await metrics_of(world)
