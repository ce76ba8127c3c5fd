"""Sends a plan: in the order of the file, many requests at a time, those about one order of the file in turn."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from cli.replay.lobster import Message
from cli.replay.plan import Order, Step
from cli.replay.session import CONCURRENCY, Session


@dataclass(slots=True)
class Sent:
    """What was sent and what the engine answered.

    ``may_rest`` has every order that was placed and whether it may rest in the book. Times are seconds of
    ``perf_counter``, latencies seconds.
    """

    may_rest: dict[str, bool] = field(default_factory=dict)
    accepted_at: dict[str, float] = field(default_factory=dict)
    accept_seconds: list[float] = field(default_factory=list)
    cancels: int = 0
    without_order: int = 0
    refusals: Counter[str] = field(default_factory=Counter)


class Sender:
    """Sends the steps of a plan.

    Args:
        session: knows the traders.
        run: names this run, so that a repeated request places nothing twice.
        speed: how many times faster than it happened; 0: as fast as possible.
        advanced: called after each step.
    """

    def __init__(self, session: Session, run: str, speed: float, advanced: Callable[[], None]) -> None:
        self.sent = Sent()
        self._session = session
        self._run = run
        self._speed = speed
        self._advanced = advanced
        self._order_ids: dict[str, str] = {}
        self._last: dict[str, asyncio.Task[None]] = {}

    async def send(self, steps: Sequence[Step]) -> Sent:
        """Send everything, and return when everything is answered.

        Raises:
            CommandError: the engine is away for too long.
        """
        gate = asyncio.Semaphore(CONCURRENCY)
        began = monotonic()
        async with asyncio.TaskGroup() as group:
            for step in steps:
                await self._until_due(began, steps[0].message, step.message)
                # The gate opens in the order of the file, so whoever waits for a step before it never waits in vain.
                await gate.acquire()
                before = self._last.get(step.chain)
                task = group.create_task(self._in_turn(step, before))
                self._last[step.chain] = task
                task.add_done_callback(lambda _, step=step: self._done(step, gate))  # type: ignore[misc]
        return self.sent

    async def _until_due(self, began: float, first: Message, message: Message) -> None:
        if self._speed:
            due = began + float(message.seconds - first.seconds) / self._speed
            await asyncio.sleep(max(0.0, due - monotonic()))

    async def _in_turn(self, step: Step, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        if step.order is not None:
            await self._place(step, step.order)
        else:
            await self._cancel(step)

    def _done(self, step: Step, gate: asyncio.Semaphore) -> None:
        gate.release()
        last = self._last.get(step.chain)
        if last is not None and last.done():
            del self._last[step.chain]
        self._advanced()

    async def _place(self, step: Step, order: Order) -> None:
        body: Mapping[str, str | None] = {
            "symbol": order.symbol,
            "side": order.side.value,
            "quantity": str(order.quantity),
            "order_type": order.order_type.value,
            "price": f"{order.price:f}" if order.price is not None else None,
            "time_in_force": order.time_in_force.value,
            "client_order_id": f"{self._run}-{step.message.line}",
        }
        given = {name: value for name, value in body.items() if value is not None}
        answer = await self._session.post(step.trader, "/api/v1/orders", given)
        self.sent.accept_seconds.append(answer.seconds)
        if answer.problem is not None:
            self.sent.refusals[answer.problem.code] += 1
            return
        order_id = answer.data["id"]
        self.sent.may_rest[order_id] = order.may_rest
        self.sent.accepted_at[order_id] = answer.at
        if order.may_rest:
            self._order_ids[step.message.order_id] = order_id

    async def _cancel(self, step: Step) -> None:
        order_id = self._order_ids.get(step.message.order_id)
        if order_id is None:  # it was refused when it was placed
            self.sent.without_order += 1
            return
        answer = await self._session.post(step.trader, f"/api/v1/orders/{order_id}/cancel")
        self.sent.cancels += 1
        if answer.problem is not None:
            self.sent.refusals[answer.problem.code] += 1
