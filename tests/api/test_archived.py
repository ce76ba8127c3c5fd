"""What the API says of events that are archived, and of what they left."""

import asyncio
from pathlib import Path

import psycopg

from infrastructure.postgres.archiving import archive, closed_partitions
from infrastructure.settings import Settings
from tests.api.clients import Client, World, problem_of
from tests.api.serving import Served, closed
from tests.conftest import execute
from tests.infrastructure.postgres.partitioned import let_first_partition_end_at


def move_to_file(database_url: str, end: int, directory: Path) -> None:
    """Archive all events up to this one, which is the last."""
    let_first_partition_end_at(database_url, end)
    execute(database_url, f"SELECT extend_events({end + 1}, 1000)")
    (partition,) = closed_partitions(database_url)
    archive(database_url, partition, directory, lambda _: None)


async def test_an_order_whose_events_are_archived_is_answered_and_its_events_are_gone(
    world: World, alice: Client, auditor: Client, served: Served, *, settings: Settings, tmp_path: Path
) -> None:
    placed = (await alice.place(price="1")).json()
    assert (await alice.post(f"/api/v1/orders/{placed['id']}/cancel")).status_code == 200
    order = await alice.get(f"/api/v1/orders/{placed['id']}")
    account = await alice.get("/api/v1/account")
    end = await world.engine.store.position()
    assert (await alice.get(f"/api/v1/orders?min_position={end}")).status_code == 200
    url = str(settings.database_url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT min(position) FROM checkpoints").fetchone() == (end,)
    await asyncio.to_thread(move_to_file, url, end, tmp_path)

    assert (await alice.get(f"/api/v1/orders/{placed['id']}")).json() == order.json()
    assert (await alice.get("/api/v1/account")).json() == account.json()
    assert (await alice.get("/api/v1/orders")).json()["orders"][0] == order.json()
    problem_of(await alice.post(f"/api/v1/orders/{placed['id']}/cancel"), 400, "ORDER_NOT_CANCELLABLE")
    assert (await alice.place()).status_code == 201

    for path in (
        f"/api/v1/orders/{placed['id']}?version=1",
        f"/api/v1/orders/{placed['id']}?as_of=2026-01-01T00:00:00Z",
        f"/api/v1/orders/{placed['id']}/events",
        "/api/v1/orders/stream?after=0",
    ):
        problem = problem_of(await alice.get(path), 410, "EVENTS_ARCHIVED")
        assert "archived" in problem["detail"]
    for accept in ("application/json", "application/x-ndjson", "text/event-stream"):
        problem_of(await auditor.get("/api/v1/events", headers={"Accept": accept}), 410, "EVENTS_ARCHIVED")
    assert (await auditor.get(f"/api/v1/events?after={end}")).json()["events"][0]["position"] == end + 1
    problem_of(await auditor.get("/api/v1/audit/checkpoint"), 410, "EVENTS_ARCHIVED")
    async with served.socket(f"?token={alice.token}&after=0") as socket:
        code, reason = await closed(socket)
    assert code == 4410
    assert reason.startswith("The events at positions 1 to ")
