"""The critical path: from the form to an order that is there."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Trader


@pytest.mark.smoke
def test_an_order_from_the_form_is_placed_and_filled_before_one_s_eyes(
    page: Page, trader: Trader, shot: Callable[[Page, str], None]
) -> None:
    shot(page, "empty")
    page.get_by_label("Symbol").fill("AAPL")
    page.get_by_label("Side").select_option("BUY")
    page.get_by_label("Quantity").fill("10")
    page.get_by_label("Order type").select_option("MARKET")
    shot(page, "form-filled")
    page.get_by_role("button", name="Place order").click()
    row = page.locator("tr[data-order]")
    expect(row).to_have_attribute("data-status", "FILLED")
    expect(row).to_contain_text("10 / 10")
    (order,) = trader.orders()
    assert (order["symbol"], order["side"], order["quantity"], order["status"]) == ("AAPL", "BUY", "10", "FILLED")
    expect(page.get_by_role("region", name="Account")).to_contain_text("AAPL")
    shot(page, "filled")
