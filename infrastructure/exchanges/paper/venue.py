"""The running venue: commands get their time, are checked, journaled and applied, and their updates are sent out."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from infrastructure.exchanges.paper.broadcast import BACKLOG, Broadcast
from infrastructure.exchanges.paper.checks import check
from infrastructure.exchanges.paper.commands import Command, EndDay, Start
from infrastructure.exchanges.paper.dialect import trade_update
from infrastructure.exchanges.paper.exchange import Exchange
from infrastructure.exchanges.paper.faults.armed import Faults
from infrastructure.exchanges.paper.faults.reports import FaultyReports
from infrastructure.exchanges.paper.journal import Journal
from infrastructure.exchanges.paper.orders import Update

_TICK = timedelta(microseconds=1)


class Venue:
    """One exchange with its journal, its clock, its listeners, and the faults between it and them.

    Args:
        clock: Says what time it is, in UTC.
        ids: Makes a UUID that was never made before.
        journal: Where commands are recorded; without one the venue forgets everything when it stops.
        commission_per_share: Charged from now on, in US dollars.
        backlog: How many updates a listener may be behind.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        ids: Callable[[], str],
        journal: Journal | None = None,
        commission_per_share: Decimal = Decimal(0),
        backlog: int = BACKLOG,
    ) -> None:
        self.exchange = Exchange()
        self.updates = Broadcast(backlog)
        self.faults = Faults()
        self.reports = FaultyReports(self.updates, self.faults)
        self.new_id = ids
        self._clock = clock
        self._journal = journal
        if journal is not None:
            for command in journal.replay():
                self.exchange.apply(command)
        self.execute(Start(self.now(), commission_per_share))
        self.end_day()

    def now(self) -> datetime:
        """The time of the next command, in UTC: later than every command before it, whatever the clock does.

        So no two orders share a submission time, and paging by time neither skips nor repeats one.
        """
        return max(self._clock(), self.exchange.last_at + _TICK)

    def execute(self, command: Command) -> list[Update]:
        """Check, record and apply a command, and tell every listener what came of it.

        Raises:
            Refusal: The command cannot be met; nothing happened.
            JournalUnwritable: The command could not be recorded; nothing happened.
        """
        check(self.exchange, command)
        if self._journal is not None:
            self._journal.append(command)
        updates = self.exchange.apply(command)
        for update in updates:
            self.reports.send(update, trade_update(update))
        return updates

    def end_day(self) -> None:
        """Let DAY orders of earlier days expire."""
        self.execute(EndDay(self.now()))
