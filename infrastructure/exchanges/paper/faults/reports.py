"""The way of reports from the exchange to the stream, and what goes wrong on it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, assert_never

from infrastructure.exchanges.paper.broadcast import Broadcast
from infrastructure.exchanges.paper.faults.armed import Faults
from infrastructure.exchanges.paper.faults.rules import (
    CutStream,
    DropReports,
    DuplicateReports,
    Malformed,
    Occasion,
    On,
    ReorderReports,
)
from infrastructure.exchanges.paper.orders import Update

HALF_A_REPORT: Final = b'{"stream":"trade_updates","data":{"event":"fi'


class FaultyReports:
    """Passes reports on to all who listen, unless a rule says otherwise.

    Args:
        updates: Those who listen.
        faults: The rules in force.
    """

    def __init__(self, updates: Broadcast, faults: Faults) -> None:
        self._updates = updates
        self._faults = faults
        self._cuts: set[Callable[[], None]] = set()
        self._on_their_way: deque[bytes] = deque()
        self._last_due = 0.0
        self._held: list[bytes] = []
        self._patience: asyncio.TimerHandle | None = None

    def send(self, update: Update, report: bytes) -> None:
        """Send the report of an update."""
        order = update.order
        occasion = Occasion(On.STREAM, frozenset({order.asset}), order.client_order_id, event=update.event)
        delay_seconds, fault = self._faults.on_report(occasion)
        match fault:
            case None:
                self._pass([report], delay_seconds)
            case DuplicateReports():
                self._pass([report, report], delay_seconds)
            case ReorderReports() if not self._held:
                self._held.append(report)
                wait_seconds = delay_seconds + fault.seconds
                self._patience = asyncio.get_running_loop().call_later(wait_seconds, self._pass, [], 0.0)
            case ReorderReports():
                self._pass([report], delay_seconds)
            case DropReports():
                pass
            case Malformed():
                self._pass([HALF_A_REPORT], delay_seconds)
            case CutStream():
                for cut in self._cuts:
                    cut()
            case _:
                assert_never(fault)

    @contextmanager
    def connection(self, cut: Callable[[], None]) -> Iterator[None]:
        """A connection to the stream for as long as the context lasts, and the way to cut it."""
        self._cuts.add(cut)
        try:
            yield
        finally:
            self._cuts.discard(cut)

    def _pass(self, reports: Sequence[bytes], delay_seconds: float) -> None:
        """Send these reports and the one that was held back for them."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for report in (*reports, *self._held):
            self._leave(report, delay_seconds)
        self._held.clear()

    def _leave(self, report: bytes, delay_seconds: float) -> None:
        if not delay_seconds and not self._on_their_way:
            self._updates.send(report)
            return
        # Nothing overtakes: a report leaves no earlier than the one before it.
        loop = asyncio.get_running_loop()
        self._last_due = max(self._last_due, loop.time() + delay_seconds)
        self._on_their_way.append(report)
        loop.call_at(self._last_due, self._arrive)

    def _arrive(self) -> None:
        self._updates.send(self._on_their_way.popleft())
