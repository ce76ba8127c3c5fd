"""Orders from the form: what is checked before they are sent, what the server says of them, and that each is placed once."""

import re
from collections.abc import Callable

import httpx2
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import SCREENSHOTS, Trader
from tests.plain_http import PLAIN

Shot = Callable[[Page, str], None]

_WATCH_STATUSES = """() => {
  window.seen = [];
  const look = () => {
    for (const row of document.querySelectorAll("tr[data-order]")) {
      const status = row.dataset.status;
      if (window.seen.at(-1)?.status !== status) window.seen.push({ status, at: performance.now() });
    }
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
  document.addEventListener("submit", () => { window.submitted = performance.now(); }, true);
}"""


def fill(page: Page, **fields: str) -> None:
    labels = {"symbol": "Symbol", "quantity": "Quantity", "price": "Price", "stop_price": "Stop price"}
    for name, value in fields.items():
        if name in {"side", "order_type"}:
            page.get_by_label({"side": "Side", "order_type": "Order type"}[name]).select_option(value)
        else:
            page.get_by_label(labels[name], exact=True).fill(value)


def submit(page: Page) -> None:
    page.get_by_role("button", name="Place order").click()


def test_every_status_of_an_order_is_seen_as_it_happens(page: Page) -> None:
    page.evaluate(_WATCH_STATUSES)
    fill(page, symbol="AAPL", quantity="10", order_type="MARKET")
    submit(page)
    expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")
    seen = page.evaluate("window.seen")
    assert seen[-1]["status"] == "FILLED"
    took = seen[-1]["at"] - page.evaluate("window.submitted")
    with (SCREENSHOTS / "figures.txt").open("a") as figures:
        figures.write(f"submit to FILLED on the screen: {took:.0f} ms, by way of {[each['status'] for each in seen]}\n")


def test_an_order_is_pending_until_the_venue_has_spoken(page: Page, trader: Trader, shot: Shot) -> None:
    rules = [{"on": "submit", "fault": "latency", "seconds": 1, "times": 1}]
    httpx2.put(f"{trader.engine.venue_url}/control/faults", json=rules, **PLAIN).raise_for_status()
    page.evaluate(_WATCH_STATUSES)
    fill(page, symbol="MSFT", quantity="3", order_type="MARKET")
    submit(page)
    expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "PENDING")
    expect(page.get_by_role("region", name="Account")).not_to_contain_text("Reserved$0.00")
    shot(page, "pending")
    expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")
    assert [each["status"] for each in page.evaluate("window.seen")][0::2][0] == "PENDING"


def test_a_double_click_is_one_order(page: Page, trader: Trader) -> None:
    fill(page, symbol="AAPL", quantity="1", order_type="LIMIT", price="10")
    page.get_by_role("button", name="Place order").dblclick()
    expect(page.get_by_text("Placed: Buy 1 AAPL")).to_be_visible()
    page.get_by_role("button", name="Place order").press("Enter")  # with a form that is empty again
    expect(page.get_by_text("Enter a quantity")).to_be_visible()
    assert len(trader.orders()) == 1


def test_the_button_waits_for_the_answer(page: Page, trader: Trader) -> None:
    page.route("**/api/v1/orders", lambda route: (page.wait_for_timeout(300), route.continue_()))
    fill(page, symbol="AAPL", quantity="1", order_type="LIMIT", price="10")
    button = page.get_by_role("button", name="Place order")
    button.evaluate("button => { button.click(); button.click(); }")
    expect(button).to_be_disabled()
    expect(button).to_be_enabled()
    page.unroute_all(behavior="wait")
    assert len(trader.orders()) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "Choose a symbol"),
        ({"symbol": "NOPE"}, "NOPE is not traded here"),
        ({"symbol": "AAPL"}, "Enter a quantity"),
        ({"symbol": "AAPL", "quantity": "0"}, "Must be greater than 0"),
        ({"symbol": "AAPL", "quantity": "ten"}, "Must be a number, such as 12.5"),
        ({"symbol": "AAPL", "quantity": "1", "order_type": "LIMIT"}, "Enter a price"),
        ({"symbol": "AAPL", "quantity": "1", "order_type": "STOP"}, "Enter a stop price"),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_is_not_sent(
    page: Page, trader: Trader, fields: dict[str, str], message: str
) -> None:
    fill(page, **fields)
    submit(page)
    expect(page.locator(".field.invalid").filter(has_text=message)).to_be_visible()
    expect(page.locator(":focus")).to_have_attribute("aria-invalid", "true")
    assert trader.orders() == []


