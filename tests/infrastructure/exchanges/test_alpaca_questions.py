"""What is asked, whom it leads to, and what it lists."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.venue import VenueOutcomeUnknownError, VenueTerms, WorkingOrder
from domain.values import OrderId, Price, Quantity, Side
from infrastructure.exchanges.alpaca import AlpacaVenue
from infrastructure.exchanges.alpaca_questions import ORDERS_PER_PAGE
from tests.infrastructure.exchanges.alpaca_words import ORDER_ID, SOUGHT, VENUE_ORDER_ID, activity, order
from tests.infrastructure.exchanges.played_venue import Play, hangs_up, played, says, showing, venue_at

FIRST = order("replaced", replaced_by="second")
SECOND = order("replaced", id="second", client_order_id=f"{ORDER_ID}.1", replaces=VENUE_ORDER_ID, replaced_by="third")
THIRD = order(id="third", client_order_id=f"{ORDER_ID}.2", replaces="second")
LINE = [("accepted", VENUE_ORDER_ID), ("replaced", "second"), ("replaced", "third")]


async def told(adapter: AlpacaVenue, **sought: Any) -> list[tuple[str, str]]:
    return [(one.status, one.venue_order_id) for one in await adapter.find(replace(SOUGHT, **sought))]


# ── Orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_order_is_followed_to_its_last_replacement() -> None:
    async with showing(FIRST, SECOND, THIRD) as venue, venue_at(venue.url) as adapter:
        assert await told(adapter, venue_order_id="third", replacement=2) == LINE
    assert [request.path for request in venue.requests] == [
        "/v2/orders:by_client_order_id",
        "/v2/orders/second",
        "/v2/orders/third",
    ]
    assert all(request.params["nested"] == "true" for request in venue.requests)


async def test_an_order_that_is_not_found_by_name_is_found_by_the_venues_id_and_followed_both_ways() -> None:
    leg = [{**each, "client_order_id": "the venue's name"} for each in (FIRST, SECOND, THIRD)]
    async with showing(*leg) as venue, venue_at(venue.url) as adapter:
        assert await told(adapter, venue_order_id="second") == LINE
        assert await told(adapter, venue_order_id="nobody's") == []
        assert await told(adapter) == []


async def test_a_replacement_that_nobody_told_of_is_asked_for_by_its_name() -> None:
    kept = order("new")
    lost = order(id="second", client_order_id=f"{ORDER_ID}.1", replaces=VENUE_ORDER_ID)
    expected = [("accepted", VENUE_ORDER_ID), ("replaced", "second"), ("superseded", VENUE_ORDER_ID)]
    async with showing(kept, lost) as venue, venue_at(venue.url) as adapter:
        assert await told(adapter) == [("accepted", VENUE_ORDER_ID)]
        assert await told(adapter, replacement=1) == expected
        assert await told(adapter, venue_order_id="second") == expected
        assert await told(adapter, replacement=2) == [("accepted", VENUE_ORDER_ID)]


async def test_an_order_that_was_replaced_while_it_was_asked_for_is_not_superseded() -> None:
    plays = [
        says(200, order("new")),
        says(200, {**SECOND, "status": "new", "replaced_by": None}),
        says(200, FIRST),
    ]
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await told(adapter, replacement=1) == LINE[:2]


async def test_what_the_venue_does_not_show_of_the_line_is_left_out() -> None:
    with capture_logs() as logs:
        async with showing(FIRST) as venue, venue_at(venue.url) as adapter:
            assert await told(adapter) == LINE[:1]
        async with showing(THIRD) as venue, venue_at(venue.url) as adapter:
            assert await told(adapter, replacement=2) == [("accepted", "third")]
    assert [log["event"] for log in logs] == ["venue_order_missing"] * 2


async def test_orders_that_replace_each_other_in_a_circle_are_asked_for_once() -> None:
    circle = [{**FIRST, "replaces": "third"}, SECOND, {**THIRD, "replaced_by": VENUE_ORDER_ID, "status": "replaced"}]
    async with showing(*circle) as venue, venue_at(venue.url) as adapter:
        reports = await told(adapter)
    assert sorted(venue_order_id for _, venue_order_id in reports) == sorted(one["id"] for one in circle)


@pytest.mark.parametrize("play", [says(401), says(403), says(500), says(200, "?"), says(200, THIRD), hangs_up()])
async def test_a_question_without_a_proper_answer_on_the_way_proves_nothing(play: Play) -> None:
    async with showing(FIRST, to={"second": play}) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.find(SOUGHT)


async def test_the_venue_says_whose_order_it_is() -> None:
    async with showing(FIRST, THIRD, order(id="leg", client_order_id="x.1")) as venue, venue_at(venue.url) as adapter:
        assert [await adapter.client_order_id(one) for one in (VENUE_ORDER_ID, "third", "leg", "nobody's")] == [
            ORDER_ID,
            ORDER_ID,
            "x.1",
            None,
        ]


async def test_whose_order_it_is_stays_unknown_where_the_venue_refuses_to_say() -> None:
    async with played(says(403)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.client_order_id(VENUE_ORDER_ID)


# ── Executions of an order ───────────────────────────────────────────────────────────────────────────────────────────


async def test_the_executions_of_all_orders_of_the_line_are_listed_and_of_those_only_that_have_any() -> None:
    orders = {**FIRST, "filled_qty": "1"}, {**SECOND, "filled_qty": "1"}, {**THIRD, "filled_qty": "3"}
    done = [activity("e-1"), activity("e-2", "2", order_id="third"), activity("e-3", order_id="another")]
    async with showing(*orders, activities=done) as venue, venue_at(venue.url) as adapter:
        assert await told(adapter) == [*LINE, ("filled", VENUE_ORDER_ID), ("filled", "third")]
    asked = [request.params["order_id"] for request in venue.requests if request.path.endswith("/FILL")]
    assert asked == [VENUE_ORDER_ID, "second", "third"]


async def test_a_bust_that_left_nothing_filled_is_still_listed() -> None:
    bust = activity("b-1", type="trade_bust", previous_execution_id="e-1")
    reopened = order("new", "0", filled_at="2026-11-20T15:00:01Z")
    async with showing(reopened, activities=[activity("e-1"), bust]) as venue, venue_at(venue.url) as adapter:
        assert [status for status, _ in await told(adapter)] == ["accepted", "filled", "busted"]


async def test_where_only_this_orders_executions_are_listed_all_pages_are_read() -> None:
    pages = [activity(f"e-{number}", "0.01") for number in range(100)], [activity("e-100")]
    plays = says(200, order("filled", "1")), *(says(200, page) for page in pages)
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert len(await adapter.find(SOUGHT)) == 102
    assert len(venue.requests) == 3


# ── Orders that work ─────────────────────────────────────────────────────────────────────────────────────────────────


def working(number: int, submitted_at: str | None = "2026-11-20T15:00:00.5Z", **fields: Any) -> dict[str, Any]:
    """An order in the list."""
    terms = {"id": f"venue-{number}", "client_order_id": f"name-{number}", "symbol": "AAPL", "side": "sell", "qty": "3"}
    return order(**{**terms, "submitted_at": submitted_at, **fields})


async def test_every_working_order_is_listed_with_its_terms() -> None:
    listed = [
        working(1, client_order_id=f"{ORDER_ID}.7", limit_price="1.50", filled_qty="0.5", status="partially_filled"),
        working(2, side="buy", stop_price="2", status="held", qty=None, submitted_at=None),
    ]
    async with played(says(200, listed)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.working_orders() == [
            WorkingOrder(
                client_order_id=ORDER_ID,
                venue_order_id="venue-1",
                symbol="AAPL",
                side=Side.SELL,
                status="partially_filled",
                terms=VenueTerms(Quantity(Decimal(3)), Price(Decimal("1.5")), None),
                filled_quantity=Decimal("0.5"),
                submitted_at=datetime(2026, 11, 20, 15, 0, 0, 500_000, tzinfo=UTC),
            ),
            WorkingOrder(
                client_order_id=OrderId("name-2"),
                venue_order_id="venue-2",
                symbol="AAPL",
                side=Side.BUY,
                status="held",
                terms=VenueTerms(Quantity(Decimal(0)), None, None),
                filled_quantity=Decimal(0),
                submitted_at=datetime(2026, 11, 20, 15, 0, 0, 123_457, tzinfo=UTC),
            ),
        ]
    [request] = venue.requests
    assert request.path == "/v2/orders"
    assert request.params == {"status": "open", "limit": "500", "direction": "asc", "nested": "false"}


async def test_working_orders_are_listed_page_by_page_and_none_of_one_moment_is_missed() -> None:
    first = [working(number, f"2026-11-20T15:00:00.{number:03d}Z") for number in range(ORDERS_PER_PAGE)]
    second = [first[-1], working(ORDERS_PER_PAGE, "2026-11-20T15:00:00.499Z")]
    async with played(says(200, first), says(200, second)) as venue, venue_at(venue.url) as adapter:
        listed = await adapter.working_orders()
    assert [one.venue_order_id for one in listed] == [f"venue-{number}" for number in range(ORDERS_PER_PAGE + 1)]
    assert venue.requests[1].params["after"] == "2026-11-20T15:00:00.498999Z"


async def test_a_venue_that_lists_the_same_page_again_has_not_listed_all() -> None:
    page = [working(number) for number in range(ORDERS_PER_PAGE)]
    async with played(says(200, page)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.working_orders()


@pytest.mark.parametrize(
    "entry",
    [
        "no order",
        working(1, side="sell_short"),
        working(1, side=None),
        working(1, symbol=None),
        working(1, qty="NaN"),
        working(1, qty="-1"),
        working(1, limit_price="0"),
        working(1, stop_price="1e-400"),
        working(1, filled_qty="-1"),
        working(1, filled_qty="sNaN"),
        working(1, submitted_at=None, created_at=None),
        working(1, submitted_at="9999-12-31T23:59:59-23:59"),
    ],
)
async def test_a_working_order_that_cannot_be_read_is_logged_loudly_and_the_others_are_kept(entry: Any) -> None:
    with capture_logs() as logs:
        async with played(says(200, [entry, working(2)])) as venue, venue_at(venue.url) as adapter:
            assert [one.venue_order_id for one in await adapter.working_orders()] == ["venue-2"]
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["venue_order_unreadable"]


@pytest.mark.parametrize("play", [says(401), says(404), says(500), says(200, "?"), says(200, {}), hangs_up()])
async def test_a_list_of_working_orders_that_cannot_be_had_is_no_empty_list(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.working_orders()
