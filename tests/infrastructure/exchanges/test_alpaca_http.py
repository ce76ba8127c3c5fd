"""What an answer proves, and what no answer proves."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from application.venue import VenueBusyError, VenueOutcomeUnknownError, VenueRefusedError, VenueUnreachableError
from infrastructure.exchanges.alpaca import CONNECTIONS_MAX
from infrastructure.exchanges.alpaca_http import is_loopback
from tests.infrastructure.exchanges.alpaca_words import (
    ACCEPTED,
    ORDER,
    ORDER_ID,
    REPLACEMENT,
    SOUGHT,
    VENUE_ORDER_ID,
    order,
)
from tests.infrastructure.exchanges.played_venue import (
    NOBODY,
    SECRET,
    Play,
    hangs_up,
    keeps_silent,
    played,
    says,
    showing,
    trickles,
    venue_at,
    writes,
)


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
        waiting = [asyncio.create_task(adapter.find(SOUGHT)) for _ in range(CONNECTIONS_MAX)]
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
        # What the log cannot hold is replaced, and what goes on for ever is cut.
        (422, {"message": "nul \0 in the middle"}, "HTTP_422", "nul \ufffd in the middle"),
        (422, b"nul \0 in no JSON", "HTTP_422", "nul \ufffd in no JSON"),
        (422, {"message": "x" * 1000}, "HTTP_422", "x" * 300),
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
async def test_a_request_about_an_order_without_a_proper_order_id_is_never_sent(venue_order_id: str) -> None:
    # DELETE /v2/orders/ would cancel every order of the account.
    async with played(says(204)) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueRefusedError, match="no order id"):
            await adapter.cancel(venue_order_id)
        with pytest.raises(VenueRefusedError, match="no order id"):
            await adapter.replace(replace(REPLACEMENT, venue_order_id=venue_order_id))
        assert await adapter.client_order_id(venue_order_id) is None
    assert venue.requests == []


async def test_requests_share_a_kept_connection() -> None:
    async with played(says(404, {})) as venue, venue_at(venue.url + "/") as adapter:
        assert await adapter.find(SOUGHT) == []
        assert await adapter.find(SOUGHT) == []
    assert [request.connection for request in venue.requests] == [1, 1]
    assert venue.requests[0].path == "/v2/orders:by_client_order_id"
    assert venue.requests[0].params == {"client_order_id": ORDER_ID, "nested": "true"}


async def test_a_cancel_never_waits_for_other_requests() -> None:
    async with (
        showing(to={"GET": keeps_silent, "POST": keeps_silent, "DELETE": says(204)}) as venue,
        venue_at(venue.url) as adapter,
    ):
        waiting = [asyncio.create_task(adapter.find(SOUGHT)) for _ in range(CONNECTIONS_MAX - 1)]
        waiting.append(asyncio.create_task(adapter.submit(ORDER)))
        for _ in waiting:
            await venue.arrivals.acquire()
        queued = asyncio.create_task(adapter.submit(ORDER))  # there is no connection left for it
        await adapter.cancel(VENUE_ORDER_ID)
        assert not any(task.done() for task in (*waiting, queued))
        for task in (*waiting, queued):
            task.cancel()
        await asyncio.gather(*waiting, queued, return_exceptions=True)
    assert (venue.requests[-1].method, venue.requests[-1].target) == ("DELETE", f"/v2/orders/{VENUE_ORDER_ID}")


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
