"""Statements of a trader's cash, a page at a time."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from decimal import Decimal
from re import compile as pattern

from api.account_views import movement_view
from api.answers import Answer, json_answer
from api.auth import AUDITOR, OPS
from api.endpoints import Call
from api.problems import Problem
from api.schemas import StatementQuery
from api.views import money_text
from application.statements import Mark, Span, statement
from application.status import time_text
from domain.refusals import InvalidRequest
from domain.values import Currency, Money, TraderId

_MARK = pattern(r"after ([1-9][0-9]{0,17}) with (-?[0-9]{1,40}(?:\.[0-9]{1,40})?)")


async def get_statement(call: Call) -> Answer:
    """Every movement of cash, with the event behind it; opening and movements add up to closing."""
    query: StatementQuery = call.query
    trader_id = _whose(call, query)
    at = _mark_of(query.cursor) if query.cursor else None
    page = await statement(call.engine.store, trader_id, Span(query.from_, query.to), query.limit, at)
    return json_answer(
        {
            "trader_id": trader_id,
            "currency": Currency.USD,
            "from": query.from_ and time_text(query.from_),
            "to": query.to and time_text(query.to),
            "opening": money_text(page.opening),
            "movements": [movement_view(entry) for entry in page.entries],
            "closing": money_text(page.closing),
            "next_cursor": page.next and _cursor_of(page.next),
        }
    )


def _whose(call: Call, query: StatementQuery) -> TraderId:
    """Whose statement it is: the caller's, or another's for who may see all.

    Raises:
        Problem: a trader asks for somebody else's, which is the same as nobody's.
    """
    trader_id = query.trader_id or call.trader_id
    if trader_id != call.trader_id and call.caller.roles.isdisjoint({AUDITOR, OPS}):
        raise Problem("NOT_FOUND", "There is no such account")
    return trader_id


def _cursor_of(mark: Mark) -> str:
    """The balance goes with the place, so that a later page need not fold what came before it."""
    return urlsafe_b64encode(f"after {mark.version} with {mark.balance:f}".encode()).decode()


def _mark_of(cursor: str) -> Mark:
    with suppress(ValueError):
        if parts := _MARK.fullmatch(urlsafe_b64decode(cursor).decode()):
            mark = Mark(int(parts[1]), Money(Decimal(parts[2])))
            if _cursor_of(mark) == cursor:
                return mark
    raise InvalidRequest("cursor", problem="is not one that came with a statement")
