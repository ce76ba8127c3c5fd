"""The one place where unexpected errors end: whatever is logged as an error, with its exception or without.

Each gets an id, which is in its log line and in the answer, if somebody waits for one; it is written to ``error-log.md``
in the home, counted, and sent to Sentry where that is set. All of it happens in a thread of its own: whoever has logged
the error goes on at once.
"""

import atexit
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from queue import Full, Queue
from threading import Thread

from application.story import TOLD, Story
from infrastructure.error_log import ErrorLog
from infrastructure.ids import UuidIds
from infrastructure.logs import ERROR_ID, FIELDS
from infrastructure.scrubbing import scrubbed
from infrastructure.settings import Settings, load_settings

_WAITING_MAX = 1_000
_FLUSH_SECONDS_MAX = 2.0


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """An error as it is reported. ``reason`` is the exception's class and message, or what was logged without one."""

    error_id: str
    at: datetime
    process: str
    event: str
    reason: str
    story: Story
    fields: dict[str, object]
    error: BaseException | None

    def entry(self) -> str:
        """The report for a reader of the error log, in Markdown, without secrets."""
        facts: dict[str, object] = {
            "error_id": self.error_id,
            "process": self.process,
            "reason": self.reason,
            "order_id": self.story.order_id or None,
            "trader_id": self.story.trader_id or None,
            "retry_count": self.story.retries,
            "correlation_id": self.story.correlation_id or None,
            "causation_id": self.story.causation_id or None,
            **self.fields,
        }
        lines = [f"## {self.at:%Y-%m-%d %H:%M:%S.%f} UTC: {_in_a_line(self.event)}", ""]
        lines += [f"- {name}: {_in_a_line(value)}" for name, value in facts.items() if value is not None]
        if self.error is not None:
            lines += ["", *(f"    {line}" for line in "".join(traceback.format_exception(self.error)).splitlines())]
        return scrubbed("\n".join(lines)) + "\n\n"


Sink = Callable[[ErrorReport], None]


class ErrorReports(logging.Handler):
    """Reports every record that is an error.

    Args:
        process: whose errors they are.
        sinks: where each report goes; called in a thread, one report at a time. What a sink raises is logged as a warning.
    """

    def __init__(self, process: str, sinks: Sequence[Sink]) -> None:
        super().__init__(logging.ERROR)
        self._process = process
        self._sinks = sinks
        self._ids = UuidIds()
        self._waiting: Queue[ErrorReport | None] = Queue(_WAITING_MAX)
        self._thread: Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Give the record its id, and have it reported soon."""
        if not hasattr(record, ERROR_ID):
            setattr(record, ERROR_ID, self._ids.new())
        if self._thread is None:
            self._thread = Thread(target=self._report, name="error-reports", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(report_of(record, self._process))
        except Full:
            logging.getLogger(__name__).warning("too many errors at once: this one is not in the error log")

    def close(self) -> None:
        """Report what waits, if that can be done in a moment."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(_FLUSH_SECONDS_MAX)
        super().close()

    def _report(self) -> None:
        while (report := self._waiting.get()) is not None:
            for sink in self._sinks:
                try:
                    sink(report)
                except Exception as failure:  # noqa: BLE001 - the other sinks and the next report are not to suffer
                    logging.getLogger(__name__).warning("an error cannot be reported: %s", failure)


def report_of(record: logging.LogRecord, process: str) -> ErrorReport:
    """The record as a report, with the story of its error, or else of the task that has logged it."""
    error = record.exc_info[1] if record.exc_info else None
    event = record.getMessage()
    return ErrorReport(
        error_id=getattr(record, ERROR_ID),
        at=datetime.fromtimestamp(record.created, UTC),
        process=process,
        event=event,
        reason=event if error is None else f"{type(error).__name__}: {error}",
        story=getattr(error, "story", None) or TOLD.get(),
        fields=getattr(record, FIELDS, {}),
        error=error,
    )


def sinks_of(settings: Settings) -> list[Sink]:
    """Where errors go on these settings."""
    sinks: list[Sink] = [partial(_write, ErrorLog(settings.home))]
    if settings.sentry_dsn is not None:
        from infrastructure.sentry import sentry_sink  # noqa: PLC0415 - only whoever has set it pays for its import

        sinks.append(sentry_sink(settings.sentry_dsn))
    return sinks


def report_errors(process: str, sinks: Sequence[Sink]) -> ErrorReports:
    """Report every error of this process from now on, to its end."""
    reports = ErrorReports(process, sinks)
    root = logging.getLogger()
    # First of all handlers: the line that others write has the id then.
    root.handlers.insert(0, reports)
    atexit.register(reports.close)
    return reports


def report_defect(error: Exception, environ: Mapping[str, str]) -> str:
    """Report an error that ends a command, now; what cannot be told is not. Returns its id."""
    log = logging.getLogger("orderlog.command")
    record = log.makeRecord(log.name, logging.ERROR, "", 0, "a command failed", (), (type(error), error, None))
    setattr(record, ERROR_ID, UuidIds().new())
    report = report_of(record, "command")
    with suppress(Exception):
        for sink in sinks_of(load_settings(environ)):
            with suppress(OSError):  # there is no home, or it is not ours
                sink(report)
    return report.error_id


def _write(log: ErrorLog, report: ErrorReport) -> None:
    log.append(report.entry())


def _in_a_line(value: object) -> str:
    return " ".join(str(value).split())
