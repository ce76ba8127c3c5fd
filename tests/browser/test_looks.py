"""What a page has to be for everybody: readable by machines, in both lights, at every width, and smooth."""

import itertools
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENSHOTS, Trader, open_page, serious, trader_of, watched

Shot = Callable[[Page, str], None]

_FRAMES = """() => {
  window.frames = [];
  let last = performance.now();
  const step = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(step); };
  requestAnimationFrame(step);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Browser, trader: Trader, shot: Shot, scheme: Literal["light", "dark"]
) -> None:
    with watched(browser, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(trader.engine.url)
        page.get_by_role("button", name="Continue").click()
        assert serious(page) == []
        trader.place(symbol="TSLA")
        trader.place(order_type="MARKET", price="")
        open_page(page, trader)
        expect(page.locator("tr[data-status=FILLED]")).to_have_count(1)
        page.get_by_label("Symbol").fill("A")
        expect(page.get_by_role("listbox")).to_be_visible()
        assert serious(page) == []
        page.keyboard.press("Escape")
        page.get_by_label("Order type").select_option("STOP_LIMIT")
        page.get_by_role("button", name="Place order").click()
        expect(page.get_by_text("Enter a quantity")).to_be_visible()
        page.get_by_role("button", name="Replace Buy 1 TSLA").click()
        shot(page, f"all-{scheme}")
        assert serious(page) == []
        page.locator("tr[data-status=FILLED] [data-row]").click()
        expect(page.get_by_role("dialog").locator(".timeline li").last).to_be_visible()
        shot(page, f"drawer-{scheme}")
        assert serious(page) == []


@pytest.mark.parametrize("width", [360, 768, 1920])
def test_nothing_sticks_out_at_any_width(browser: Browser, trader: Trader, shot: Shot, width: int) -> None:
    with watched(browser) as context:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 800})
        trader.place(symbol="BTC/USD", quantity="0.000000001", price="12345.67890123")
        trader.place(order_type="MARKET", price="")
        open_page(page, trader)
        expect(page.locator("tr[data-status=FILLED]")).to_have_count(1)
        page.locator("tr").get_by_role("button", name="Replace").click()
        shot(page, f"width-{width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("Escape")
        page.locator("[data-row]").first.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        shot(page, f"width-{width}-drawer")


@pytest.mark.parametrize("path", ["ops", "audit"])
def test_operators_and_auditors_find_everything_on_a_phone_in_the_dark(
    browser: Browser, trader: Trader, shot: Shot, path: str
) -> None:
    role, loaded = {"ops": ("ops", "Read models"), "audit": ("auditor", "Verification")}[path]
    placed = trader.place(order_type="MARKET", price="")
    somebody = trader_of(trader.engine, role, money="")
    with watched(browser, color_scheme="dark") as context:
        page = context.new_page()
        page.set_viewport_size({"width": 360, "height": 800})
        page.goto(f"{trader.engine.url}/{path}#token={somebody.token}")
        expect(page.get_by_role("heading", name=loaded)).to_be_visible()
        if path == "audit":
            page.get_by_label("Order id").fill(placed["id"])
            page.get_by_role("button", name="Search").click()
            page.get_by_role("button", name=placed["id"][:8]).first.click()
            expect(page.locator(".state-at")).to_be_visible()
        else:
            expect(page.locator("[data-projection]")).to_have_count(5)
        shot(page, f"{path}-360-dark")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert serious(page) == []


def test_the_form_says_what_the_venue_takes(page: Page, shot: Shot) -> None:
    page.get_by_label("Symbol").fill("AAPL")
    expect(page.get_by_text("ticks of 0.01")).to_be_visible()
    page.get_by_label("Quantity").fill("1")
    page.get_by_label("Order type").select_option("LIMIT")
    page.get_by_label("Price", exact=True).fill("190.011")
    page.get_by_role("button", name="Place order").click()
    expect(page.get_by_text("Must be a multiple of 0.01")).to_be_visible()
    shot(page, "grid")
    page.get_by_label("Price", exact=True).fill("19.01")
    page.get_by_role("button", name="Place order").click()
    expect(page.locator("tr[data-order]")).to_have_count(1)


def test_five_hundred_rows_take_fifty_updates_a_second(browser: Browser, trader: Trader) -> None:
    """The real page on a stream that is played to it, because no engine should have to be so busy for a picture."""
    ids = [f"00000000-0000-4000-8000-{number:012}" for number in range(500)]
    template = trader.place()
    with watched(browser) as context:
        page = context.new_page()
        sockets: list[Any] = []
        page.route_web_socket("**/ws/orders/events*", lambda route: sockets.append(route))  # noqa: PLW0108 - Playwright takes no builtin
        context.route(
            "**/api/v1/orders?*",
            lambda route: route.fulfill(json=_page(template, ids, route.request.url)),
        )
        open_page(page, trader)
        page.get_by_label("Rows").select_option("500")
        rows = page.locator("tr[data-order]")
        expect(rows).to_have_count(500)
        page.evaluate(_FRAMES)
        versions = dict.fromkeys(ids, template["version"])
        for count, order_id in zip(range(250), itertools.cycle(ids[::3]), strict=False):
            versions[order_id] += 1
            sockets[-1].send(json.dumps(_fill(order_id, versions[order_id], 10_000_000 + count)))
            page.wait_for_timeout(18)
        expect(rows.first).to_contain_text(f"{versions[ids[0]] - 1} / 1,000")
        frames = sorted(page.evaluate("window.frames")[1:])
        middle, slow, slowest = frames[len(frames) // 2], frames[len(frames) * 95 // 100], frames[-1]
        with (SCREENSHOTS / "figures.txt").open("a") as figures:
            figures.write(
                f"500 rows, 250 fills at up to 50 a second: {len(frames)} frames, median {middle:.1f} ms,"
                f" 95 % within {slow:.1f} ms, longest {slowest:.1f} ms\n"
            )


def _page(template: dict[str, Any], ids: list[str], url: str) -> dict[str, Any]:
    """A hundred of the orders; the cursor is where the next hundred begins."""
    begin = int(url.partition("cursor=")[2].partition("&")[0] or 0)
    end = begin + 100
    orders = [
        {
            **template,
            "id": order_id,
            "quantity": "1000",
            "status": "ACCEPTED",
            "created_at": f"2026-01-02T03:04:05.{999 - number:06}Z",
        }
        for number, order_id in enumerate(ids[begin:end], begin)
    ]
    return {"orders": orders, "next_cursor": str(end) if end < len(ids) else None, "position": 1_000_000}


def _fill(order_id: str, version: int, position: int) -> dict[str, Any]:
    return {
        "event": "order.filled",
        "order_id": order_id,
        "status": "PARTIALLY_FILLED",
        "timestamp": "2026-01-02T03:05:05.000000Z",
        "position": position,
        "version": version,
        "fill_id": f"f-{position}",
        "quantity_filled": "1",
        "price_at_fill": "190.01",
        "commission": "0",
        "venue": "paper",
        "executed_at": "2026-01-02T03:05:05.000000Z",
        "filled_quantity": str(version - 1),
        "leaves_quantity": "1",
        "average_fill_price": "190.01",
        "flags": [],
    }
