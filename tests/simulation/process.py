"""Processes that can be killed: at any moment, and in the middle of everything they do."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

from tests.simulation.faults import Fault, Faults
from tests.simulation.loop import Begun, VirtualLoop

_CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)


def owner_in(context: Context | None) -> "Process | None":
    """The process that code in this context belongs to."""
    return _CURRENT.get() if context is None else context.get(_CURRENT)


class Process:
    """The tasks of one program, and whether it still runs.

    A killed process reaches nothing any more: its tasks are cancelled, and whatever they still try on their way out,
    the ports that they hold end them there.

    Args:
        name: for the journal.
        number: rises with every process that is started.
        loop: where it runs.
        faults: what may go wrong.
        crash: the fault that kills processes of this kind.
        on_death: called once, when it is killed.
    """

    def __init__(
        self,
        name: str,
        number: int,
        loop: VirtualLoop,
        faults: Faults,
        *,
        crash: Fault,
        on_death: Callable[[], object],
    ) -> None:
        self.name = f"{name}-{number}"
        self.number = number
        self.is_alive = True
        self.loop = loop
        self.began_at = loop.time()
        self.died_at = float("inf")
        self._faults = faults
        self._crash = crash
        self._on_death = on_death
        self.begun = Begun()
        self._context = copy_context()
        self._context.run(_CURRENT.set, self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin work as a task of this process."""
        return self.loop.create_task(work, context=self._context.copy())

    def kill(self) -> None:
        """End it without any warning."""
        if self.is_alive:
            self.is_alive = False
            self.died_at = self.loop.time()
            for task in self.begun.left():
                task.cancel()
            self._on_death()

    def pass_out(self) -> None:
        """Go through the wall of the process, outwards or inwards; here it may be killed.

        Raises:
            CancelledError: it was, now or before.
        """
        if not self.is_alive:
            raise asyncio.CancelledError
        if self._faults.strikes(self._crash):
            self.kill()
            raise asyncio.CancelledError
