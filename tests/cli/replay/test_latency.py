from cli.replay.latency import percentiles


def test_nothing_has_no_percentiles() -> None:
    assert percentiles([]) is None


def test_percentiles_are_those_of_the_nearest_rank_in_milliseconds() -> None:
    assert percentiles([0.001]) == {"p50": 1.0, "p95": 1.0, "p99": 1.0, "max": 1.0}
    hundred = [number / 1000 for number in range(100, 0, -1)]
    assert percentiles(hundred) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
