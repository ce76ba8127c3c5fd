"""One trace follows an order: from the client's own span through the request, the log, the venue and the read models."""

from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.engine_process import RunningEngine, place, running_engine, wait_for_order
from tests.post_server import post_server

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    """What an engine has told of two orders by the time it has ended: one of a client with a trace, one of one without."""
    home: Path = tmp_path_factory.mktemp("traced") / "home"
    with (
        post_server() as (host, taken),
        running_engine(home, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{host}") as engine,
    ):
        _trade(engine)
        engine.stop()
    assert {path for path, _ in taken} == {"/v1/traces"}
    told = [ExportTraceServiceRequest.FromString(body) for _, body in taken]
    return [
        span
        for each in told
        for resource in each.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _trade(engine: RunningEngine) -> None:
    engine.fund("alice")
    with engine.client("alice") as alice:
        alice.get("/livez")
        for headers in ({"traceparent": f"00-{TRACE}-{CLIENT}-01"}, {"X-Correlation-Id": "a-story"}):
            order = place(alice, MARKET, **headers)
            filled = wait_for_order(alice, order["id"], "FILLED")
            alice.get("/api/v1/orders", params={"min_position": filled["position"]}).raise_for_status()


def test_a_trace_of_a_client_goes_on_through_everything_that_comes_of_its_order(spans: list[Span]) -> None:
    ours = [span for span in spans if span.trace_id.hex() == TRACE]
    by_id = {span.span_id: span for span in ours}
    above = {span.name: by_id[span.parent_span_id].name for span in ours if span.parent_span_id in by_id}
    (request,) = [span for span in ours if span.name == "HTTP /api/v1/orders"]
    assert request.parent_span_id.hex() == CLIENT
    assert above["append OrderPlaced"] == "HTTP /api/v1/orders"
    assert above["append OrderSent"] == "append OrderPlaced"
    assert above["venue submit"] == "append OrderSent"
    assert above["append OrderAccepted"] == "append OrderSent"
    assert above["append OrderFilled"] in {"append OrderAccepted", "append OrderFilled"}
    assert above["append TradeBooked"] == above["append OrderFilled"]
    assert "project" in above
    assert all(span.parent_span_id in by_id for span in ours if span is not request)


def test_every_span_has_its_own_id_and_ends_after_it_began(spans: list[Span]) -> None:
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans)
    assert all(0 < span.start_time_unix_nano <= span.end_time_unix_nano for span in spans)


def test_who_names_a_story_gets_a_trace_of_its_own_and_who_only_looks_gets_none(spans: list[Span]) -> None:
    stories = {a.value.string_value for span in spans for a in span.attributes if a.key == "orderlog.correlation_id"}
    assert "a-story" in stories
    (root,) = [
        span
        for span in spans
        if span.name == "HTTP /api/v1/orders" and not span.parent_span_id and _story(span) == "a-story"
    ]
    assert [span.name for span in spans if span.trace_id == root.trace_id].count("append OrderPlaced") == 1
    assert not any("/livez" in span.name for span in spans)


def _story(span: Span) -> str:
    return next(a.value.string_value for a in span.attributes if a.key == "orderlog.correlation_id")
