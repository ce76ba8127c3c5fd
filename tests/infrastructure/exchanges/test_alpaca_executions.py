"""Fills, busts and corrections as the account's activities list them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from application.venue import VenueOutcomeUnknownError
from domain.values import FillId, OrderId
from infrastructure.exchanges.alpaca_executions import net_quantity, read_page
from tests.infrastructure.exchanges.alpaca_words import VENUE_ORDER_ID, activity, filled
from tests.infrastructure.exchanges.played_venue import Play, hangs_up, played, says, venue_at

AFTER = datetime(2026, 11, 20, 15, 0, 0, 250_000, tzinfo=UTC)
FILL = replace(filled("e-1"), client_order_id=OrderId(""))
BUST = replace(FILL, status="busted", fill=None, busted_fill_id=FillId("e-1"))


def bust(execution_id: str, previous: str | None, **fields: Any) -> dict[str, Any]:
    return activity(execution_id, type="trade_bust", previous_execution_id=previous, **fields)


def correction(execution_id: str, previous: str, quantity: str, **fields: Any) -> dict[str, Any]:
    return activity(execution_id, quantity, type="trade_correct", previous_execution_id=previous, **fields)


async def test_every_execution_of_the_account_is_listed_oldest_first_without_the_names_of_orders() -> None:
    entries = [
        correction("c-1", "e-2", "2", order_id="another", transaction_time="2026-11-20T15:00:02Z"),
        activity("e-1", type="partial_fill"),
        activity("e-2", type="fill", order_id="another"),
        bust("b-1", "e-1", qty=None, price=None, reason="TRADE_BUST"),
    ]
    async with played(says(200, entries)) as venue, venue_at(venue.url) as adapter:
        reports = await adapter.executions(AFTER)
    fill, other, busted, corrected = reports
    assert (fill, busted) == (FILL, replace(BUST, reason="TRADE_BUST"))
    assert other == replace(filled("e-2"), client_order_id=OrderId(""), venue_order_id="another")
    assert (corrected.status, corrected.busted_fill_id, corrected.venue_order_id) == ("corrected", "e-2", "another")
    assert corrected.fill is not None
    assert (corrected.fill.fill_id, corrected.fill.quantity) == ("c-1", Decimal(2))
    [request] = venue.requests
    assert request.path == "/v2/account/activities/FILL"
    assert request.params == {"after": "2026-11-20T14:59:59Z", "direction": "asc", "page_size": "100"}


async def test_all_pages_are_read_and_what_is_on_two_of_them_counts_once() -> None:
    pages = [
        [activity(f"e-{number}") for number in range(first, last)] for first, last in ((0, 100), (99, 199), (198, 201))
    ]
    async with played(*(says(200, page) for page in pages)) as venue, venue_at(venue.url) as adapter:
        reports = await adapter.executions(AFTER)
    assert [report.fill and report.fill.fill_id for report in reports] == [f"e-{number}" for number in range(201)]
    tokens = [request.params.get("page_token") for request in venue.requests]
    assert tokens == [None, "20261120100001500::e-99", "20261120100001500::e-198"]


@pytest.mark.parametrize("play", [says(401), says(404), says(500), says(200, "?"), hangs_up()])
async def test_a_list_that_cannot_be_had_is_no_empty_list(play: Play) -> None:
    async with played(play) as venue, venue_at(venue.url) as adapter:
        with pytest.raises(VenueOutcomeUnknownError):
            await adapter.executions(AFTER)


def test_a_bust_without_the_name_of_another_execution_means_the_one_it_is_called_by() -> None:
    page = read_page(json.dumps([bust("e-1", None)]).encode())
    assert [one.report(OrderId("")) for one in page.executions] == [BUST]


@pytest.mark.parametrize(
    "entry",
    [
        activity("e-1", type="trade_of_a_new_kind"),
        activity("c-1", type="trade_correct"),
        bust("b-1", "two words"),
        correction("c-1", "e-1", "0"),
    ],
)
def test_an_entry_that_cannot_be_understood_is_logged_loudly(entry: dict[str, Any]) -> None:
    with capture_logs() as logs:
        page = read_page(json.dumps([entry, activity("e-2")]).encode())
    assert (len(page.executions), page.entries, page.last_id) == (1, 2, "20261120100001500::e-2")
    assert [(log["event"], log["log_level"]) for log in logs] == [("venue_fill_unreadable", "error")]


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ([], "0"),
        ([activity("e-1", "6"), activity("e-2", "4")], "10"),
        ([activity("e-1", "6"), activity("e-2", "4"), bust("b-1", "e-1")], "4"),
        # Corrected, corrected again under the name of the correction, and then under its first name.
        ([activity("e-1", "6"), correction("c-1", "e-1", "5")], "5"),
        ([activity("e-1", "6"), correction("c-1", "e-1", "5"), correction("c-2", "c-1", "4")], "4"),
        ([activity("e-1", "6"), correction("c-1", "e-1", "5"), correction("c-2", "e-1", "3")], "3"),
        ([activity("e-1", "6"), correction("c-1", "e-1", "5"), bust("b-1", "c-1")], "0"),
        ([activity("e-1", "6"), correction("c-1", "e-1", "5"), bust("b-1", "e-1")], "0"),
        # What is changed comes later, or not at all.
        ([bust("b-1", "e-1"), activity("e-1", "6")], "0"),
        ([correction("c-1", "e-1", "5"), activity("e-1", "6")], "5"),
        ([correction("c-1", "e-1", "5")], "5"),
    ],
)
def test_what_is_left_is_what_was_not_taken_back_or_corrected(entries: list[dict[str, Any]], left: str) -> None:
    assert net_quantity(read_page(json.dumps(entries).encode()).executions) == Decimal(left)


def test_what_is_left_does_not_depend_on_the_order_in_which_it_is_listed() -> None:
    late = {"transaction_time": "2026-11-20T15:00:02Z"}
    entries = [correction("c-1", "e-1", "5", **late), activity("e-1", "6")]
    for listed in (entries, entries[::-1]):
        assert net_quantity(read_page(json.dumps(listed).encode()).executions) == Decimal(5)


def test_executions_belong_to_the_order_that_the_venue_names() -> None:
    [one] = read_page(json.dumps([activity("e-1")]).encode()).executions
    assert (one.venue_order_id, one.at) == (VENUE_ORDER_ID, datetime(2026, 11, 20, 15, 0, 1, 500_000, tzinfo=UTC))
