"""Traces over OTLP. Imported only where ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set.

Nothing is carried along for them: a story is a trace, and the ids of spans follow from the names of requests and events. So
whoever has an event knows its span and that of its cause, in any process and after any restart.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

from application.story import Story, name_of
from domain.events import RecordedEvent, order_of
from infrastructure.build import VERSION


class Traces:
    """Spans of one process.

    Args:
        endpoint: where OTLP over HTTP is taken, without ``/v1/traces``.
        process: ``api`` or ``worker``.
    """

    def __init__(self, endpoint: str, process: str) -> None:
        self._ids = _GivenIds()
        resource = Resource.create(
            {"service.name": "orderlog", "service.version": VERSION, "service.instance.id": process}
        )
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
        self._tracer = self._provider.get_tracer("orderlog", VERSION)

    def close(self) -> None:
        """Send what there is, and stop. It may take a while."""
        self._provider.shutdown()

    def answered(self, story: Story, route: str, status: int, span: tuple[int, int], parent: str) -> None:
        """A request was answered; ``parent`` is the span of the client's own trace in hexadecimal, if it has one."""
        attributes: dict[str, str | int] = {"http.route": route, "http.response.status_code": status}
        given = int(parent, 16) if parent else None
        self._record(
            f"HTTP {route}", story, (_span_id(story.causation_id), given), span, attributes, kind=SpanKind.SERVER
        )

    def appended(self, events: Sequence[RecordedEvent], span: tuple[int, int]) -> None:
        """These events were recorded; each is a span, under what led to it."""
        for recorded in events:
            metadata, name = recorded.metadata, name_of(recorded.stream_id, recorded.version)
            story = Story(metadata.correlation_id, metadata.causation_id, metadata.trader_id)
            attributes: dict[str, str | int] = {"orderlog.position": recorded.position, "orderlog.event": name}
            title = f"append {type(recorded.event).__name__}"
            self._record(title, story, (_span_id(name), _span_id(story.causation_id)), span, attributes)

    def asked_venue(self, story: Story, operation: str, outcome: str, span: tuple[int, int]) -> None:
        """The venue was asked for the sake of this story; of no story, that is no part of a trace."""
        if story.correlation_id:
            own = _span_id(f"{story.causation_id} {operation} {span}")
            attributes = {"orderlog.outcome": outcome}
            parent = _span_id(story.causation_id)
            self._record(f"venue {operation}", story, (own, parent), span, attributes, kind=SpanKind.CLIENT)

    def projected(self, events: Sequence[RecordedEvent], span: tuple[int, int]) -> None:
        """The read models have these events. Of each order, the last of them is the cause of a span."""
        last = {recorded.stream_id: recorded for recorded in events if order_of(recorded.stream_id) is not None}
        for stream_id, recorded in last.items():
            name = name_of(stream_id, recorded.version)
            story = Story(recorded.metadata.correlation_id, name)
            attributes = {"orderlog.position": recorded.position}
            self._record("project", story, (_span_id(f"{name} projected"), _span_id(name)), span, attributes)

    def _record(
        self,
        title: str,
        story: Story,
        ids: tuple[int, int | None],
        span: tuple[int, int],
        attributes: Mapping[str, str | int],
        *,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        (own, parent), (began, ended) = ids, span
        self._ids.trace_id, self._ids.span_id = trace_id_of(story.correlation_id), own
        context = None
        if parent is not None:
            above = SpanContext(self._ids.trace_id, parent, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            context = set_span_in_context(NonRecordingSpan(above))
        known = {"orderlog.correlation_id": story.correlation_id, "orderlog.trader_id": story.trader_id}
        said = {**attributes, **{name: value for name, value in known.items() if value}}
        self._tracer.start_span(title, context, kind, said, start_time=began).end(ended)


class _GivenIds(IdGenerator):
    """The ids that the next span is to have."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def trace_id_of(correlation_id: str) -> int:
    """The trace of a story: a UUID or the id of a trace is itself, anything else its hash."""
    try:
        return UUID(correlation_id).int or 1
    except ValueError:
        return int.from_bytes(sha256(correlation_id.encode()).digest()[:16]) or 1


def _span_id(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()[:8]) or 1
