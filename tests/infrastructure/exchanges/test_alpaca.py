"""What the adapter asks, and what became of an order."""

import gzip
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.venue import VenueOutcomeUnknownError, VenueReport
from domain.values import OrderType, Price, Quantity, Side, TimeInForce
from tests.infrastructure.exchanges.alpaca_words import (
    ACCEPTED,
    DUPLICATE,
    ORDER,
    ORDER_ID,
    SOUGHT,
    VENUE_ORDER_ID,
    activity,
    filled,
    order,
)
from tests.infrastructure.exchanges.played_venue import (
    KEY_ID,
    SECRET,
    Play,
    hangs_up,
    played,
    says,
    venue_at,
)


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({}, {"side": "buy", "qty": "1.5", "type": "market", "time_in_force": "day"}),
        (
            {
                "side": Side.SELL,
                "quantity": Quantity(Decimal("1E+2")),
                "order_type": OrderType.LIMIT,
                "price": Price(Decimal("1E-9")),
                "time_in_force": TimeInForce.GTC,
            },
            {"side": "sell", "qty": "100", "type": "limit", "limit_price": "0.000000001", "time_in_force": "gtc"},
        ),
        (
            {"order_type": OrderType.STOP, "stop_price": Price(Decimal("99.5")), "time_in_force": TimeInForce.IOC},
            {"side": "buy", "qty": "1.5", "type": "stop", "stop_price": "99.5", "time_in_force": "ioc"},
        ),
        (
            {
                "order_type": OrderType.STOP_LIMIT,
                "price": Price(Decimal(101)),
                "stop_price": Price(Decimal(100)),
                "time_in_force": TimeInForce.FOK,
            },
            {
                "side": "buy",
                "qty": "1.5",
                "type": "stop_limit",
                "limit_price": "101",
                "stop_price": "100",
                "time_in_force": "fok",
            },
        ),
    ],
)
async def test_an_order_goes_out_in_the_venues_words_with_amounts_as_decimal_strings(
    terms: dict[str, Any], expected: dict[str, str]
) -> None:
    async with played(says(200, order("pending_new"))) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(replace(ORDER, **terms)) == [ACCEPTED]
    [request] = venue.requests
    assert (request.method, request.target) == ("POST", "/v2/orders")
    assert json.loads(request.body) == {"client_order_id": ORDER_ID, "symbol": "AAPL", **expected}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["apca-api-key-id"] == KEY_ID
    assert request.headers["apca-api-secret-key"] == SECRET


# ── Orders the venue has already ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("message", ["client_order_id must be unique", "Client order ID must be unique!"])
async def test_an_order_the_venue_has_already_is_found_instead_of_refused(message: str) -> None:
    plays = says(422, {**DUPLICATE, "message": message}), says(200, order("new"))
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(ORDER) == [ACCEPTED]
    assert [request.method for request in venue.requests] == ["POST", "GET"]


@pytest.mark.parametrize("then", [says(404), says(401), says(429), says(500), says(200, "?"), hangs_up()])
async def test_an_order_the_venue_has_already_never_looks_refused(then: Play) -> None:
    async with played(says(422, DUPLICATE), then) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.submit(ORDER)


# ── What became of an order ──────────────────────────────────────────────────────────────────────────────────────────


