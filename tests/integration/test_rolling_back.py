"""The way back, as docs/rollback.md says: this program trades, the one before it trades, and this one again.

The release before is the program as it was before the newest migration, taken from the repository's own history.
"""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from api.auth import make_token
from domain.values import parse_trader_id
from infrastructure.clock import SystemClock
from infrastructure.postgres.migrating import MIGRATIONS, head
from tests.engine_process import ROOT, RunningEngine, place, running_engine, wait_for_order

pytestmark = pytest.mark.timeout(300)

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "1", "order_type": "MARKET"}


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source of the release before this one."""
    (newest,) = (MIGRATIONS / "versions").glob(f"{head()}_*.py")
    try:
        added = git("log", "-1", "--format=%H", "--diff-filter=A", "--", str(newest.relative_to(ROOT)))
        source = git("archive", f"{added.decode().strip()}^")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the release before this one is in the history of the repository, which is not here: {error}")
    directory = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(source)) as archive:
        archive.extractall(directory, filter="data")
    return directory


def revision_before() -> str:
    revisions = sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return revisions[-2]


@contextmanager
def client(engine: RunningEngine, name: str, role: str = "trader") -> Iterator[httpx2.Client]:
    secret = (engine.home / "jwt-secret").read_bytes()
    token = make_token(secret, parse_trader_id(name), frozenset({role}), 600, SystemClock().now())
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=engine.url, headers=headers, trust_env=False, timeout=30) as http:
        yield http


def fund(engine: RunningEngine) -> None:
    with client(engine, "operator", "ops") as ops:
        ops.post("/api/v1/accounts/alice/deposits", json={"amount": "1000000"}).raise_for_status()


def trade(engine: RunningEngine, key: str) -> str:
    """An order from the form to the fill; returns its id."""
    with client(engine, "alice") as alice:
        order = place(alice, MARKET, **{"Idempotency-Key": key})
        assert wait_for_order(alice, order["id"], "FILLED")["filled_quantity"] == "1"
    return str(order["id"])


def still_knows(engine: RunningEngine, orders: dict[str, str]) -> None:
    """What was answered by any release is the answer of this one."""
    with client(engine, "alice") as alice:
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


def test_three_commands_lead_back_to_the_release_before_and_one_leads_forward_again(
    before: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    orders: dict[str, str] = {}
    with running_engine(home) as now:
        fund(now)
        orders["new"] = trade(now, "new")
        now.cli("halt", "all", "--reason", "rolling back")
        with client(now, "alice") as alice:
            assert alice.post("/api/v1/orders", json=MARKET).json()["code"] == "TRADING_HALTED"
        now.stop()
        now.cli("db", "downgrade", revision_before())
    with running_engine(home, program=before) as then:
        still_knows(then, orders)
        then.cli("resume", "all", "--reason", "rolled back")
        orders["old"] = trade(then, "old")
    with running_engine(home) as again:
        orders["again"] = trade(again, "again")
        still_knows(again, orders)
        again.stop()
        again.cli("events", "verify")


def test_two_releases_trade_side_by_side_on_one_database_during_a_rolling_deployment(
    before: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    orders: dict[str, str] = {}
    with running_engine(home, program=before) as old:
        fund(old)
        orders["old alone"] = trade(old, "old alone")
        # The newer one migrates the database under the older one, and both take orders.
        with running_engine(home) as new:
            for name, engine in (("new", new), ("old", old), ("new again", new), ("old again", old)):
                orders[name] = trade(engine, name)
                still_knows(new, orders)
                still_knows(old, orders)
            # The older one goes, and nothing of it is missing.
            old.stop()
            orders["new alone"] = trade(new, "new alone")
            still_knows(new, orders)
