"""Reports of errors to Sentry, or to anything that speaks like it. Imported only where ``SENTRY_DSN`` is set."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.utils import event_from_exception

from infrastructure.build import VERSION
from infrastructure.scrubbing import scrubbed

if TYPE_CHECKING:
    from infrastructure.errors import ErrorReport


_FLUSH_SECONDS_MAX = 2.0
_SECRET = frozenset({"authorization", "cookie", "token", "ticket", "password", "secret"})


def sentry_sink(dsn: str) -> "Callable[[ErrorReport], None]":
    """Sends each report. Nothing else is sent: no requests, no variables, no breadcrumbs, no traces."""
    client = sentry_sdk.Client(
        dsn=dsn,
        release=f"orderlog@{VERSION}",
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        include_source_context=True,
        max_breadcrumbs=0,
        send_default_pii=False,
        send_client_reports=False,
        auto_session_tracking=False,
        before_send=_without_secrets,
    )

    def send(report: "ErrorReport") -> None:
        story = report.story
        tags = {
            "error_id": report.error_id,
            "order_id": story.order_id,
            "correlation_id": story.correlation_id,
            "process": report.process,
        }
        event: Any = {"message": report.event, "level": "error"}
        hint: Any = {}
        if report.error is not None:
            event, hint = event_from_exception(report.error, client_options=client.options)
        event |= {
            "logger": report.process,
            "tags": {name: value for name, value in tags.items() if value},
            "user": {"id": story.trader_id},
            "contexts": {
                "orderlog": {
                    "event": report.event,
                    "reason": report.reason,
                    "retry_count": story.retries,
                    "causation_id": story.causation_id,
                    **report.fields,
                }
            },
        }
        client.capture_event(event, hint)
        client.flush(timeout=_FLUSH_SECONDS_MAX)

    return send


def _without_secrets(event: Any, _: Any) -> Any:  # noqa: ANN401 - Sentry's types are its own
    """The event, with every text in it scrubbed."""
    match event:
        case str():
            return scrubbed(event)
        case dict():
            return {
                name: "***" if str(name).lower() in _SECRET else _without_secrets(value, _)
                for name, value in event.items()
            }
        case list():
            return [_without_secrets(value, _) for value in event]
        case _:
            return event
