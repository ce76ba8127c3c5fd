"""Every benchmark runs, and measures what it says. How fast anything is, is not judged here."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from benchmarks import growth, posting, reading, streaming, table, whole
from benchmarks.__main__ import BENCHMARKS
from benchmarks.history import told
from benchmarks.rounds import Figure, Goal, Pace, best, in_turns, percentile
from benchmarks.surroundings import Surroundings, machine
from infrastructure.postgres.chain import GENESIS, leaf, link, timestamp

NUMBERS = count(1)
MOMENT = Pace(rounds=1, seconds=0.3)


@pytest.fixture
def around(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    for module, name, value in (
        (posting, "TRADERS", 5),
        (streaming, "TRADERS", 5),
        (streaming, "_ORDERS_A_SECOND", 20),
        (streaming, "_CROWD", 5),
        (whole, "_ORDERS_A_SECOND", 20),
        (reading, "EVENTS_QUICK", 3_000),
        (growth, "FEW", 100),
        (growth, "MANY_QUICK", 300),
        (growth, "LONG", 300),
        (growth, "SHORT", 2),
    ):
        monkeypatch.setattr(module, name, value)
    return Surroundings(tmp_path, postgres, NUMBERS)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(table, "RESULTS", tmp_path / "results")
    return tmp_path / "results"


@pytest.mark.parametrize("name", sorted({*BENCHMARKS} - {"starts", "soak"}))  # those only run a whole engine for longer
def test_a_benchmark_measures(around: Surroundings, name: str) -> None:
    figures = list(BENCHMARKS[name].run(around, MOMENT))
    assert figures
    for figure in figures:
        assert len(figure.ours) == 1
        assert figure.value > 0


def test_the_table_has_every_figure_and_marks_what_falls_short(
    results: Path, postgres: str, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = [
        Figure("fast enough", "orders/s", [30.0, 20.0], "theirs", [10.0, 10.0], Goal(2, 3)),
        Figure("too slow", "ms", [300.0], goal=Goal(50, 20, at_most=True), note="for a reason"),
    ]
    table.show(figures, machine(postgres), "quick")
    shown = capsys.readouterr().out
    assert "2.5x" in shown
    assert "300 !" in shown
    assert "too slow: for a reason" in shown
    table.write("some", figures, machine(postgres), "quick")
    assert {path.name for path in results.iterdir()} == {"some.json", "some.png"}


def test_contenders_take_turns_and_the_first_round_is_forgotten() -> None:
    order: list[str] = []
    numbers: Iterator[float] = iter(range(100))

    def measure(name: str) -> float:
        order.append(name)
        return next(numbers)

    reached = in_turns({"a": lambda _: measure("a"), "b": lambda _: measure("b")}, Pace(rounds=2, seconds=0))
    assert order == ["a", "b"] * 3
    assert reached == {"a": [2, 4], "b": [3, 5]}
    assert best(reached, ["a", "b"]) == ("b", [3, 5])
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_a_told_log_is_chained_and_its_streams_have_no_holes() -> None:
    versions: dict[str, int] = {}
    last = GENESIS
    for position, event in enumerate(told(500), 1):
        assert event.position == position
        assert event.version == versions.get(event.stream_id, 0) + 1
        versions[event.stream_id] = event.version
        at = timestamp(event.recorded_at)
        fields = event.position, event.stream_id, event.version, event.type
        last = link(last, leaf(*fields, event.data.encode(), event.metadata.encode(), at))
        assert event.hash == last
    assert len(versions) > 100


def test_the_slope_is_that_of_the_line_through_the_points() -> None:
    assert whole._slope([(0.0, 10.0), (1.0, 12.0), (2.0, 14.0)]) == pytest.approx(2.0)
    assert whole._slope([(1.0, 10.0)]) == 0.0
