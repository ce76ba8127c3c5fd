"""What traders have before the first message: cash by deposit, and bought at the venue, the shares they will sell."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from cli.exits import CommandError
from cli.replay.plan import Need, deposit_for
from cli.replay.session import PATIENCE_SECONDS, Session, account_path
from cli.replay.tally import Tally
from domain.values import Symbol

ORDER_SHARES_MAX: Final = 5_000
"""An ordinary order: larger ones would go through the depth that a venue shows."""


class Opening:
    """Gets traders ready.

    Args:
        session: knows the traders and ``operator``, who moves cash.
        tally: what their streams say.
        symbol: what they will trade.
        reference_price: what it costs at the venue now.
        run: names this run, so that a repeated request moves nothing twice.
    """

    def __init__(
        self, session: Session, tally: Tally, symbol: Symbol, reference_price: Decimal, *, operator: str, run: str
    ) -> None:
        self._session = session
        self._tally = tally
        self._symbol = symbol
        self._reference_price = reference_price
        self._operator = operator
        self._run = run
        self.orders: list[str] = []

    async def deposit(self, needs: Mapping[str, Need]) -> Decimal:
        """Deposit what each trader needs; the sum, in dollars.

        Raises:
            CommandError: the engine refuses a deposit, or is away for too long.
        """
        total = Decimal(0)
        for trader, need in needs.items():
            amount = deposit_for(need, self._reference_price)
            path = account_path(trader, "deposits")
            answer = await self._session.post(self._operator, path, {"amount": f"{amount:f}"}, key=f"{self._run}-cash")
            if answer.problem is not None:
                raise CommandError(f"{trader} cannot be funded: {answer.problem.sentence}")
            total += amount
        return total

    async def buy(self, needs: Mapping[str, Need], bought: Callable[[int], None]) -> None:
        """Buy what each trader will sell; ``bought`` is told of every order's shares.

        Raises:
            CommandError: the venue does not fill an order, or the engine refuses it or is away for too long.
        """
        async with asyncio.TaskGroup() as group:
            for trader, need in needs.items():
                group.create_task(self._buy(trader, need.shares, bought))

    async def _buy(self, trader: str, shares: int, bought: Callable[[int], None]) -> None:
        remaining, number = Decimal(shares), 0
        while remaining > 0:
            number += 1
            quantity = min(remaining, Decimal(ORDER_SHARES_MAX))
            filled = await self._filled(trader, quantity, f"{self._run}-{trader}-opening-{number}")
            remaining -= filled
            bought(int(filled))

    async def _filled(self, trader: str, quantity: Decimal, name: str) -> Decimal:
        order = {"symbol": self._symbol, "side": "BUY", "quantity": f"{quantity:f}", "order_type": "MARKET"}
        answer = await self._session.post(trader, "/api/v1/orders", {**order, "client_order_id": name})
        if answer.problem is not None:
            raise CommandError(f"{trader} cannot buy the opening inventory: {answer.problem.sentence}")
        order_id = answer.data["id"]
        self.orders.append(order_id)
        over = await self._tally.until(lambda: self._tally.is_over(order_id), PATIENCE_SECONDS)
        self._session.check_streams()
        if not over:
            raise CommandError(
                f"Order {order_id} for the opening inventory has had no fill for {PATIENCE_SECONDS:.0f} seconds; "
                "`orderlog doctor` says whether the worker and the venue are running"
            )
        filled = self._tally.shares([order_id])
        if not filled:
            status = self._tally.statuses[order_id]
            raise CommandError(f"Order {order_id} for the opening inventory is {status} without a fill")
        return filled
