"""The API's documentation: every endpoint and stream, for anybody, with nothing from anywhere else."""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from api.messages import STATUS_MESSAGES
from api.routes import ENDPOINTS
from tests.browser.conftest import serious, watched
from tests.engine_process import RunningEngine

Shot = Callable[[Page, str], None]

EVERY_OPERATION = [f"{endpoint.method} {endpoint.path}" for endpoint in ENDPOINTS]


def open_docs(context: BrowserContext, engine: RunningEngine, fragment: str = "") -> Page:
    page = context.new_page()
    page.goto(f"{engine.url}/docs{fragment}")
    expect(page.get_by_role("heading", name="Streams")).to_be_visible()
    return page


def shown(page: Page) -> list[str]:
    operations: list[str] = page.locator("[data-operation]").evaluate_all(
        "all => all.map(each => each.dataset.operation)"
    )
    return operations


def test_every_endpoint_and_stream_is_there_and_no_request_leaves_the_server(
    context: BrowserContext, engine: RunningEngine, shot: Shot
) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = open_docs(context, engine)
    assert sorted(shown(page)) == sorted(EVERY_OPERATION)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    messages = page.locator("[data-channel='/ws/orders/events'] [data-message]")
    assert messages.evaluate_all("all => all.map(each => each.dataset.message)") == list(STATUS_MESSAGES)
    expect(page.locator("[data-channel='/ws/orders/events']")).to_contain_text("4408 Too slow to follow")
    shot(page, "docs-whole")
    assert [url for url in asked if not url.startswith(f"{engine.url}/")] == []
    assert f"{engine.url}/asyncapi.json" in asked


def test_an_endpoint_is_found_by_a_word_by_who_may_ask_and_by_its_address(
    context: BrowserContext, engine: RunningEngine, shot: Shot
) -> None:
    page = open_docs(context, engine, "#place_order")
    place = page.locator("[data-operation='POST /api/v1/orders']")
    expect(place.get_by_text("Idempotency-Key", exact=True)).to_be_visible()
    expect(place.locator("pre")).to_contain_text('-d \'{"symbol":"AAPL"')
    shot(page, "docs-order")
    page.get_by_label("Find").fill("halt")
    expect(page.locator("[data-operation]")).to_have_count(3)
    page.get_by_label("Find").fill("")
    page.get_by_label("What may be asked by").select_option("ops")
    expect(place).to_be_hidden()
    for_ops = [each for each in ENDPOINTS if "ops" in (each.roles | each.own_check or {"ops"})]
    assert sorted(shown(page)) == sorted(f"{each.method} {each.path}" for each in for_ops)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everybody_at_any_width(
    browser: Browser, engine: RunningEngine, shot: Shot, scheme: Literal["light", "dark"]
) -> None:
    with watched(browser, color_scheme=scheme) as context:
        page = open_docs(context, engine, "#place_order")
        page.locator("[data-channel='/ws/orders/events'] summary").first.click()
        assert serious(page) == []
        page.set_viewport_size({"width": 360, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        shot(page, f"docs-360-{scheme}")
