"""What can be seen of a whole engine with traffic: its metrics, whoever answers, and one story through all its parts."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from api.problems import STATUS_OF
from domain.events import order_stream
from domain.values import OrderId
from tests.engine_process import PATIENCE_SECONDS, RunningEngine, place, running_engine, wait_for_order
from tests.plain_http import PLAIN

DOCS = Path(__file__).parents[2] / "docs"
MARKET = {"symbol": "AAPL", "side": "BUY", "quantity": "10", "order_type": "MARKET"}
HEART = {"name": "order.filled", "category": "task_success", "at": "2026-01-02T03:04:05Z"}
STORY = {"X-Correlation-Id": "story-of-the-test", "X-Request-Id": "request-of-the-test"}


class Seen(NamedTuple):
    engine: RunningEngine
    log: Path
    order: dict[str, Any]
    families: dict[str, Metric]


def scraped(engine: RunningEngine) -> dict[str, Metric]:
    """What an API process answers: whichever takes the connection."""
    answer = httpx2.get(f"{engine.url}/metrics", **PLAIN, timeout=30).raise_for_status()
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """An engine with two API processes that has done a little of everything."""
    directory = tmp_path_factory.mktemp("observed")
    log = directory / "log"
    with log.open("w") as said, running_engine(directory / "home", said=said, ORDERLOG_WORKERS="2") as engine:
        engine.fund("alice")
        socket = f"{engine.url.replace('http', 'ws', 1)}/ws/orders/events?after=0&token={engine.token('alice')}"
        with engine.client("alice") as alice, connect(socket) as stream:
            order = place(alice, MARKET, **STORY)
            wait_for_order(alice, order["id"], "FILLED")
            assert alice.post("/api/v1/orders", json=MARKET | {"quantity": "-1"}).status_code == 400
            assert alice.post("/api/v1/metrics", json={"events": [HEART]}).status_code == 202
            stream.recv(timeout=PATIENCE_SECONDS)
            until(lambda: len(samples(scraped(engine), "orderlog_process_cpu_seconds")) == 3)  # two APIs and a worker
            yield Seen(engine, log, order, scraped(engine))


def samples(families: dict[str, Metric], name: str, **labels: str) -> list[float]:
    """The values of every series of this name that has these labels."""
    return [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_happened_is_counted_once_whichever_process_did_it_and_whichever_answers(seen: Seen) -> None:
    families = seen.families
    assert samples(families, "orderlog_http_request_seconds_count", route="/api/v1/orders", status="201") == [1]
    assert samples(families, "orderlog_refusals_total", code="INVALID_QUANTITY") == [1]
    assert samples(families, "orderlog_events_total", type="OrderPlaced") == [1]
    assert samples(families, "orderlog_fills_total") == samples(families, "orderlog_events_total", type="OrderFilled")
    assert samples(families, "orderlog_venue_request_seconds_count", operation="submit", outcome="ok") == [1]
    assert samples(families, "orderlog_stream_clients", kind="websocket") == [1]
    assert samples(families, "orderlog_stream_gaps_total", reason="resumed") == [1]
    assert samples(families, "orderlog_heart_events_total", category="task_success") == [1]
    assert samples(families, "orderlog_worker_leads") == [1]
    assert sorted(samples(families, "orderlog_dependency_up")) == [1, 1, 1, 1]
    assert len(samples(families, "orderlog_process_cpu_seconds", process="api")) == 2
    assert len(samples(families, "orderlog_process_cpu_seconds", process="worker")) == 1
    assert samples(families, "orderlog_log_position")[0] >= seen.order["position"]


def test_no_counter_falls_and_no_series_goes_whoever_answers(seen: Seen) -> None:
    last: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for _ in range(8):
        now = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in scraped(seen.engine).values()
            if family.type in {"counter", "histogram"}
            for sample in family.samples
        }
        assert now.keys() >= last.keys()
        assert [key for key, value in last.items() if now[key] < value] == []
        last = now


def described() -> dict[str, tuple[str, frozenset[str]]]:
    """Every metric of the reference with its type and labels."""
    rows = re.findall(
        r"^\| `(orderlog_\w+)` \| (\w+) \| (.*?) \|", (DOCS / "reference/metrics.md").read_text(), re.MULTILINE
    )
    return {
        name.removesuffix("_total"): (kind, frozenset(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows
    }


def test_the_reference_has_every_metric_with_its_type_and_labels_and_no_other(seen: Seen) -> None:
    exposed = {
        family.name: (family.type, frozenset(name for sample in family.samples for name in sample.labels) - {"le"})
        for family in seen.families.values()
    }
    assert described() == exposed


def queries() -> Iterator[Any]:
    """Every query of the dashboard and of the alerts."""
    dashboard = json.loads((DOCS / "operations/grafana-orderlog.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield pytest.param(target["expr"], target["legendFormat"], id=f"{panel['title']} {target['refId']}")
    rules = yaml.safe_load((DOCS / "operations/alerts.yaml").read_text())
    for rule in rules["groups"][0]["rules"]:
        yield pytest.param(rule["expr"], rule["annotations"]["summary"].replace("$labels.", ""), id=rule["alert"])


@pytest.mark.parametrize(("query", "words"), list(queries()))
def test_every_query_asks_for_metrics_and_labels_that_a_running_engine_has(seen: Seen, query: str, words: str) -> None:
    asked = re.findall(r"\b(orderlog_\w+)(?:\{([^}]*)\})?", query)
    assert asked
    known: set[str] = set()
    for name, selector in asked:
        found = [sample.labels for family in seen.families.values() for sample in family.samples if sample.name == name]
        assert found, f"nothing is called {name}"
        labels = {label for each in found for label in each}
        for label, value in re.findall(r'(\w+)="([^"]*)"', selector):
            # Of codes, those count that there can be.
            assert value in STATUS_OF or value in {each.get(label) for each in found}, f"no {name} has {label}={value}"
        known |= labels
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", query) for label in group.split(",")}
    assert grouped <= known
    shown = set(re.findall(r"\{\{ ?(\w+) ?\}\}", words))
    assert shown <= (grouped or known)


def test_every_metric_is_on_the_dashboard() -> None:
    text = (DOCS / "operations/grafana-orderlog.json").read_text()
    assert [name for name in described() if name not in text and name != "orderlog_disk_size_bytes"] == []


def test_what_to_do_about_every_alert_is_written_down() -> None:
    rules = yaml.safe_load((DOCS / "operations/alerts.yaml").read_text())
    text = (DOCS / "how-to/monitor.md").read_text()
    assert [rule["alert"] for rule in rules["groups"][0]["rules"] if f"| `{rule['alert']}` |" not in text] == []


# ── One story ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_story_goes_from_the_request_through_the_worker_to_what_the_venue_said(seen: Seen) -> None:
    with seen.engine.client("auditor", "auditor") as auditor:
        answer = auditor.get("/api/v1/events", params={"order_id": seen.order["id"]}).raise_for_status()
    events = answer.json()["events"]
    assert {event["metadata"]["correlation_id"] for event in events} == {STORY["X-Correlation-Id"]}
    stream = order_stream(OrderId(seen.order["id"]))
    of_order = [event for event in events if event["stream_id"] == stream]
    assert [event["metadata"]["causation_id"] for event in of_order] == [
        STORY["X-Request-Id"],
        *(f"{stream}/{event['version']}" for event in of_order[:-1]),
    ]
    assert [event["metadata"]["actor"] for event in of_order][:3] == ["trader:alice", "engine", "venue"]


def test_every_process_logs_json_with_the_story(seen: Seen) -> None:
    lines = [json.loads(line) for line in seen.log.read_text().splitlines()]
    (request,) = [line for line in lines if line.get("correlation_id") == STORY["X-Correlation-Id"]]
    assert (request["event"], request["path"], request["trader_id"]) == ("request", "/api/v1/orders", "alice")
    assert {line["process"] for line in lines} == {"api", "serve", "worker"}
    assert not any("eyJ" in json.dumps(line) for line in lines)
    guard = (seen.engine.home / "guard.log").read_text().splitlines()
    assert {json.loads(line)["process"] for line in guard} == {"guard"}
