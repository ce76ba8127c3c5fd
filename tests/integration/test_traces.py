"""One trace follows an order: from the client's own span through the request, the log, the venue and the read models."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.engine_process import RunningEngine, place, running_engine, wait_for_order

MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """A server that takes OTLP over HTTP: its address, and the spans that it took."""
    spans: list[Span] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[Span]:
    """What an engine has told of two orders by the time it has ended: one of a client with a trace, one of one without."""
    home: Path = tmp_path_factory.mktemp("traced") / "home"
    with collector() as (endpoint, spans):
        with running_engine(home, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as engine:
            _trade(engine)
            engine.stop()
        return list(spans)


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
