"""Parts of the engine that measure what they pass on: the application knows its ports, and nothing of metrics."""

import asyncio
import os
import resource
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from application.ports import Appended, EventStore, Transaction
from application.story import TOLD
from application.venue import (
    Venue,
    VenueBusyError,
    VenueOutcomeUnknownError,
    VenueRefusedError,
    VenueUnreachableError,
)
from infrastructure.metrics import Metrics

if TYPE_CHECKING:
    from infrastructure.traces import Traces

P = ParamSpec("P")
T = TypeVar("T")

_SAMPLE_SECONDS = 1.0
_PAGE_BYTES = resource.getpagesize()
_MEMORY = Path("/proc/self/statm")
_FILES = Path("/proc/self/fd")

_OUTCOMES: tuple[tuple[type[Exception], str], ...] = (
    (VenueRefusedError, "refused"),
    (VenueBusyError, "busy"),
    (VenueUnreachableError, "unreachable"),
    (VenueOutcomeUnknownError, "unknown"),
)


class MeasuredStore:
    """An event store whose appends are measured, and traced where anybody wants traces."""

    def __init__(self, store: EventStore, metrics: Metrics, traces: "Traces | None" = None) -> None:
        self._store = store
        self._metrics = metrics
        self._traces = traces
        self.load = store.load
        self.history = store.history
        self.read = store.read
        self.position = store.position

    async def append(self, transactions: Sequence[Transaction], known_position: int) -> Appended:
        """See the port."""
        began = perf_counter()
        appended = await self._store.append(transactions, known_position)
        seconds = perf_counter() - began
        self._metrics.appended(transactions, appended, seconds)
        if self._traces is not None:
            for events in appended.recorded:
                self._traces.appended(events or (), until_now(seconds))
        return appended


class MeasuredVenue:
    """A venue whose requests are measured, each with what came of it, and traced where anybody wants traces."""

    def __init__(self, venue: Venue, metrics: Metrics, traces: "Traces | None" = None) -> None:
        self._metrics = metrics
        self._traces = traces
        self.name = venue.name
        self.submit = self._measured("submit", venue.submit)
        self.find = self._measured("find", venue.find)
        self.cancel = self._measured("cancel", venue.cancel)
        self.replace = self._measured("replace", venue.replace)
        self.working_orders = self._measured("working_orders", venue.working_orders)
        self.executions = self._measured("executions", venue.executions)
        self.client_order_id = self._measured("client_order_id", venue.client_order_id)
        self.instruments = self._measured("instruments", venue.instruments)
        self.reports = venue.reports

    def _measured(self, operation: str, ask: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        async def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            began, outcome = perf_counter(), "failed"
            try:
                answer = await ask(*args, **kwargs)
                outcome = "ok"
            except Exception as error:
                outcome = next((name for kind, name in _OUTCOMES if isinstance(error, kind)), outcome)
                raise
            finally:
                seconds = perf_counter() - began
                self._metrics.venue.labels(operation, outcome).observe(seconds)
                if self._traces is not None:
                    self._traces.asked_venue(TOLD.get(), operation, outcome, until_now(seconds))
            return answer

        return asked


def until_now(seconds: float) -> tuple[int, int]:
    """The span of time that took so long and ends now, in nanoseconds since 1970."""
    ended = time_ns()
    return ended - int(seconds * 1e9), ended


async def sample(metrics: Metrics) -> None:
    """Measure the process and its event loop again and again, until cancelled."""
    while True:
        began = perf_counter()
        await asyncio.sleep(_SAMPLE_SECONDS)
        lag = max(0.0, perf_counter() - began - _SAMPLE_SECONDS)
        metrics.sampled(lag, *_usage())


def _usage() -> tuple[int, float, int]:
    """Memory in bytes, CPU time in seconds, open files; the files of /proc are no disk, and block nobody."""
    used = os.times()
    memory = int(_MEMORY.read_text().split()[1]) * _PAGE_BYTES
    return memory, used.user + used.system, sum(1 for _ in _FILES.iterdir())
