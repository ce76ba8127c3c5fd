import pytest
from httpx2 import AsyncClient

from domain.commands import RecordUnresolved
from infrastructure.composition import Engine
from tests.api.clients import Client, World, problem_of
from tests.api.serving import Served, receive
from tests.plain_http import PLAIN

OPERATIONS = "/api/v1/operations"


async def test_operators_see_what_goes_on(world: World, alice: Client, ops: Client) -> None:
    before = (await ops.get(OPERATIONS)).json()
    filled, doubtful, _ = [(await alice.place()).json()["id"] for _ in range(3)]
    await world.accept(filled)
    await world.fill(filled, "1", "100")
    await world.report(doubtful, RecordUnresolved("no answer"))
    await world.projected()
    now = (await ops.get(OPERATIONS)).json()
    assert now["open_orders"] - before["open_orders"] == 2
    assert now["unresolved_orders"] - before["unresolved_orders"] == 1
    (order,) = [each for each in now["unresolved"] if each["id"] == doubtful]
    assert (order["trader_id"], order["symbol"]) == (alice.trader_id, "AAPL")
    assert len(now["per_second"]) == 60
    assert sorted(each["at"] for each in now["per_second"]) == [each["at"] for each in now["per_second"]]
    acknowledged, done = now["latencies"]
    assert (acknowledged["name"], done["name"]) == ("acknowledged", "filled")
    assert 0 < acknowledged["p50_ms"] <= acknowledged["p95_ms"] <= acknowledged["p99_ms"]
    assert acknowledged["orders"] - before["latencies"][0]["orders"] == 1


async def test_orders_are_counted_in_the_second_in_which_they_were_recorded(
    world: World, alice: Client, ops: Client, engine: Engine
) -> None:
    placed = (await alice.place()).json()
    await world.projected()
    second = placed["created_at"][:19]
    found: list[int] = []
    while not found:  # the second that is not over yet is not told
        told = (await ops.get(OPERATIONS)).json()["per_second"]
        found = [each["orders"] for each in told if each["at"].startswith(second)]
    async with engine.pool.connection() as connection:
        query = (
            "SELECT count(*) FROM execution_log WHERE action = 'SUBMITTED' AND date_trunc('second', recorded_at) = %s"
        )
        ((recorded,),) = await (await connection.execute(query, (f"{second}Z",))).fetchall()
    assert found == [recorded]
    assert recorded >= 1


async def test_a_stream_is_counted_while_it_is_open(served: Served, alice: Client, ops: Client) -> None:
    headers = {"Authorization": f"Bearer {ops.token}"}
    async with AsyncClient(base_url=served.url, headers=headers, **PLAIN) as http:
        assert (await http.get(OPERATIONS)).json()["streams"] == 0
        async with served.socket(f"?token={alice.token}&after=0") as connection:
            await alice.place()
            await receive(connection, 1)
            assert (await http.get(OPERATIONS)).json()["streams"] == 1


@pytest.mark.parametrize("roles", [("trader",), ("auditor",)])
async def test_operations_are_for_operators(world: World, roles: tuple[str, ...]) -> None:
    problem_of(await world.client("eve", roles).get(OPERATIONS), 403, "FORBIDDEN")


async def test_an_auditor_sees_any_order_as_it_was_and_changes_none(
    world: World, alice: Client, auditor: Client
) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.accept(order_id)
    path = f"/api/v1/orders/{order_id}"
    statuses = [(await auditor.get(f"{path}?version={version}")).json()["status"] for version in (1, 2)]
    assert statuses == ["PENDING", "ACCEPTED"]
    problem_of(await auditor.get(f"{path}?version=3"), 404, "NOT_FOUND")
    problem_of(await auditor.get("/api/v1/orders/00000000-0000-4000-8000-000000000000"), 404, "NOT_FOUND")
    both = world.client("trading-auditor", ("trader", "auditor"))
    problem_of(await both.post(f"{path}/cancel"), 404, "NOT_FOUND")
