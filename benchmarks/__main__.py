"""``python -m benchmarks [NAME ...] [--quick]``: measure, print the table, write JSON and a picture."""

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks import appending, growth, posting, reading, streaming, table, whole
from benchmarks.rounds import FULL, QUICK, Figure, Pace
from benchmarks.surroundings import Surroundings, machine, surroundings


class Benchmark(NamedTuple):
    """Something to measure, and about how many seconds it takes, in full and quickly."""

    run: Callable[[Surroundings, Pace], Iterator[Figure]]
    seconds: int
    seconds_quick: int


BENCHMARKS = {
    "orders": Benchmark(appending.orders, 170, 30),
    "appends": Benchmark(appending.appends, 110, 20),
    "posts": Benchmark(posting.posts, 110, 25),
    "streams": Benchmark(streaming.streams, 80, 25),
    "acknowledgements": Benchmark(whole.acknowledgements, 60, 20),
    "reads": Benchmark(reading.reads, 200, 40),
    "memory": Benchmark(reading.memory, 200, 30),
    "growth": Benchmark(growth.growth, 400, 40),
    "starts": Benchmark(whole.starts, 20, 10),
    "soak": Benchmark(whole.soak, 620, 20),
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one or more of {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    names = asked.names or list(BENCHMARKS)
    pace, paced = (QUICK, "quick") if asked.quick else (FULL, "full")
    figures: list[Figure] = []
    with surroundings() as around:
        found = machine(around.postgres)
        try:
            for name in names:
                benchmark = BENCHMARKS[name]
                seconds = benchmark.seconds_quick if asked.quick else benchmark.seconds
                print(f"{name}: about {seconds} s ...", file=sys.stderr, flush=True)  # noqa: T201 - progress
                figures += benchmark.run(around, pace)
        finally:  # what was measured before something failed took minutes
            table.show(figures, found, paced)
            table.write("-".join(asked.names) or "all", figures, found, paced)


if __name__ == "__main__":
    main()
