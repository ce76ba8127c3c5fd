"""What the adapter asks, and what it makes of every answer a venue may give."""

import asyncio
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.ports import (
    VenueBusyError,
    VenueFill,
    VenueOrder,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueReport,
    VenueUnreachableError,
)
from domain.values import FillId, Money, OrderId, OrderType, Price, Quantity, Side, Symbol, TimeInForce
from infrastructure.exchanges.alpaca_http import CONNECTIONS_MAX, is_loopback
from tests.infrastructure.exchanges.played_venue import (
    KEY_ID,
    NOBODY,
    SECRET,
    Play,
    hangs_up,
    keeps_silent,
    played,
    says,
    trickles,
    venue_at,
    writes,
)

ORDER_ID = OrderId("0d6e3ad9-8bd1-4c3b-8f0c-1f7a3f6e2a11")
VENUE_ORDER_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"
ORDER = VenueOrder(
    client_order_id=ORDER_ID,
    symbol=Symbol("AAPL"),
    side=Side.BUY,
    quantity=Quantity(Decimal("1.5")),
    order_type=OrderType.MARKET,
    price=None,
    stop_price=None,
    time_in_force=TimeInForce.DAY,
)
DUPLICATE = {"code": 40010001, "message": "client_order_id must be unique"}
ACCEPTED = VenueReport(client_order_id=ORDER_ID, venue_order_id=VENUE_ORDER_ID, status="accepted")


def order(status: str = "new", filled: str | None = "0", **fields: Any) -> dict[str, Any]:
    """An order as the venue shows it."""
    return {
        "id": VENUE_ORDER_ID,
        "client_order_id": ORDER_ID,
        "status": status,
        "filled_qty": filled,
        "created_at": "2026-11-20T15:00:00.123456789Z",
        **fields,
    }


def activity(execution_id: str, quantity: str = "1", **fields: Any) -> dict[str, Any]:
    """A fill as the account's activities show it."""
    return {
        "id": f"20261120100001500::{execution_id}",
        "activity_type": "FILL",
        "order_id": VENUE_ORDER_ID,
        "qty": quantity,
        "price": "190.01",
        "transaction_time": "2026-11-20T15:00:01.5Z",
        **fields,
    }


def filled(execution_id: str, quantity: str = "1") -> VenueReport:
    """The report of that fill."""
    fill = VenueFill(
        fill_id=FillId(execution_id),
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal("190.01")),
        commission=Money(Decimal(0)),
        executed_at=datetime(2026, 11, 20, 15, 0, 1, 500000, tzinfo=UTC),
    )
    return replace(ACCEPTED, status="filled", fill=fill)


# ── What is asked ────────────────────────────────────────────────────────────────────────────────────────────────────


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


async def test_requests_share_a_kept_connection() -> None:
    async with played(says(404, {}), says(204)) as venue, venue_at(venue.url + "/") as adapter:
        assert await adapter.find(ORDER_ID) == []
        await adapter.cancel(VENUE_ORDER_ID)
    assert [request.connection for request in venue.requests] == [1, 1]
    assert venue.requests[0].path == "/v2/orders:by_client_order_id"
    assert venue.requests[0].params == {"client_order_id": ORDER_ID}
    assert (venue.requests[1].method, venue.requests[1].target) == ("DELETE", f"/v2/orders/{VENUE_ORDER_ID}")


