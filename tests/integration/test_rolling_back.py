"""The way back, as docs/rollback.md says: the next release trades, this one trades, and the next one again.

The release that is rolled back is the one after this one: a copy of this program with a migration of its own.
"""

import json
import shutil
from pathlib import Path

import httpx2
import pytest

from infrastructure.postgres.migrating import head
from tests.engine_process import ROOT, RunningEngine, place, running_engine, wait_for_order

pytestmark = pytest.mark.timeout(300)

PACKAGES = ("domain", "application", "projections", "infrastructure", "api", "cli", "migrations")
NEXT = f"{int(head()) + 1:04}"

_NEXT = f'''"""What the next release needs: it only adds."""

from alembic import op

revision = "{NEXT}"
down_revision = "{head()}"


def upgrade() -> None:
    op.execute("ALTER TABLE heartbeats ADD COLUMN release text NOT NULL DEFAULT 'next'")
    op.execute("CREATE TABLE releases (name text PRIMARY KEY)")


def downgrade() -> None:
    op.execute("DROP TABLE releases")
    op.execute("ALTER TABLE heartbeats DROP COLUMN release")
'''

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}


@pytest.fixture(scope="module")
def next_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the release that comes after this one: it has a migration of its own, and is this one otherwise."""
    directory = tmp_path_factory.mktemp("next")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, directory / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", directory)
    (directory / "migrations" / "versions" / f"{NEXT}_next.py").write_text(_NEXT)
    return directory


def trade(engine: RunningEngine, key: str) -> str:
    """An order from the form to the fill; returns its id."""
    with engine.client("alice") as alice:
        order = place(alice, MARKET, **{"Idempotency-Key": key})
        assert wait_for_order(alice, order["id"], "FILLED")["filled_quantity"] == "1"
    return str(order["id"])


def still_knows(engine: RunningEngine, orders: dict[str, str]) -> None:
    """What was answered by any release is the answer of this one."""
    with engine.client("alice") as alice:
        for key, order_id in orders.items():
            again = alice.post("/api/v1/orders", json=MARKET, headers={"Idempotency-Key": key})
            assert (again.json()["id"], again.headers["idempotent-replayed"]) == (order_id, "true")
        assert {each["id"] for each in listed(alice)} == set(orders.values())
        (position,) = alice.get("/api/v1/positions").json()["positions"]
        assert position["quantity"] == str(len(orders))


def listed(alice: httpx2.Client) -> list[dict[str, object]]:
    last = alice.get("/api/v1/orders").json()["orders"][0]["position"]
    found: list[dict[str, object]] = alice.get("/api/v1/orders", params={"min_position": last}).json()["orders"]
    return found


def test_three_commands_lead_back_from_the_next_release_and_one_leads_forward_again(
    next_release: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    orders: dict[str, str] = {}
    with running_engine(home, program=next_release) as newer:
        newer.fund("alice")
        orders["newer"] = trade(newer, "newer")
        newer.cli("halt", "all", "--reason", "rolling back")
        with newer.client("alice") as alice:
            assert alice.post("/api/v1/orders", json=MARKET).json()["code"] == "TRADING_HALTED"
        newer.stop()
        newer.cli("db", "downgrade", head())
    with running_engine(home) as this:
        still_knows(this, orders)
        with this.client("alice") as alice:
            assert alice.post("/api/v1/orders", json=MARKET).json()["code"] == "TRADING_HALTED"
        this.cli("resume", "all", "--reason", "rolled back")
        orders["this"] = trade(this, "this")
    with running_engine(home, program=next_release) as again:
        orders["again"] = trade(again, "again")
        still_knows(again, orders)
        again.stop()
        assert json.loads(again.cli("db", "status"))["revision"] == NEXT
        again.cli("events", "verify")


def test_two_releases_trade_side_by_side_on_one_database_during_a_rolling_deployment(
    next_release: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    orders: dict[str, str] = {}
    with running_engine(home) as this:
        this.fund("alice")
        orders["this alone"] = trade(this, "this alone")
        # The newer one migrates the database under the older one, and both take orders.
        with running_engine(home, program=next_release) as newer:
            for name, engine in (("newer", newer), ("this", this)):
                orders[name] = trade(engine, name)
            still_knows(newer, orders)
            still_knows(this, orders)
            # The older one goes, and nothing of it is missing.
            this.stop()
            orders["newer alone"] = trade(newer, "newer alone")
            still_knows(newer, orders)
