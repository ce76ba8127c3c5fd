"""Who is in the ramp and who is not, and what is told of what they do."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Trader, live, open_page, token_of, trader_of
from tests.engine_process import RunningEngine, running_engine
from tests.plain_http import PLAIN

Shot = Callable[[Page, str], None]


class PostHog(ThreadingHTTPServer):
    """Stands where PostHog's batch API would be, on an origin of its own."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Batches)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Batches(BaseHTTPRequestHandler):
    server: PostHog

    def do_OPTIONS(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.batches.append(json.loads(body))
        self._answer()

    def _answer(self) -> None:
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "Content-Type")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        pass


@pytest.fixture(scope="module")
def posthog() -> Iterator[PostHog]:
    with PostHog() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def ramped(engine: RunningEngine, posthog: PostHog) -> Iterator[RunningEngine]:
    """Another API on the same log, which half of all traders may use."""
    settings = {"ORDER_EXECUTION_V2_RAMP": "50", "POSTHOG_API_KEY": "phc_test", "POSTHOG_HOST": posthog.url}
    with running_engine(engine.home, "--no-worker", "--no-migrate", **settings) as api:
        yield api


def trader_who_is(ramped: RunningEngine, *, in_ramp: bool) -> Trader:
    for number in itertools.count(1):  # pragma: no branch - one of the first few is
        name = f"ramp-{number}"
        headers = {"Authorization": f"Bearer {token_of(ramped, name)}"}
        told = httpx2.get(f"{ramped.url}/api/v1/features", headers=headers, **PLAIN).json()
        if told["order_execution"]["in_ramp"] is in_ramp:
            return replace(trader_of(ramped), name=name, token=token_of(ramped, name))
    raise AssertionError


def test_who_is_not_in_the_ramp_is_told_so_and_led_back(
    context: BrowserContext, ramped: RunningEngine, engine: RunningEngine, shot: Shot
) -> None:
    trader = trader_who_is(ramped, in_ramp=False)
    page = context.new_page()
    page.goto(f"{engine.url}/livez")
    page.goto(trader.address)
    live(page)
    expect(page.get_by_role("heading", name="Not switched on for you yet")).to_be_visible()
    expect(page.get_by_role("button", name="Place order")).to_be_hidden()
    expect(page.get_by_text("No orders yet")).to_be_visible()
    shot(page, "switched-off")
    page.get_by_role("button", name="Go back").click()
    page.wait_for_url(f"{engine.url}/livez")


def test_what_becomes_of_an_order_is_told_to_the_log_and_to_posthog(
    context: BrowserContext, ramped: RunningEngine, posthog: PostHog
) -> None:
    found = trader_who_is(ramped, in_ramp=True)
    trader = replace(found, token=token_of(ramped, found.name, "trader", "ops"))
    with trader.api() as api:
        api.post(f"/api/v1/accounts/{trader.name}/deposits", json={"amount": "10000"}).raise_for_status()
    page = context.new_page()
    told: list[dict[str, Any]] = []
    page.on("request", lambda request: told.extend(json.loads(request.post_data or "{}").get("events", [])))
    open_page(page, trader)
    page.get_by_label("Symbol").fill("AAPL")
    page.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Place order").click()
    expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")
    page.get_by_label("Quantity").fill("1000")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_role("alert")).to_contain_text("Insufficient funds")
    page.wait_for_timeout(1500)
    assert [event["name"] for event in told] == ["order.submitted", "order.filled", "order.rejected"]
    assert told[2]["code"] == "INSUFFICIENT_FUNDS"
    captured = [event for batch in posthog.batches for event in batch["batch"]]
    assert [event["event"] for event in captured] == [event["name"] for event in told]
    assert {event["properties"]["distinct_id"] for event in captured} == {trader.name}
    assert {batch["api_key"] for batch in posthog.batches} == {"phc_test"}
