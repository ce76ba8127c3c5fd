"""The operator's page: how the engine is, and the switch to halt it."""

import re
from collections.abc import Callable

import httpx2
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Trader, open_page, serious, trader_of
from tests.engine_process import RunningEngine
from tests.plain_http import PLAIN

Shot = Callable[[Page, str], None]


def open_ops(context: BrowserContext, engine: RunningEngine, *roles: str) -> Page:
    operator = trader_of(engine, *(roles or ("ops",)), money="")
    page = context.new_page()
    page.goto(f"{engine.url}/ops#token={operator.token}")
    expect(page.get_by_role("heading", name="Operations")).to_be_visible()
    return page


def test_an_operator_sees_how_the_engine_is_live(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    page = open_ops(context, engine)
    expect(page.get_by_role("region", name="Health").locator(".tag.good")).to_have_count(4)
    expect(page.locator("tr[data-projection]").first).to_contain_text("0")
    figures = page.get_by_role("region", name="Now", exact=True)
    expect(figures).to_contain_text(re.compile(r"Open orders\d+"))
    open_orders = int(figures.locator("dd").first.inner_text())
    for _ in range(3):
        trader.place()
    expect(figures.locator("dd").first).to_have_text(str(open_orders + 3))
    trader.place(order_type="MARKET", price="")
    expect(page.get_by_role("region", name="Time until filled")).to_contain_text(re.compile(r"50 % \d+(\.\d)? ms"))
    expect(page.get_by_role("img", name="Orders in each of the last 60 seconds")).to_be_visible()
    shot(page, "ops")
    assert serious(page) == []


def test_an_order_in_doubt_is_named(context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot) -> None:
    page = open_ops(context, engine)
    rules = [{"on": "any", "fault": "answer", "status": 503}]
    httpx2.put(f"{engine.venue_url}/control/faults", json=rules, **PLAIN).raise_for_status()
    placed = trader.place(symbol="GOOG", quantity="1")
    expect(page.get_by_role("region", name="Unresolved orders")).to_contain_text(placed["id"], timeout=30_000)
    shot(page, "ops-unresolved")
    httpx2.delete(f"{engine.venue_url}/control/faults", **PLAIN).raise_for_status()
    expect(page.get_by_role("region", name="Unresolved orders")).not_to_contain_text(placed["id"], timeout=45_000)


def test_trading_is_halted_and_resumed(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    page = open_ops(context, engine)
    page.get_by_label("What").select_option("trader")
    page.get_by_label("Which trader").fill(trader.name)
    page.get_by_label("Reason").fill("asked for")
    page.get_by_role("button", name="Halt", exact=True).click()
    page.get_by_role("button", name=f"Really halt {trader.name}?").click()
    halt = page.locator(f"[data-halt='trader:{trader.name}']")
    expect(halt).to_contain_text("asked for")
    shot(page, "ops-halted")
    orders = context.new_page()
    open_page(orders, trader)
    orders.get_by_label("Symbol").fill("AAPL")
    orders.get_by_label("Quantity").fill("1")
    orders.get_by_role("button", name="Place order").click()
    expect(orders.get_by_role("alert")).to_contain_text("Your trading is halted")
    shot(orders, "halted")
    halt.get_by_role("button", name=f"Resume trader:{trader.name}").click()
    expect(halt).to_be_hidden()
    orders.get_by_role("button", name="Place order").click()
    expect(orders.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")


def test_who_is_no_operator_sees_nothing(context: BrowserContext, engine: RunningEngine) -> None:
    page = open_ops(context, engine, "trader")
    expect(page.get_by_text("This needs the role ops").first).to_be_visible()
