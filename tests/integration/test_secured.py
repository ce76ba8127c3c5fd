"""Who may do what, on a whole engine with several API processes and an identity provider."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.engine_process import RunningEngine, place, running_engine, wait_for_order
from tests.key_server import Signer, key_server
from tests.plain_http import PLAIN

PROVIDER = Signer("2026-11")


@dataclass(frozen=True, slots=True)
class Secured:
    """An engine that verifies what the provider signs."""

    engine: RunningEngine

    def client(self, trader: str, *roles: str) -> httpx2.Client:
        token = PROVIDER.token(trader, roles=roles or ["trader"])
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=self.engine.url, headers=headers, **PLAIN, timeout=30)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    home = tmp_path_factory.mktemp("secured") / "home"
    with (
        key_server(PROVIDER) as keys,
        running_engine(home, ORDERLOG_WORKERS="2", ORDERLOG_JWKS_URL=keys.url) as engine,
    ):
        yield Secured(engine)


def test_an_identity_provider_is_all_that_an_engine_needs_to_know_its_traders(secured: Secured) -> None:
    with secured.client("operator", "ops") as ops:
        ops.post("/api/v1/accounts/alice/deposits", json={"amount": "100000"}).raise_for_status()
    with secured.client("alice") as alice:
        order = place(alice, {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"})
        assert wait_for_order(alice, order["id"], "FILLED")["trader_id"] == "alice"
    assert not (secured.engine.home / "jwt-secret").exists()
