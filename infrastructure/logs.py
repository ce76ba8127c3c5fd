"""What a process says of its work: one JSON object each line on standard error, or lines for a person on a terminal.

Everything passes here, whether it was said by structlog or by the standard library. Each line has what it belongs to:
``correlation_id`` and ``causation_id`` as in the metadata of events, ``trader_id`` and ``order_id`` where there are any.
"""

import logging
import os
import sys
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from application.story import NO_STORY, TOLD, Story
from infrastructure.scrubbing import scrubbed

FIELDS = "fields"
"""Under this name in ``extra``, a line of the standard library carries fields of its own."""

ERROR_ID = "error_id"
"""Under this name in ``extra``, a line carries the id under which its error is reported."""

_NAMES = Story._fields
_LEVELS = {level: name.lower() for name, level in logging.getLevelNamesMapping().items()}
_encode = msgspec.json.Encoder(enc_hook=str).encode


class Lines(logging.Formatter):
    """Records as lines.

    Args:
        program: who says it, for the field ``process``.
        render: how a line looks; None: as JSON.
    """

    def __init__(self, program: str, render: Callable[[dict[str, Any]], str] | None = None) -> None:
        super().__init__()
        self._origin = {"process": program, "pid": os.getpid()}
        self._render = render
        self._second, self._date = -1, ""

    def _time(self, seconds: float) -> str:
        """RFC 3339, UTC, with microseconds; the date is worked out once a second."""
        second = int(seconds)
        if second != self._second:
            self._second, self._date = second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._date}.{int((seconds - second) * 1e6):06}Z"

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, without secrets."""
        said: dict[str, Any] = {
            "timestamp": self._time(record.created),
            "level": _LEVELS.get(record.levelno) or str(record.levelno),
            "logger": record.name,
            "event": record.getMessage(),
            **told(record),
            **self._origin,
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return scrubbed(self._render(said) if self._render else _encode(said).decode())


def told(record: logging.LogRecord) -> dict[str, Any]:
    """What the record says beside its message: its story, and fields of its own. Only what is known."""
    error = record.exc_info[1] if record.exc_info else None
    story = getattr(error, "story", None) or TOLD.get()
    fields = {} if story is NO_STORY else {name: value for name, value in zip(_NAMES, story, strict=True) if value}
    if error_id := getattr(record, ERROR_ID, None):
        fields[ERROR_ID] = error_id
    return {**fields, **getattr(record, FIELDS, {})}


def log_to_standard_error(program: str) -> None:
    """Send everything that the standard library logs in this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(program, _for_a_person if sys.stderr.isatty() else None))
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    # Nobody asks which thread or which line of the source it was, and finding out costs more than the rest of a line.
    logging._srcfile = None  # noqa: SLF001 - as the standard library's own how-to has it
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    # One line for each request, or for each part of a library, would drown everything else.
    for name in ("httpx2", "alembic.runtime.plugins"):
        logging.getLogger(name).setLevel(logging.WARNING)


def configure_logs(program: str) -> None:
    """The same, and for everything that structlog logs, too."""
    import structlog  # noqa: PLC0415 - whoever uses it has it already, and others start faster without

    log_to_standard_error(program)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.contextvars.merge_contextvars, _as_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _as_record(_: Any, __: str, said: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:  # noqa: ANN401 - structlog's signature
    """Hand a line of structlog to the standard library, as ``Lines`` takes it."""
    event, exc_info = str(said.pop("event", "")), said.pop("exc_info", None)
    return (event,), {"exc_info": exc_info, "extra": {FIELDS: dict(said)}}


def _for_a_person(said: dict[str, Any]) -> str:
    from structlog.dev import ConsoleRenderer, plain_traceback  # noqa: PLC0415 - most starts say nothing to a person

    renderer = ConsoleRenderer(exception_formatter=plain_traceback, pad_event_to=0)
    origin = f"{said.pop('process')}[{said.pop('pid')}]"
    return str(renderer(None, "", said | {"logger": f"{origin} {said['logger']}"}))
