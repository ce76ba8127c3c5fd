"""A real engine and a real browser for the tests of the page; every trader is somebody new."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from api.tokens import make_token
from domain.values import TraderId
from infrastructure.clock import SystemClock
from tests.browser.browsers import find_browser
from tests.engine_process import RunningEngine, running_engine
from tests.making import ROOT, make
from tests.plain_http import PLAIN

SCREENSHOTS = Path(__file__).parent / "screenshots"

_NUMBERS = itertools.count(1)
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 15_000
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"

expect.set_options(timeout=_PATIENCE_MS)  # a page whose socket is cut asks every 5 s


@dataclass(frozen=True, slots=True)
class Trader:
    """Somebody with a token, who may look at the page and talk to the API."""

    engine: RunningEngine
    name: str
    token: str

    @property
    def address(self) -> str:
        return f"{self.engine.url}/#token={self.token}"

    def api(self) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=self.engine.url, headers=headers, **PLAIN, timeout=30)

    def orders(self) -> list[dict[str, Any]]:
        """As the log has them now: the page hears of what happens before the read model has it."""
        with self.api() as api:
            asked = {"limit": 100, "as_of": "9999-12-31T00:00:00Z"}
            orders: list[dict[str, Any]] = api.get("/api/v1/orders", params=asked).raise_for_status().json()["orders"]
            return orders

    def place(self, **terms: str) -> dict[str, Any]:
        """A buy of one AAPL that rests far below the market, unless the terms say otherwise."""
        order = {"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT", "price": "10"} | terms
        with self.api() as api:
            placed: dict[str, Any] = (
                api.post("/api/v1/orders", json={name: term for name, term in order.items() if term})
                .raise_for_status()
                .json()
            )
            return placed


def token_of(engine: RunningEngine, name: str, *roles: str, ttl_seconds: float = 3600) -> str:
    secret = (engine.home / "jwt-secret").read_text().encode()
    return make_token(secret, TraderId(name), frozenset(roles or {"trader"}), ttl_seconds, SystemClock().now())


def trader_of(engine: RunningEngine, *roles: str, money: str = "1000000") -> Trader:
    name = f"trader-{next(_NUMBERS)}"
    if money:
        ops = {"Authorization": f"Bearer {token_of(engine, 'operator', 'ops')}"}
        deposit = f"{engine.url}/api/v1/accounts/{name}/deposits"
        httpx2.post(deposit, json={"amount": money}, headers=ops, **PLAIN, timeout=30).raise_for_status()
    return Trader(engine, name, token_of(engine, name, *roles))


@pytest.fixture(scope="package")
def built() -> None:
    """The page as its sources are."""
    make("web/dist/index.html")
    SCREENSHOTS.mkdir(exist_ok=True)


@pytest.fixture(scope="package")
def engine(built: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:  # noqa: ARG001 - it serves the page
    with running_engine(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


# Playwright's loop runs for as long as it is open, and no other could run beside it: it ends with this package's tests.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = find_browser(playwright)
        browser = playwright.chromium.launch(
            executable_path=found.executable, env={**os.environ, **found.environment}, args=list(_ARGUMENTS)
        )
        yield browser
        browser.close()


@pytest.fixture
def trader(engine: RunningEngine) -> Trader:
    return trader_of(engine)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with watched(browser) as context:
        yield context


@contextmanager
def watched(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A browser of somebody's own, in which nothing may go wrong unseen."""
    context = browser.new_context(viewport={"width": 1360, "height": 860}, reduced_motion="reduce", **options)
    context.set_default_timeout(_PATIENCE_MS)
    wrong: list[str] = []
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("console", lambda message: wrong.append(message.text) if is_wrong(message.type, message.text) else None)
    yield context
    context.close()
    assert wrong == []


def is_wrong(kind: str, text: str) -> bool:
    """What the browser says of itself when a request fails is what some tests are about."""
    return kind in {"error", "warning"} and not text.startswith(("Failed to load resource", "WebSocket connection to"))


@pytest.fixture
def page(context: BrowserContext, trader: Trader) -> Page:
    """The trader's page, live."""
    page = context.new_page()
    open_page(page, trader)
    return page


def open_page(page: Page, trader: Trader) -> None:
    page.goto(trader.address)
    live(page)


def live(page: Page) -> None:
    page.locator(".badge.live").wait_for()


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps a picture of the page, for people to look at."""

    def shoot(page: Page, name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return shoot


@pytest.fixture(scope="session", autouse=True)
def _fresh_screenshots() -> None:
    shutil.rmtree(SCREENSHOTS, ignore_errors=True)


def serious(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    page.evaluate(_AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']} {[node['html'] for node in violation['nodes']][:3]}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]