async def test_a_venue_on_this_machine_is_reached_without_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOBODY)
    async with played(says(200, order())) as venue, venue_at(venue.url) as adapter:
        assert await adapter.submit(ORDER) == [ACCEPTED]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.53/v2", True),
        ("ws://[::1]:80/stream", True),
        ("https://paper-api.alpaca.markets", False),
        ("http://10.0.0.1", False),
        ("nonsense", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert is_loopback(url) is expected


# ── What is certain, and what is not ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "play",
    [
        says(500),
        says(502, "<html>Bad Gateway</html>"),
        says(503, {"message": "down"}, "Retry-After: 1"),
        says(504, {"message": "timed out, but perhaps accepted"}),
        says(408),
        says(409, {"message": "conflict"}),
        says(302, "", f"Location: {NOBODY}"),
        says(200, "{"),
        says(200, b"\xff\xfe"),
        says(200, "[" * 100_000),
        says(200, ""),
        says(204),
        says(200, [1, 2]),
        says(200, {"id": VENUE_ORDER_ID}),
        says(200, order(client_order_id="somebody-elses")),
        says(200, order(filled="NaN")),
        says(200, order(filled="sNaN")),
        says(200, order(filled="a lot")),
        says(200, order(filled="-Infinity")),
        says(200, b"not gzip", "Content-Encoding: gzip"),
        hangs_up(),
        hangs_up(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + json.dumps(order()).encode()),
        hangs_up(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        hangs_up(b"SSH-2.0-OpenSSH_9.6\r\n"),
        hangs_up(b"HTTP/1.1 200 OK\r\nContent-Le"),
    ],
)
async def test_an_answer_that_proves_nothing_leaves_the_outcome_unknown(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError) as raised:
            await adapter.submit(ORDER)
    assert SECRET not in str(raised.value)
    assert len(venue.requests) == 1  # and nothing is sent twice


@pytest.mark.parametrize(
    "play",
    [
        keeps_silent,
        writes(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"),
        # Each byte comes in time, the answer as a whole does not.
        trickles(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 0.05),
    ],
)
async def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url, timeout_seconds=0.3) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.submit(ORDER)


@pytest.mark.parametrize("url", [NOBODY, "http://[::1]:9", "ftp://127.0.0.1:9", "http://no.such.host.invalid"])
async def test_a_venue_that_cannot_be_connected_was_provably_not_asked(url: str) -> None:
    async with venue_at(url) as adapter:
        with pytest.raises(VenueUnreachableError):
            await adapter.submit(ORDER)


async def test_an_order_that_waited_in_vain_for_a_free_connection_was_provably_not_sent() -> None:
    async with played(keeps_silent) as venue, venue_at(venue.url, timeout_seconds=0.5) as adapter:
        waiting = [asyncio.create_task(adapter.find(ORDER_ID)) for _ in range(CONNECTIONS_MAX)]
        for _ in waiting:
            await venue.arrivals.acquire()
        # With a deadline as long as theirs, the places they give up would come in time for it.
        adapter._http._timeout_seconds = 0.1
        with pytest.raises(VenueUnreachableError):
            await adapter.submit(ORDER)
        await asyncio.gather(*waiting, return_exceptions=True)
    assert {request.method for request in venue.requests} == {"GET"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), 1.0),
        (("Retry-After: 7",), 7.0),
        (("Retry-After: 0",), 0.0),
        (("Retry-After: 99999999999999999999",), 60.0),
        (("Retry-After: Sun, 22 Nov 2026 12:00:00 GMT",), 1.0),
        (("Retry-After: -3",), 1.0),
    ],
)
async def test_a_venue_that_is_asked_too_often_says_how_long_to_wait(headers: tuple[str, ...], expected: float) -> None:
    async with played(says(429, {"message": "rate limit exceeded"}, *headers)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueBusyError) as raised:
            await adapter.submit(ORDER)
    assert raised.value.retry_after_seconds == expected


@pytest.mark.parametrize(
    ("status", "body", "code", "reason"),
    [
        (
            400,
            {"code": 40010000, "message": "request body format is invalid"},
            "40010000",
            "request body format is invalid",
        ),
        (401, {"message": "unauthorized."}, "HTTP_401", "unauthorized."),
        (403, {"code": 40310000, "message": "insufficient buying power"}, "40310000", "insufficient buying power"),
        (404, "<html>not here</html>", "HTTP_404", "<html>not here</html>"),
        (413, "", "HTTP_413", "the venue answered 413"),
        (422, {"code": "no_such_asset", "message": 'asset "X" not found'}, "no_such_asset", 'asset "X" not found'),
        (422, {"code": 42210000}, "42210000", '{"code": 42210000}'),
        (422, "[]", "HTTP_422", "[]"),
    ],
)
async def test_a_refusal_is_definitive_and_in_the_venues_own_words(
    status: int, body: Any, code: str, reason: str
) -> None:
    async with played(says(status, body)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueRefusedError) as submitted:
            await adapter.submit(ORDER)
        with pytest.raises(VenueRefusedError) as cancelled:
            await adapter.cancel(VENUE_ORDER_ID)
    for raised in (submitted, cancelled):
        assert (raised.value.code, raised.value.reason) == (code, reason)


