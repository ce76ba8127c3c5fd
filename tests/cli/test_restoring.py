"""The rehearsal of docs/how-to/back-up-and-restore.md: a backup, a disaster, and the moment before it brought back."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from infrastructure.postgres.migrating import upgrade
from tests.cli.conftest import Run
from tests.clusters import Cluster, clusters
from tests.engine_process import RunningEngine, place, running_engine, wait_for_order

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
RESTING = {"symbol": "AAPL", "side": "BUY", "quantity": "7", "order_type": "LIMIT", "price": "150.00"}
FAR_AWAY = RESTING | {"price": "50.00"}


def archiving(archive: Path) -> dict[str, str]:
    return {"archive_mode": "on", "archive_command": f"test ! -f {archive}/%f && cp %p {archive}/%f"}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def restore(backup: Path, archive: Path, there: Cluster, moment: object) -> None:
    """What the page says: the backup, and from the archive what was done up to the moment."""
    shutil.copytree(backup, there.data)
    there.data.chmod(0o700)
    (there.data / "recovery.signal").touch()
    there.start(
        restore_command=f"cp {archive}/%f %p",
        recovery_target_time=str(moment),
        recovery_target_action="promote",
    )
    until(lambda: there.execute("SELECT pg_is_in_recovery()") == [(False,)])


def unknown(auditor: httpx2.Client) -> set[str]:
    """Our names of the orders at the venue that the log does not know."""
    answer = auditor.get("/api/v1/events", params={"type": "UnknownOrderReported", "limit": 100}).raise_for_status()
    return {event["data"]["client_order_id"] for event in answer.json()["events"]}


def trade(engine: RunningEngine) -> tuple[str, str]:
    """Alice has bought 10, and waits for 7 at a lower price; the ids of both."""
    engine.fund("alice")
    with engine.client("alice") as alice:
        bought, resting = place(alice, MARKET)["id"], place(alice, RESTING)["id"]
        wait_for_order(alice, bought, "FILLED")
        wait_for_order(alice, resting, "ACCEPTED")
    return bought, resting


def test_a_moment_is_restored_and_what_the_venue_did_since_is_found_and_said(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clusters("primary", "restored") as (primary, restored):
        archive = primary.folder / "archive"
        archive.mkdir()
        primary.make()
        primary.start(**archiving(archive))
        upgrade(primary.url())
        backup = Cluster(primary.folder / "backup")
        backup.copy(primary)
        monkeypatch.setenv("DATABASE_URL", primary.url())

        with running_engine(home, DATABASE_URL=primary.url(), REDIS_URL="none") as engine:
            bought, resting = trade(engine)
            until(lambda: {each["lag_events"] for each in lines(run("projections", "status").out)} == {0})
            checkpoint = tmp_path / "checkpoint.json"
            checkpoint.write_text(run("events", "checkpoint").out)
            then = {table["name"]: table for table in lines(run("projections", "verify").out)}
            ((moment,),) = primary.execute("SELECT clock_timestamp()")
            # Life goes on: the resting order is filled, another one is, and a third works.
            with engine.client("alice") as alice:
                engine.move_price("AAPL", "149.00")
                wait_for_order(alice, resting, "FILLED")
                lost = [place(alice, MARKET)["id"], place(alice, FAR_AWAY)["id"]]
                wait_for_order(alice, lost[0], "FILLED")
                wait_for_order(alice, lost[1], "ACCEPTED")
        # The disaster. The engine is stopped, as it has to be.
        primary.execute("DROP TABLE events CASCADE")
        primary.stop()

        restore(backup.data, archive, restored, moment)
        monkeypatch.setenv("DATABASE_URL", restored.url())
        assert run("events", "verify", "--against", str(checkpoint)).code == 0
        rebuilt = {table["name"]: table for table in lines(run("projections", "rebuild", "--all").out)}
        for name, table in then.items():
            assert {key: table[key] for key in ("position", "rows", "checksum")} == {
                key: rebuilt[name][key] for key in ("position", "rows", "checksum")
            }

        with (
            running_engine(home, DATABASE_URL=restored.url(), REDIS_URL="none") as engine,
            engine.client("alice") as alice,
            engine.client("audrey", "auditor") as audrey,
        ):
            # What the venue did with an order that the log knows is booked, and what it does not know is reported.
            assert wait_for_order(alice, bought, "FILLED")["filled_quantity"] == "10"
            assert wait_for_order(alice, resting, "FILLED")["filled_quantity"] == "7"
            assert alice.get(f"/api/v1/orders/{lost[0]}").status_code == 404
            until(lambda: unknown(audrey) == set(lost))
            (position,) = alice.get("/api/v1/positions").json()["positions"]
            assert position["quantity"] == "17"
            wait_for_order(alice, place(alice, MARKET)["id"], "FILLED")
