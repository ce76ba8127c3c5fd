"""The auditor's page: the log, an order at any point of its life, and the signed checkpoint."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Trader, serious, trader_of
from tests.engine_process import RunningEngine

Shot = Callable[[Page, str], None]


def open_audit(context: BrowserContext, engine: RunningEngine) -> Page:
    auditor = trader_of(engine, "auditor", money="")
    page = context.new_page()
    page.goto(f"{engine.url}/audit#token={auditor.token}")
    expect(page.get_by_role("heading", name="Audit")).to_be_visible()
    return page


def test_an_order_is_looked_at_as_of_any_point_of_its_life(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    placed = trader.place(order_type="MARKET", price="", quantity="3")
    page = open_audit(context, engine)
    page.get_by_label("Trader").fill(trader.name)
    page.get_by_label("Kind").select_option("OrderFilled")
    page.get_by_role("button", name="Search").click()
    found = page.get_by_role("row").filter(has_text="OrderFilled")
    expect(found).to_have_count(1)
    expect(found).to_contain_text(trader.name)
    found.get_by_role("button", name=placed["id"][:8]).click()
    state = page.locator(".state-at")
    expect(state).to_contain_text("Filled")
    expect(state).to_contain_text("3 / 3")
    count = page.locator(".order-history .timeline li").count()
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(state).to_contain_text("Pending")
    expect(state).to_contain_text("0 / 3")
    expect(page.get_by_text(f"As of event 1 of {count}")).to_be_visible()
    shot(page, "audit-as-of")
    assert serious(page) == []
    page.keyboard.press("End")
    expect(state).to_contain_text("3 / 3")
    page.get_by_role("button", name="Close").click()
    expect(state).to_be_hidden()


def test_the_log_is_read_page_by_page(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    for _ in range(15):
        trader.place()
    page = open_audit(context, engine)
    rows = page.locator(".events tbody tr")
    expect(rows).to_have_count(50)
    first = rows.first.inner_text()
    page.get_by_role("button", name="Later").click()
    expect(rows.first).to_contain_text("51")
    page.get_by_role("button", name="From the beginning").click()
    expect(rows.first).to_have_text(first.replace("\t", ""))
    page.get_by_label("Order id").fill("nonsense")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a UUID")
    page.get_by_label("Order id").fill("00000000-0000-4000-8000-000000000000")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No such events")).to_be_visible()
    shot(page, "audit-nothing")


def test_the_checkpoint_s_signature_is_checked_in_the_browser(
    context: BrowserContext, engine: RunningEngine, trader: Trader, shot: Shot
) -> None:
    trader.place()
    page = open_audit(context, engine)
    verification = page.get_by_role("region", name="Verification")
    expect(verification).to_contain_text("Signature checked in this browser")
    expect(verification).to_contain_text("Intact up to position")
    shot(page, "audit")
    assert serious(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="Keep this checkpoint").click()
    assert '"signature"' in download.value.path().read_text()
    page.route("**/audit/checkpoint", _forge)
    page.get_by_role("button", name="Check again").click()
    expect(verification).to_contain_text("The signature is not that of the engine's key")


def _forge(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(json=answer.json() | {"position": 1})
