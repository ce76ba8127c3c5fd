"""Garbage collection for programs that make millions of objects of which hardly any refers to itself."""

import gc


def collect_rarely() -> None:
    """What is alive now is not looked at again, and what comes is looked at seldom: that took a quarter of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 1_000)
