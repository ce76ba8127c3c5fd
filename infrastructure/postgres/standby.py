"""Questions that a hot standby may answer, and the primary does where it is away or too far behind."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

from application.ports import StoreUnavailableError
from infrastructure.postgres.event_store import PostgresEventStore
from infrastructure.postgres.outage import UNWATCHED
from infrastructure.postgres.patience import watched_pool_of
from infrastructure.postgres.read_models import ReadModels

log = logging.getLogger(__name__)

T = TypeVar("T")

_PATIENCE_SECONDS = 0.5
_SHARE = 0.25
"""Of the time that a question may wait for a position: the rest is the primary's, should the standby lag."""
_LOOKS = 10
_LOOK_AGAIN_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Standby:
    """A hot standby, open: what it has of the log and of the read models."""

    store: PostgresEventStore
    read_models: ReadModels


@asynccontextmanager
async def open_standby(
    url: str | None, connections_max: int, answer_seconds: float = 5.0, *, pooled: bool
) -> AsyncIterator[Standby | None]:
    """The standby at the URL, which may be away, for the length of the block; None where there is no URL.

    A standby that does not answer within ``answer_seconds`` counts as away. ``pooled``: there may be a pooler in between that gives each transaction another connection.
    """
    if url is None:
        yield None
        return
    async with (
        PostgresEventStore(url, _PATIENCE_SECONDS, pooled=pooled, answer_seconds=answer_seconds) as store,
        watched_pool_of(url, connections_max, UNWATCHED, answer_seconds, pooled=pooled) as pool,
    ):
        yield Standby(store, ReadModels(pool, _PATIENCE_SECONDS))


class Reads:
    """The read models of the standby while it answers, those of the primary otherwise.

    Args:
        primary: its read models.
        standby: those of the standby; None: there is none.
        rest_seconds: how long a standby that did not answer, or was too far behind, is left alone.
    """

    def __init__(self, primary: ReadModels, standby: ReadModels | None, rest_seconds: float = 5.0) -> None:
        self._primary = primary
        self._standby = standby
        self._rest_seconds = rest_seconds
        self._rests_until = 0.0

    async def ask(
        self,
        question: Callable[[ReadModels], Awaitable[T]],
        names: Collection[str] = (),
        position: int | None = None,
        timeout_seconds: float = 0.0,
    ) -> T:
        """The answer of read models that have read the log up to the position, or had ``timeout_seconds`` to do so.

        Raises:
            StoreUnavailableError: neither answers.
        """
        if self._standby is not None and monotonic() >= self._rests_until:
            try:
                if position is None or await self._standby.wait_for(names, position, _SHARE * timeout_seconds):
                    return await question(self._standby)
            except StoreUnavailableError as error:
                log.warning("the standby does not answer, and the primary is asked: %s", error)
            self._rests_until = monotonic() + self._rest_seconds
            timeout_seconds *= 1 - _SHARE
        if position is not None:
            await self._primary.wait_for(names, position, timeout_seconds)
        return await question(self._primary)


class Exports:
    """Where long reads of the log go: to the standby once it has all that they are to read, otherwise to the primary."""

    def __init__(self, primary: PostgresEventStore, standby: PostgresEventStore | None) -> None:
        self._primary = primary
        self._standby = standby

    async def reaching(self, position: int) -> PostgresEventStore:
        """A log that goes up to the position of the primary's, at least."""
        if self._standby is not None:
            with suppress(StoreUnavailableError):
                for _ in range(_LOOKS):
                    if await self._standby.position() >= position:
                        return self._standby
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return self._primary
