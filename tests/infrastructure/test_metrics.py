import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from application.ports import Appended, NewEvent, Transaction
from application.venue import VenueBusyError, VenueOutcomeUnknownError, VenueRefusedError, VenueUnreachableError
from domain.events import OrderSent, order_stream
from domain.lifecycle import Status
from domain.values import OrderId
from infrastructure import metrics as module
from infrastructure.measuring import MeasuredVenue
from infrastructure.metrics import Metrics, build_of
from tests.application.world import ScriptedVenue
from tests.infrastructure.samples import METADATA

PROGRAM = """
import os, sys
from pathlib import Path
from infrastructure import metrics
from prometheus_client.core import GaugeMetricFamily
class Moment:
    def collect(self):
        return [GaugeMetricFamily("orderlog_moment", "now", value=7)]
said = metrics.published(Path(sys.argv[1]), sys.argv[2])
said.refusals.labels("BUSY").inc(int(sys.argv[3]))
said.sampled(0.01, 1000, 2.0, 7)
with said.streaming("sse"):
    sys.stdout.write(said.exposed(Moment()).decode())
said.failed(None)
if sys.argv[4:] == ["close"]:
    said.close()
"""


def run(home: Path, process: str, count: int, *more: str) -> str:
    """What a process answers that was refused so often."""
    command = [sys.executable, "-c", PROGRAM, str(home), process, str(count), *more]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_process_answers_for_all_of_its_home_and_those_that_are_gone_leave_what_they_counted(tmp_path: Path) -> None:
    first = run(tmp_path, "api", 2)
    assert 'orderlog_refusals_total{code="BUSY"} 2.0' in first
    assert 'orderlog_stream_clients{kind="sse"} 1.0' in first
    assert "orderlog_moment 7.0" in first
    second = run(tmp_path, "worker", 3, "close")
    assert 'orderlog_refusals_total{code="BUSY"} 5.0' in second
    assert second.count("orderlog_process_open_fds{") == 2
    third = run(tmp_path, "worker", 1)
    assert 'orderlog_refusals_total{code="BUSY"} 6.0' in third
    assert 'orderlog_errors_total{process="api"} 1.0' in third
    assert third.count("orderlog_process_open_fds{") == 2


def test_a_process_that_is_silent_for_long_is_not_there_any_more(tmp_path: Path) -> None:
    run(tmp_path, "api", 2)
    (alive,) = (tmp_path / "metrics").glob("alive_*")
    run(tmp_path, "api", 1)
    os.utime(alive, (0, 0))
    said = run(tmp_path, "api", 1)
    assert 'orderlog_refusals_total{code="BUSY"} 4.0' in said
    assert said.count("orderlog_process_open_fds{") == 2
    assert not alive.exists()


def test_a_process_that_only_stood_still_is_there(tmp_path: Path) -> None:
    ours, elsewhere = (tmp_path / f"alive_{name}" for name in (module._identifier(), f"elsewhere.{os.getpid()}"))
    for alive in (ours, elsewhere):
        alive.touch()
        os.utime(alive, (0, 0))
    module._forget_the_dead(tmp_path)
    assert list(tmp_path.iterdir()) == [ours]


def test_when_all_are_gone_counting_begins_anew(tmp_path: Path) -> None:
    run(tmp_path, "api", 2, "close")
    assert 'orderlog_refusals_total{code="BUSY"} 1.0' in run(tmp_path, "api", 1)
    assert (tmp_path / "metrics").stat().st_mode & 0o777 == 0o700


class Moment(Collector):
    def collect(self) -> list[GaugeMetricFamily]:
        return [GaugeMetricFamily("orderlog_moment", "now", value=7)]


def test_a_process_that_publishes_nothing_answers_for_itself_as_often_as_it_is_asked() -> None:
    alone = Metrics()
    alone.refusals.labels("BUSY").inc()
    for _ in range(2):
        text = alone.exposed(Moment()).decode()
        assert 'orderlog_refusals_total{code="BUSY"} 1.0' in text
        assert "orderlog_moment 7.0" in text
    assert "orderlog_moment" not in alone.exposed().decode()
    alone.sampled(0.0, 1, 1.0, 1)
    alone.close()


def test_appends_are_counted_by_what_was_recorded() -> None:
    stream = order_stream(OrderId("1"))
    sent = [NewEvent(stream, n, OrderSent(attempt=n, status=Status.PENDING), METADATA) for n in (1, 2)]
    batch = [Transaction({stream: 0}, sent), Transaction({stream: 0}, sent[:1]), Transaction({stream: 0})]
    alone = Metrics()
    alone.appended(batch, Appended(2, [[], None, []]), 0.004)
    alone.appended(batch[:1], Appended(4, [[]]), 0.004)
    text = alone.exposed().decode()
    for line in (
        'orderlog_events_total{type="OrderSent"} 4.0',
        "orderlog_venue_retries_total 2.0",
        "orderlog_append_conflicts_total 1.0",
        "orderlog_append_batch_commands_sum 4.0",
        'orderlog_append_seconds_bucket{le="0.005"} 2.0',
        "orderlog_fills_total 0.0",
    ):
        assert f"\n{line}\n" in text


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (VenueRefusedError("1", "no"), "refused"),
        (VenueBusyError(1.0), "busy"),
        (VenueUnreachableError("x"), "unreachable"),
        (VenueOutcomeUnknownError("x"), "unknown"),
        (ZeroDivisionError("x"), "failed"),
    ],
)
async def test_requests_to_the_venue_are_counted_by_what_came_of_them(error: Exception, outcome: str) -> None:
    scripted, alone = ScriptedVenue(), Metrics()
    venue = MeasuredVenue(scripted, alone)
    assert venue.name == scripted.name
    assert list(await venue.working_orders()) == []
    scripted.working_errors.append(error)
    with pytest.raises(type(error)):
        await venue.working_orders()
    text = alone.exposed().decode()
    for each in ("ok", outcome):
        series = f'orderlog_venue_request_seconds_count{{operation="working_orders",outcome="{each}"}} 1.0'
        assert f"\n{series}\n" in text


def test_the_program_and_the_disk_can_always_be_told(tmp_path: Path) -> None:
    told = {name: value for name, _, _, value in build_of(tmp_path)}
    assert told["orderlog_build_info"] == 1
    assert 0 < told["orderlog_disk_free_bytes"] <= told["orderlog_disk_size_bytes"]


def test_a_name_of_a_process_can_be_a_part_of_a_file_s_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.socket, "gethostname", lambda: "a_b")
    monkeypatch.setattr(module, "_host", module._host.__wrapped__)
    assert module._identifier.__wrapped__() == f"a-b.{os.getpid()}"
