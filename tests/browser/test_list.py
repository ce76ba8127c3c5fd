"""The list of orders: what can be done in it, and what it shows of each order."""

from collections.abc import Callable
from decimal import Decimal

import httpx2
from playwright.sync_api import Page, expect

from tests.browser.conftest import Trader
from tests.plain_http import PLAIN

Shot = Callable[[Page, str], None]


def test_an_order_is_cancelled_in_its_row(page: Page, trader: Trader, shot: Shot) -> None:
    trader.place()
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "ACCEPTED")
    shot(page, "accepted")
    row.get_by_role("button", name="Cancel Buy 1 AAPL").click()
    expect(row).to_have_attribute("data-status", "CANCELLED")
    expect(row.get_by_role("button", name="Cancel Buy 1 AAPL")).to_be_hidden()
    assert [order["status"] for order in trader.orders()] == ["CANCELLED"]


def test_an_order_is_replaced_in_its_row(page: Page, trader: Trader, shot: Shot) -> None:
    trader.place(quantity="5", price="10")
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "ACCEPTED")
    row.get_by_role("button", name="Replace Buy 5 AAPL").click()
    page.get_by_label("New total").fill("7")
    page.get_by_label("New limit").fill("11.5")
    shot(page, "replacing")
    page.get_by_role("button", name="Save").click()
    expect(row).to_contain_text("0 / 7")
    expect(row).to_contain_text("11.50")
    expect(page.get_by_label("New total")).to_be_hidden()
    (order,) = trader.orders()
    assert (order["quantity"], order["price"]) == ("7", "11.50")


def test_a_replacement_of_what_has_changed_meanwhile_is_not_made(page: Page, trader: Trader) -> None:
    placed = trader.place(quantity="5", price="10")
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "ACCEPTED")
    row.get_by_role("button", name="Replace Buy 5 AAPL").click()
    page.get_by_label("New total").fill("bad")
    expect(page.get_by_text("Must be a number above 0")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    page.get_by_label("New total").fill("6")
    # What another window did has not reached this one yet.
    page.route("**/replace", lambda route: (_replaced(trader, placed["id"]), route.continue_()))
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The order has changed meanwhile")).to_be_visible()
    page.keyboard.press("Escape")
    assert trader.orders()[0]["quantity"] == "9"


def _replaced(trader: Trader, order_id: str) -> None:
    with trader.api() as api:
        api.post(f"/api/v1/orders/{order_id}/replace", json={"quantity": "9"}).raise_for_status()


def test_a_fill_in_part_shows_how_much(page: Page, trader: Trader, shot: Shot) -> None:
    # One cent above the market is what the house asks first, and it has less than that.
    with trader.api() as api:
        listed = api.get("/api/v1/instruments").json()["instruments"]
    price = next(Decimal(each["reference_price"]) for each in listed if each["symbol"] == "TSLA")
    placed = trader.place(symbol="TSLA", quantity="3000", price=str(price + Decimal("0.01")))
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "PARTIALLY_FILLED")
    (order,) = trader.orders()
    assert order["id"] == placed["id"]
    filled = int(order["filled_quantity"])
    expect(row).to_contain_text(f"{filled:,} / 3,000")
    shot(page, "partially-filled")
    row.get_by_role("button", name="Buy 3000 TSLA: details").click()
    drawer = page.get_by_role("dialog")
    expect(drawer.get_by_role("row")).to_have_count(1 + len(order["fills"]))
    expect(drawer.locator(".timeline li").first).to_contain_text("Placed")
    expect(drawer.locator(".timeline li").last).to_contain_text("Filled")
    shot(page, "drawer")
    with trader.api() as api:
        api.post(f"/api/v1/orders/{order['id']}/cancel").raise_for_status()
    expect(drawer.locator(".timeline li").last).to_contain_text("Cancelled")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(row.get_by_role("button", name="Buy 3000 TSLA: details")).to_be_focused()


def test_what_the_venue_refuses_is_shown_with_its_reason(page: Page, trader: Trader, shot: Shot) -> None:
    rules = [{"on": "submit", "fault": "refuse", "message": "the symbol rests today", "times": 1}]
    httpx2.put(f"{trader.engine.venue_url}/control/faults", json=rules, **PLAIN).raise_for_status()
    trader.place()
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "REJECTED")
    row.locator("[data-row]").click()
    expect(page.get_by_role("dialog").locator(".reason")).to_contain_text("the symbol rests today")
    shot(page, "rejected")


def test_orders_are_filtered_by_status_and_symbol(page: Page, trader: Trader, shot: Shot) -> None:
    trader.place()
    trader.place(symbol="MSFT")
    trader.place(symbol="MSFT", order_type="MARKET", price="")
    rows = page.locator("tr[data-order]")
    expect(rows).to_have_count(3)
    expect(page.locator("tr[data-order][data-status=FILLED]")).to_have_count(1)
    page.get_by_label("Ticker").fill("msft")
    expect(rows).to_have_count(2)
    page.get_by_label("Status").select_option("ACCEPTED")
    expect(rows).to_have_count(1)
    expect(rows).to_have_attribute("data-status", "ACCEPTED")
    rows.get_by_role("button", name="Cancel Buy 1 MSFT").click()
    expect(page.get_by_text("No such orders")).to_be_visible()
    shot(page, "nothing-fits")
    page.get_by_label("Status").select_option("")
    page.get_by_label("Ticker").fill("")
    expect(rows).to_have_count(3)


def test_older_orders_come_page_by_page(page: Page, trader: Trader, shot: Shot) -> None:
    with trader.api() as api:
        for number in range(1, 31):
            order = {"symbol": "SPY", "quantity": str(number), "order_type": "LIMIT", "price": "1"}
            api.post("/api/v1/orders", json=order).raise_for_status()
    rows = page.locator("tr[data-order]")
    expect(rows).to_have_count(25)
    expect(rows.first).to_contain_text("0 / 30")
    expect(page.locator("tr[data-status=PENDING]")).to_have_count(0)
    shot(page, "many")
    page.get_by_role("button", name="Older").click()
    expect(rows).to_have_count(5)
    expect(rows.last).to_contain_text("0 / 1")
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    page.get_by_role("button", name="Newer").click()
    page.get_by_label("Rows").select_option("50")
    expect(rows).to_have_count(30)
    rows.first.locator("[data-row]").focus()
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1).locator("[data-row]")).to_be_focused()