def test_numbers_are_checked_while_they_are_typed(page: Page, shot: Shot) -> None:
    fill(page, symbol="AAPL", order_type="LIMIT", quantity="-5", price="1.0000000001")
    expect(page.get_by_text("Must be greater than 0")).to_be_visible()
    expect(page.get_by_text("May have at most 9 decimals")).to_be_visible()
    page.get_by_label("Stop loss").fill("2")
    page.get_by_label("Price", exact=True).fill("1")
    expect(page.get_by_text("Must be below the price")).to_be_visible()
    shot(page, "validation")


def test_what_the_server_refuses_stands_beside_its_field(page: Page, trader: Trader, shot: Shot) -> None:
    # The page is told of a larger balance than there is, so that it is the server that says no.
    fill(page, symbol="AAPL", quantity="999999999", order_type="LIMIT", price="999999999")
    expect(page.get_by_text(re.compile(r"Needs up to \$999,999,998,000,000,001\.00"))).to_be_visible()
    submit(page)
    alert = page.get_by_role("alert")
    expect(alert).to_be_visible()
    shot(page, "refused")
    assert trader.orders() == []
    page.get_by_label("Quantity").fill("1")
    expect(alert).to_be_hidden()


def test_the_estimate_is_exact_to_the_last_digit(page: Page) -> None:
    fill(page, symbol="BTC/USD", quantity="0.000000003", order_type="LIMIT", price="0.1")
    estimate = page.locator(".estimate")
    expect(estimate).to_contain_text("Estimated cost$0.00")
    fill(page, quantity="3", price="33333.33")
    expect(estimate).to_contain_text("Estimated cost$99,999.99")
    fill(page, order_type="STOP", stop_price="100")
    expect(estimate).to_contain_text("Estimated cost$300.00")
    expect(estimate).to_contain_text("Up to $315.00 is held until it is filled")


def test_a_symbol_is_found_by_its_name_with_the_keyboard_alone(page: Page, trader: Trader, shot: Shot) -> None:
    symbol = page.get_by_role("combobox", name="Symbol")
    symbol.focus()
    page.keyboard.type("micros")
    expect(page.get_by_role("listbox").get_by_role("option")).to_have_count(1)
    shot(page, "symbol-search")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(symbol).to_have_value("MSFT")
    page.keyboard.press("Tab")  # side
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.locator("tr[data-order]")).to_have_attribute("data-status", "FILLED")
    (order,) = trader.orders()
    assert (order["symbol"], order["quantity"]) == ("MSFT", "2")


def test_a_stop_limit_order_with_exits_is_placed_as_it_was_written(page: Page, trader: Trader) -> None:
    fill(page, symbol="AAPL", quantity="2", order_type="STOP_LIMIT", price="300.5", stop_price="299.25")
    page.get_by_label("Stop loss").fill("250")
    page.get_by_label("Take profit").fill("400.10")
    page.get_by_label("Time in force").select_option("GTC")
    submit(page)
    expect(page.get_by_text("Placed: Buy 2 AAPL")).to_be_visible()
    (order,) = trader.orders()
    assert {key: order[key] for key in ("order_type", "price", "stop_price", "stop_loss", "take_profit")} == {
        "order_type": "STOP_LIMIT",
        "price": "300.50",
        "stop_price": "299.25",
        "stop_loss": "250.00",
        "take_profit": "400.10",
    }
    assert (order["quantity"], order["time_in_force"]) == ("2", "GTC")


def test_more_than_is_held_cannot_be_sold(page: Page) -> None:
    fill(page, symbol="AAPL", side="SELL", quantity="1")
    expect(page.get_by_text("You hold 0 AAPL; there are no short sales")).to_be_visible()
    submit(page)
    expect(page.get_by_role("alert")).to_be_visible()
