"""Runs seeds on all cores: ``python -m tests.simulation --seeds 1000``, or ``--seed 4711`` to replay one.

The first line on standard output is the seed that failed; then come what is wrong, what happened last, and how to replay
it. Progress goes to standard error.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import Pipe

from tests.simulation.simulation import Result, simulate

_FAILURES_SHOWN = 10
_LINES_SHOWN = 40
_SECONDS_BETWEEN_NEWS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for. Returns 0 when nothing failed, else 1."""
    parser = argparse.ArgumentParser(prog="make simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--seeds", type=int, default=1_000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument(
        "--orders", type=int, help="how many orders each seed asks for; without it 100, or 10000 of load"
    )
    parser.add_argument("--load", action="store_true", help="many traders at once and few faults")
    parser.add_argument("--keep-going", action="store_true", help="name every seed that fails, one line each")
    chosen = parser.parse_args(arguments)
    seeds = (
        range(chosen.first, chosen.first + chosen.seeds) if chosen.seed is None else range(chosen.seed, chosen.seed + 1)
    )
    began, orders, events, failed, done = time.monotonic(), 0, 0, 0, 0
    told = began
    for done, result in enumerate(_results(seeds, chosen.orders, is_load=chosen.load), start=1):
        orders += result.orders
        events += result.events
        if result.failures:
            failed += 1
            sys.stdout.write(
                _line(result) if chosen.keep_going else _report(result, chosen.orders, is_load=chosen.load)
            )
            sys.stdout.flush()
            if not chosen.keep_going:
                break
        if time.monotonic() - told > _SECONDS_BETWEEN_NEWS:
            told = time.monotonic()
            _tell(done, len(seeds), failed, orders, told - began)
    seconds = time.monotonic() - began
    _tell(done, len(seeds), failed, orders, seconds)
    sys.stderr.write("\n")
    sys.stdout.write(
        f"{done} seeds, {failed} failed; {orders} orders, {events} events in {seconds:.1f} s:"
        f" {orders / seconds:.0f} orders a second\n"
    )
    return 1 if failed else 0


def _results(seeds: range, orders: int | None, *, is_load: bool) -> Iterator[Result]:
    run = partial(simulate, orders=orders, is_load=is_load)
    if len(seeds) == 1:
        yield run(seeds[0])
        return
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        try:
            yield from pool.map(partial(_apart, run), seeds)
        finally:
            pool.shutdown(cancel_futures=True)


def _apart(run: Callable[[int], Result], seed: int) -> Result:
    """In a process of its own: a world that ends with its process need not be taken apart first."""
    receiver, sender = Pipe(duplex=False)
    with receiver:
        if (pid := os.fork()) == 0:
            gc.disable()
            try:
                sender.send(run(seed))
            except BaseException:  # noqa: BLE001 - this process must not go on as its parent would
                traceback.print_exc()
            finally:
                os._exit(0)
        sender.close()
        try:
            result: Result = receiver.recv()
        except EOFError:
            raise RuntimeError(f"seed {seed} broke off, see above") from None
        else:
            return result
        finally:
            os.waitpid(pid, 0)


def _line(result: Result) -> str:
    check, sentence = result.failures[0]
    return f"seed {result.seed} failed {check}: {sentence.strip().splitlines()[-1]}\n"


def _report(result: Result, orders: int | None, *, is_load: bool) -> str:
    replay = f"make simulate SEED={result.seed}"
    replay += (f" ORDERS={orders}" if orders else "") + (" LOAD=yes" if is_load else "")
    lines = [
        f"seed {result.seed} failed",
        *(f"{check}: {sentence}" for check, sentence in result.failures[:_FAILURES_SHOWN]),
        f"The world: {result.faults}.",
        f"The last of {len(result.story)} things that happened to what failed, in seconds:",
        *result.story[-_LINES_SHOWN:],
        f"Replay it with: {replay}",
    ]
    return "\n".join(lines) + "\n"


def _tell(done: int, all_of_them: int, failed: int, orders: int, seconds: float) -> None:
    sys.stderr.write(f"\r{done} of {all_of_them} seeds, {failed} failed, {orders / seconds:.0f} orders a second")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
