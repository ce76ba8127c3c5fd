"""Python's collector of cyclic garbage, tuned for processes that live long and keep much."""

import gc

_YOUNG, _MIDDLE, _OLD = 50_000, 20, 20

HOLDING_BATCHES = 1_000_000


def keep_what_is_there(young: int = _YOUNG) -> None:
    """Never look again at what was imported and opened so far, and look seldom at what comes.

    By default the collector runs after every 700 new objects, and each time walks over what a command has under way;
    with hundreds of commands under way that was a third of the CPU time of an append. ``young`` is how many more objects
    there must be: ``HOLDING_BATCHES`` for whoever holds thousands of events for a moment and then the next ones.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, _MIDDLE, _OLD)
