"""The stream breaks, the server goes away, the token ends, a second window is open: what is shown stays right."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from tests.browser.conftest import Trader, live, open_page, token_of, trader_of, watched
from tests.engine_process import RunningEngine, running_engine

Shot = Callable[[Page, str], None]


def test_a_cut_socket_is_polled_for_and_then_live_again_with_nothing_missed(
    context: BrowserContext, trader: Trader, shot: Shot
) -> None:
    page = context.new_page()
    sockets: list[WebSocketRoute] = []
    is_cut = False

    def connected(route: WebSocketRoute) -> None:
        if is_cut:
            route.close(code=1013, reason="cut")
        else:
            route.connect_to_server()
            sockets.append(route)

    page.route_web_socket("**/ws/orders/events*", connected)
    open_page(page, trader)
    rows = page.locator("tr[data-order]")
    trader.place(quantity="1")
    expect(rows).to_have_count(1)
    is_cut = True
    sockets[-1].close(code=1012, reason="cut")
    expect(page.locator(".badge")).to_have_text("Polling")
    shot(page, "polling")
    trader.place(quantity="2")
    expect(rows).to_have_count(2)
    trader.place(quantity="3")
    first = trader.orders()[-1]
    with trader.api() as api:
        api.post(f"/api/v1/orders/{first['id']}/cancel").raise_for_status()
    is_cut = False
    live(page)
    expect(rows).to_have_count(3)
    expect(rows.last).to_have_attribute("data-status", "CANCELLED")
    expect(page.locator("tr[data-status=PENDING]")).to_have_count(0)
    shown = {row.get_attribute("data-order"): row.get_attribute("data-status") for row in rows.all()}
    assert shown == {order["id"]: order["status"] for order in trader.orders()}


@pytest.mark.usefixtures("built")
def test_the_server_is_down_and_comes_back(browser: Browser, tmp_path: Path, shot: Shot) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with watched(browser) as context:
        page = context.new_page()
        with running_engine(tmp_path / "home", ORDERLOG_PORT=port) as engine:
            trader = trader_of(engine)
            open_page(page, trader)
            trader.place()
            expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "ACCEPTED")
        expect(page.locator(".badge")).to_have_text("Reconnecting")
        page.get_by_label("Symbol").fill("AAPL")
        page.get_by_label("Quantity").fill("2")
        page.get_by_role("button", name="Place order").click()
        expect(page.get_by_role("alert")).to_contain_text("place it again, unchanged, and it is placed once")
        shot(page, "server-down")
        with running_engine(tmp_path / "home", ORDERLOG_PORT=port):
            live(page)
            page.get_by_role("button", name="Place order").click()
            expect(page.locator("tr[data-status=FILLED]")).to_have_count(1)
            assert len(trader.orders()) == 2


def test_a_page_that_is_opened_while_the_server_is_down_says_so_and_recovers(
    context: BrowserContext, trader: Trader, shot: Shot
) -> None:
    page = context.new_page()
    context.route("**/api/v1/**", lambda route: route.abort())
    page.goto(trader.address)
    expect(page.get_by_text("The server cannot be reached").first).to_be_visible()
    shot(page, "unreachable")
    context.unroute_all(behavior="wait")
    live(page)
    expect(page.get_by_text("No orders yet")).to_be_visible()


def test_a_token_that_has_expired_is_asked_for_again(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    page = context.new_page()
    expired = token_of(engine, trader.name, ttl_seconds=-1)
    page.goto(f"{engine.url}/#token={expired}")
    expect(page.get_by_role("alert")).to_contain_text("The token is not good any more")
    shot(page, "expired")
    page.get_by_label("Token").fill("nonsense")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("This is no token")).to_be_visible()
    page.get_by_label("Token").fill(trader.token)
    page.get_by_role("button", name="Continue").click()
    live(page)


def test_a_token_is_taken_out_of_the_address_and_kept_for_the_tab_only(
    context: BrowserContext, page: Page, trader: Trader, shot: Shot
) -> None:
    assert page.url == f"{trader.engine.url}/"
    assert trader.token not in page.evaluate("JSON.stringify([localStorage, document.cookie])")
    page.reload()
    live(page)
    other = context.new_page()
    other.goto(trader.engine.url)
    expect(other.get_by_label("Token")).to_be_focused()
    shot(other, "sign-in")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()


def test_two_windows_show_the_same(context: BrowserContext, page: Page, trader: Trader) -> None:
    other = context.new_page()
    open_page(other, trader)
    page.get_by_label("Symbol").fill("AAPL")
    page.get_by_label("Quantity").fill("1")
    page.get_by_role("button", name="Place order").click()
    for each in (page, other):
        expect(each.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")
    trader.place()
    other.get_by_role("button", name="Cancel Buy 1 AAPL").click()
    expect(page.locator("tr[data-order]").first).to_have_attribute("data-status", "CANCELLED")


@pytest.mark.parametrize("roles", [("auditor",)])
def test_who_is_no_trader_is_told_so(context: BrowserContext, engine: RunningEngine, roles: tuple[str, ...]) -> None:
    page = context.new_page()
    page.goto(trader_of(engine, *roles, money="").address)
    expect(page.get_by_text("This needs the role trader").first).to_be_visible()