async def test_an_order_that_filled_at_once_comes_back_with_its_fills() -> None:
    plays = says(200, order("filled", "1.5")), says(200, [activity("e-1"), activity("e-2", "0.5")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(ORDER) == [ACCEPTED, filled("e-1"), filled("e-2", "0.5")]
    assert venue.requests[1].path == "/v2/account/activities/FILL"
    assert venue.requests[1].params == {
        "order_id": VENUE_ORDER_ID,
        "after": "2026-11-20T14:59:59Z",
        "direction": "asc",
        "page_size": "100",
    }


@pytest.mark.parametrize("then", [says(500), says(429), says(403), says(200, "?"), hangs_up()])
async def test_an_order_is_accepted_even_if_its_fills_cannot_be_had_at_once(then: Play) -> None:
    async with played(says(200, order("filled", "1.5")), then) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(ORDER) == [ACCEPTED]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("accepted", [ACCEPTED]),
        ("pending_cancel", [ACCEPTED]),
        ("done_for_day", [ACCEPTED]),
        ("replaced", [ACCEPTED]),
        ("something Alpaca thinks of later", [ACCEPTED]),
        ("canceled", [ACCEPTED, replace(ACCEPTED, status="cancelled", reason="too late")]),
        ("expired", [ACCEPTED, replace(ACCEPTED, status="expired", reason="too late")]),
        ("rejected", [replace(ACCEPTED, status="rejected", reason="too late")]),
    ],
)
async def test_a_query_tells_the_acceptance_and_the_end(status: str, expected: list[VenueReport]) -> None:
    known = order(status, reject_reason="too late" if len(expected) > 1 or status == "rejected" else None)
    async with played(says(200, known)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(SOUGHT) == expected
    assert len(venue.requests) == 1  # nothing was filled, so no fills are asked for


async def test_a_rejection_without_a_reason_says_so() -> None:
    async with played(says(200, order("rejected", None))) as venue, venue_at(venue.url) as adapter:
        assert [report.reason for report in await adapter.find(SOUGHT)] == ["the venue gave no reason"]


async def test_a_cancelled_order_has_its_fills_before_its_end() -> None:
    plays = says(200, order("canceled", "1")), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(SOUGHT) == [ACCEPTED, filled("e-1"), replace(ACCEPTED, status="cancelled")]


async def test_an_order_does_not_end_before_all_of_its_fills_are_known() -> None:
    plays = says(200, order("canceled", "2")), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        with capture_logs() as logs:
            assert await adapter.find(SOUGHT) == [ACCEPTED, filled("e-1")]
    assert [(entry["event"], entry["known"]) for entry in logs] == [("venue_fills_missing", "1")]


@pytest.mark.parametrize("play", [says(401), says(403, {"message": "no"}), says(422), says(500), hangs_up()])
async def test_a_question_that_is_refused_proves_nothing_about_the_order(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.find(SOUGHT)


async def test_a_refusal_to_show_the_fills_proves_nothing_about_the_order() -> None:
    async with played(says(200, order("filled", "1")), says(403)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.find(SOUGHT)


@pytest.mark.parametrize("created_at", [None, "0001-01-01T00:00:00Z"])
async def test_fills_are_found_for_an_order_that_does_not_say_when_it_began(created_at: str | None) -> None:
    plays = says(200, order("filled", "1", created_at=created_at)), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(SOUGHT) == [ACCEPTED, filled("e-1")]
    assert "after" not in venue.requests[1].params


async def test_fills_are_found_among_those_of_other_orders_page_by_page() -> None:
    others = [activity(f"other-{number}", order_id="another") for number in range(99)]
    pages = [[activity("e-1"), *others], [*others, activity("e-2")], [activity("e-2"), activity("e-3")]]
    plays = says(200, order("filled", "3")), *(says(200, page) for page in pages)
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(SOUGHT) == [ACCEPTED, filled("e-1"), filled("e-2"), filled("e-3")]
    tokens = [request.params.get("page_token") for request in venue.requests[1:]]
    assert tokens == [None, "20261120100001500::other-98", "20261120100001500::e-2"]


async def test_a_venue_that_ignores_the_page_token_does_not_keep_the_question_going_for_ever() -> None:
    page = [activity(f"other-{number}", order_id="another") for number in range(100)]
    async with played(says(200, order("filled", "3")), says(200, page)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(SOUGHT) == [ACCEPTED]
    assert len(venue.requests) == 3


@pytest.mark.parametrize(
    "entry",
    [
        activity("e-1", qty="NaN"),
        activity("e-1", qty="-1"),
        activity("e-1", qty="1e-400"),
        activity("e-1", price="0"),
        activity("e-1", price="1e400"),
        activity("e-1", price=None),
        activity("e-1", commission="sNaN"),
        activity("e-1", commission="Infinity"),
        activity("e-1", commission="1e12"),
        activity("e-1", commission="-1e999999999"),
        activity("e-1", commission="1e-19"),
        activity("e-1", transaction_time="yesterday"),
        activity("e-1", transaction_time="2026-11-20T15:00:01"),
        activity("e-1", transaction_time="9999-12-31T23:59:59-23:59"),
        activity(""),
        activity("two words"),
        activity("x" * 129),
        "not an activity",
    ],
)
async def test_a_fill_that_cannot_be_read_is_logged_loudly_and_the_others_are_kept(entry: Any) -> None:
    plays = says(200, order("filled", "2")), says(200, [entry, activity("e-2")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        with capture_logs() as logs:
            assert await adapter.find(SOUGHT) == [ACCEPTED, filled("e-2")]
    assert [(log["event"], log["log_level"]) for log in logs if log["log_level"] == "error"] == [
        ("venue_fill_unreadable", "error")
    ]
    assert json.loads(logs[0]["raw"]) == entry


@pytest.mark.parametrize(
    ("charged", "expected"),
    [
        ("0.000000000000000001", "0.000000000000000001"),
        ("0.2500", "0.25"),
        ("-0.01", "-0.01"),
        ("0", "0"),
        (None, "0"),
        (0.5, "0.5"),
    ],
)
async def test_a_fill_costs_what_the_venue_says(charged: Any, expected: str) -> None:
    plays = says(200, order("filled", "1")), says(200, [activity("e-1", commission=charged)])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        _, report = await adapter.find(SOUGHT)
    assert report.fill is not None
    assert f"{report.fill.commission:f}" == expected


async def test_numbers_keep_all_their_digits_and_times_become_utc() -> None:
    raw = json.dumps([activity("e-1", transaction_time="2026-11-20T10:00:01.123456-05:00")])
    raw = raw.replace('"190.01"', "190.123456789").replace('"qty": "1"', '"qty": 123456789.123456789')
    plays = says(200, order("filled", "1")), says(200, gzip.compress(raw.encode()), "Content-Encoding: gzip")
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        _, report = await adapter.find(SOUGHT)
    assert report.fill is not None
    assert (report.fill.quantity, report.fill.price) == (Decimal("123456789.123456789"), Decimal("190.123456789"))
    assert report.fill.executed_at.isoformat() == "2026-11-20T15:00:01.123456+00:00"
