from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psycopg
import pytest

from api.schemas import CheckpointView, PublicKeyView
from infrastructure.audit.checkpoint import read_checkpoints
from infrastructure.audit.keys import key_id, read_public_key
from infrastructure.postgres.log_rows import examine
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
async def tampered(world: World, change: str, back: str) -> AsyncIterator[None]:
    url = str(world.engine.settings.database_url)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(change.encode())
        yield
        await connection.execute(back.encode())


async def test_nothing_is_signed_that_contradicts_itself(auditor: Client, alice: Client, world: World) -> None:
    await alice.place()
    change = "UPDATE events SET version = version + 1000 WHERE position = 1"
    back = "UPDATE events SET version = version - 1000 WHERE position = 1"
    async with tampered(world, change, back):
        problem = problem_of(await auditor.get(CHECKPOINT), 500, "LOG_TAMPERED")
    assert "tampered with; position 1: its hash is" in problem["detail"]
    assert (await auditor.get(CHECKPOINT)).status_code == 200


async def test_a_database_that_is_away_is_503(auditor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_url: str) -> None:
        raise psycopg.OperationalError("the server is gone")

    monkeypatch.setattr("api.checkpoints.log_state", fail)
    problem_of(await auditor.get(CHECKPOINT), 503, "STORE_UNAVAILABLE")
