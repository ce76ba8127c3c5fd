"""The program that comes after this one, as far as the log can tell: it writes events that this one does not know.

It stores deposits in a third version, and knows a type of its own. Beside it, this program is the old one.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from application.ports import NewEvent, Transaction
from domain.events import TOPICS, Event, FundsDeposited, account_stream
from domain.values import Currency
from infrastructure.codec import Codec
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.upcasting import UPCASTERS
from tests.infrastructure.samples import ALICE, METADATA, money


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAudited:
    """Something that this program has never heard of."""

    by: str


def _as_before(_: dict[str, Any]) -> None:
    """Version 3 of FundsDeposited means something new, which only the program that comes knows."""


NEWER = Codec(
    {**TOPICS, "AccountAudited": cast("type[Event]", AccountAudited)},
    {**UPCASTERS, "FundsDeposited": (*UPCASTERS["FundsDeposited"], _as_before)},
)
STREAM = account_stream(ALICE)
DEPOSITED = FundsDeposited(amount=money("10"), currency=Currency.USD)
AUDITED = cast("Event", AccountAudited(by="carol"))


@asynccontextmanager
async def newer_store(database_url: str) -> AsyncIterator[PostgresEventStore]:
    """The log as the newer program reads and writes it."""
    async with PostgresEventStore(database_url, codec=NEWER) as store:
        yield store


async def record(store: PostgresEventStore, *events: Event, version: int = 0) -> int:
    """Append events to Alice's account, which is at the version; returns the end of the log."""
    new = [NewEvent(STREAM, version + number, event, METADATA) for number, event in enumerate(events, 1)]
    return (await store.append([Transaction({STREAM: version}, new)], await store.position())).position
