from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest

from api.schemas import CheckpointView, ProofView, PublicKeyView
from infrastructure.audit.checkpoint import read_checkpoints
from infrastructure.audit.keys import key_id, read_public_key
from infrastructure.audit.proof import read_proof
from infrastructure.postgres.log_rows import examine
from infrastructure.postgres.log_tree import LogTree
from infrastructure.settings import Settings
from tests.api.clients import Client, World, problem_of

CHECKPOINT = "/api/v1/audit/checkpoint"


async def test_an_auditor_gets_a_checkpoint_that_the_log_and_the_key_agree_with(
    auditor: Client, alice: Client, world: World, tmp_path: Path
) -> None:
    await alice.place()
    response = await auditor.get(CHECKPOINT)
    (checkpoint,) = read_checkpoints(response.content)
    file = tmp_path / "key.pem"
    published = (await world.http.get("/api/v1/audit/public-key")).json()
    file.write_text(published["public_key"])
    key = read_public_key(file)
    checkpoint.check(key)
    assert published["key_id"] == key_id(key) == checkpoint.key_id
    assert checkpoint.position == await world.engine.store.position()
    assert examine(str(world.engine.settings.database_url), [checkpoint]).difference is None
    CheckpointView.model_validate_json(response.content)
    PublicKeyView.model_validate(published)
    assert response.content == msgspec.json.encode(checkpoint)


async def test_a_checkpoint_is_for_auditors(alice: Client, ops: Client) -> None:
    for client in (alice, ops):
        problem_of(await client.get(CHECKPOINT), 403, "FORBIDDEN")


@asynccontextmanager
async def tampered(settings: Settings, change: str, back: str) -> AsyncIterator[None]:
    url = str(settings.database_url)  # as a superuser, and not as the engine
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(change.encode())
        yield
        await connection.execute(back.encode())


async def test_nothing_is_signed_that_contradicts_itself(auditor: Client, alice: Client, settings: Settings) -> None:
    await alice.place()
    change = "UPDATE events SET version = version + 1000 WHERE position = 1"
    back = "UPDATE events SET version = version - 1000 WHERE position = 1"
    async with tampered(settings, change, back):
        problem = problem_of(await auditor.get(CHECKPOINT), 500, "LOG_TAMPERED")
    assert "tampered with; position 1: its hash is" in problem["detail"]
    assert (await auditor.get(CHECKPOINT)).status_code == 200


async def test_a_database_that_is_away_is_503(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_tree: LogTree) -> None:
        raise psycopg.OperationalError("the server is gone")

    monkeypatch.setattr(LogTree, "state", fail)
    problem_of(await auditor.get(CHECKPOINT), 503, "STORE_UNAVAILABLE")


async def test_a_trader_gets_a_proof_of_an_order_that_anybody_can_check(
    alice: Client, bob: Client, auditor: Client, world: World, tmp_path: Path
) -> None:
    order_id = (await alice.place()).json()["id"]
    await world.accept(order_id)
    path = f"/api/v1/orders/{order_id}/proof"
    file = tmp_path / "key.pem"
    file.write_text((await world.http.get("/api/v1/audit/public-key")).json()["public_key"])
    for client in (alice, auditor):
        response = await client.get(path)
        proof = read_proof(response.content)
        proof.check(read_public_key(file))
        assert [event.type for event in proof.events] == ["OrderPlaced", "OrderAccepted"]
        ProofView.model_validate_json(response.content)
    problem_of(await bob.get(path), 404, "NOT_FOUND")
    problem_of(await auditor.get(f"/api/v1/orders/{UUID(int=7)}/proof"), 404, "NOT_FOUND")
