"""Run one seed and say what came of it."""

import gc
import hashlib
import logging
import re
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from domain.events import OrderPlaced, order_of
from domain.values import OrderId
from tests.simulation.checks import CHECKS, Check
from tests.simulation.evidence import Evidence
from tests.simulation.loop import StuckError, VirtualLoop, run_virtually
from tests.simulation.world import World

ORDERS = 100
ORDERS_OF_LOAD = 10_000

_NAMES = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a seed. ``digest`` covers the whole log by its last hash, and every request to the venue.

    ``failures`` are pairs of a check's name and a sentence. ``story`` is what happened to the world and to the orders
    that the sentences name, in order; ``faults`` is what could go wrong.
    """

    seed: int
    orders: int
    events: int
    virtual_seconds: float
    digest: str
    failures: Sequence[tuple[str, str]]
    story: Sequence[str]
    faults: str


def simulate(
    seed: int,
    orders: int | None = None,
    *,
    is_load: bool = False,
    prepare: Callable[[World], None] | None = None,
    checks: Sequence[Check] = CHECKS,
) -> Result:
    """Run a seed to its end and check everything.

    Args:
        seed: decides everything.
        orders: how many are asked for, about.
        is_load: many traders at once and few faults, instead of few traders and many faults.
        prepare: changes the world before it begins; for tests of the checks.
        checks: what must be true.
    """
    with _no_collector():
        return _simulate(seed, orders, is_load=is_load, prepare=prepare, checks=checks)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Without the garbage collector: it would finish what was forgotten at moments of its own, and takes its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _simulate(
    seed: int,
    orders: int | None,
    *,
    is_load: bool,
    prepare: Callable[[World], None] | None,
    checks: Sequence[Check],
) -> Result:
    loop = VirtualLoop()
    world = World(seed, loop, is_load=is_load)
    if prepare is not None:
        prepare(world)
    failures = _run(world, loop, orders or (ORDERS_OF_LOAD if is_load else ORDERS))
    evidence = Evidence(world)
    for check in checks:
        failures += [(check.__name__, sentence) for sentence in check(evidence)]
    digest = hashlib.sha256("\n".join(world.journal.story()).encode())
    digest.update(evidence.log[-1].hash if evidence.log else b"")
    named = {OrderId(name) for _, sentence in failures for name in _NAMES.findall(sentence)}
    return Result(
        seed=seed,
        orders=sum(isinstance(recorded.event, OrderPlaced) for recorded in evidence.log),
        events=len(evidence.log),
        virtual_seconds=loop.time(),
        digest=digest.hexdigest(),
        failures=failures,
        story=_story(world, named) if failures else (),
        faults=world.faults.described(),
    )


def _run(world: World, loop: VirtualLoop, orders: int) -> list[tuple[str, str]]:
    root = logging.getLogger()
    level = root.level
    root.addHandler(world.heard)
    root.setLevel(logging.ERROR)
    configured = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        run_virtually(loop, world.run(orders))
    except StuckError as error:
        return [("nothing_hangs", str(error))]
    except Exception:  # noqa: BLE001 - whatever it is, it is this seed's failure
        return [("the_world_goes_on", traceback.format_exc())]
    finally:
        root.removeHandler(world.heard)
        root.setLevel(level)
        structlog.configure(**configured)
    return []


def _story(world: World, order_ids: set[OrderId]) -> list[str]:
    """Requests, and what was recorded about these orders and happened to them at the exchange."""
    times = world.database.times
    for recorded in world.database.log._log:
        if order_of(recorded.stream_id) in order_ids:
            at = times[recorded.position]
            world.journal.note(at, f"recorded at {recorded.position} by {recorded.metadata.actor}: {recorded.event}")
    for at, order_id, text in world.exchange.told():
        if order_id in order_ids:
            world.journal.note(at, text)
    return world.journal.story(order_ids)