@pytest.mark.parametrize("venue_order_id", ["", ".", "..", "a/b", "a?b", "x" * 65])
async def test_a_cancel_without_a_proper_order_id_is_never_sent(venue_order_id: str) -> None:
    # DELETE /v2/orders/ would cancel every order of the account.
    async with played(says(204)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueRefusedError, match="no order id"):
            await adapter.cancel(venue_order_id)
    assert venue.requests == []


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
        assert await adapter.find(ORDER_ID) == expected
    assert len(venue.requests) == 1  # nothing was filled, so no fills are asked for


async def test_a_rejection_without_a_reason_says_so() -> None:
    async with played(says(200, order("rejected", None))) as venue, venue_at(venue.url) as adapter:
        assert [report.reason for report in await adapter.find(ORDER_ID)] == ["the venue gave no reason"]


async def test_a_cancelled_order_has_its_fills_before_its_end() -> None:
    plays = says(200, order("canceled", "1")), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(ORDER_ID) == [ACCEPTED, filled("e-1"), replace(ACCEPTED, status="cancelled")]


async def test_an_order_does_not_end_before_all_of_its_fills_are_known() -> None:
    plays = says(200, order("canceled", "2")), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        with capture_logs() as logs:
            assert await adapter.find(ORDER_ID) == [ACCEPTED, filled("e-1")]
    assert [(entry["event"], entry["known"]) for entry in logs] == [("venue_fills_missing", "1")]


@pytest.mark.parametrize("play", [says(401), says(403, {"message": "no"}), says(422), says(500), hangs_up()])
async def test_a_question_that_is_refused_proves_nothing_about_the_order(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.find(ORDER_ID)


async def test_a_refusal_to_show_the_fills_proves_nothing_about_the_order() -> None:
    async with played(says(200, order("filled", "1")), says(403)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.find(ORDER_ID)


@pytest.mark.parametrize("created_at", [None, "0001-01-01T00:00:00Z"])
async def test_fills_are_found_for_an_order_that_does_not_say_when_it_began(created_at: str | None) -> None:
    plays = says(200, order("filled", "1", created_at=created_at)), says(200, [activity("e-1")])
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(ORDER_ID) == [ACCEPTED, filled("e-1")]
    assert "after" not in venue.requests[1].params


async def test_fills_are_found_among_those_of_other_orders_page_by_page() -> None:
    others = [activity(f"other-{number}", order_id="another") for number in range(99)]
    pages = [[activity("e-1"), *others], [*others, activity("e-2")], [activity("e-2"), activity("e-3")]]
    plays = says(200, order("filled", "3")), *(says(200, page) for page in pages)
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(ORDER_ID) == [ACCEPTED, filled("e-1"), filled("e-2"), filled("e-3")]
    tokens = [request.params.get("page_token") for request in venue.requests[1:]]
    assert tokens == [None, "20261120100001500::other-98", "20261120100001500::e-2"]


async def test_a_venue_that_ignores_the_page_token_does_not_keep_the_question_going_for_ever() -> None:
    page = [activity(f"other-{number}", order_id="another") for number in range(100)]
    async with played(says(200, order("filled", "3")), says(200, page)) as venue, venue_at(venue.url) as adapter:
        assert await adapter.find(ORDER_ID) == [ACCEPTED]
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
            assert await adapter.find(ORDER_ID) == [ACCEPTED, filled("e-2")]
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
        _, report = await adapter.find(ORDER_ID)
    assert report.fill is not None
    assert f"{report.fill.commission:f}" == expected


async def test_numbers_keep_all_their_digits_and_times_become_utc() -> None:
    raw = json.dumps([activity("e-1", transaction_time="2026-11-20T10:00:01.123456-05:00")])
    raw = raw.replace('"190.01"', "190.123456789").replace('"qty": "1"', '"qty": 123456789.123456789')
    plays = says(200, order("filled", "1")), says(200, gzip.compress(raw.encode()), "Content-Encoding: gzip")
    async with played(*plays) as venue, venue_at(venue.url) as adapter:
        _, report = await adapter.find(ORDER_ID)
    assert report.fill is not None
    assert (report.fill.quantity, report.fill.price) == (Decimal("123456789.123456789"), Decimal("190.123456789"))
    assert report.fill.executed_at.isoformat() == "2026-11-20T15:00:01.123456+00:00"
