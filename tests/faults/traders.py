"""Traders who never stop, and who never take silence for an answer: what had none is sent again under the same key."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from random import Random  # noqa: TID251 - it is seeded, and the seed is printed
from typing import Any

import httpx2

from tests.plain_http import PLAIN

_SYMBOLS = {"AAPL": ("50.00", "230.00"), "MSFT": ("100.00", "500.00"), "SPY": ("200.00", "700.00")}
"""What is traded, with a price far below the house's quotes and one far above."""

MOVING = "TSLA"
"""The symbol whose price moves between 238 and 262."""

_SERVER_TROUBLE = 500
_SLOW_DOWN = 429
_REFUSED = 400
_SECONDS_MAX = 3.0
_PAUSE_SECONDS = 0.1
_RESTING_MAX = 20

Terms = Mapping[str, str]


@dataclass
class Tally:
    """What was asked for, and what was answered.

    Attributes:
        accepted: the order that each key became.
        refused: the code that each key was refused with.
        unanswered: keys that have no answer yet.
        sent_again: how many requests were sent once more because they had no answer.
        replayed: how many of those were told that the order was there already.
        problems: answers that contradict each other.
    """

    accepted: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    sent_again: int = 0
    replayed: int = 0
    problems: list[str] = field(default_factory=list)


class Trader:
    """One trader with a few orders at a time.

    Args:
        trader_id: who it is.
        url: of the API.
        token: of the trader.
        seed: decides what is done when.
    """

    def __init__(self, trader_id: str, url: str, token: str, seed: str) -> None:
        self.trader_id = trader_id
        self.tally = Tally()
        self._client = httpx2.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, **PLAIN, timeout=_SECONDS_MAX
        )
        self._random = Random(seed)  # noqa: S311 - nothing here is secret
        self._wants = asyncio.Event()
        self._busy = 0
        self._number = 0
        self._resting: list[tuple[str, Terms]] = []
        # How often each of these is done. Whatever else an order can become belongs here.
        self._actions: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (5, self._buy_at_the_market),
            (3, self._sell_at_the_market),
            (4, self._rest),
            (2, self._take_at_once),
            (1, self._stop),
            (2, self._rest_near_the_market),
            (3, self._buy_with_exits),
            (3, self._replace),
            (4, self._cancel),
        ]

    def go_on(self) -> None:
        self._wants.set()

    def pause(self) -> None:
        """Begin nothing new; what has no answer yet is still asked for."""
        self._wants.clear()

    @property
    def is_quiet(self) -> bool:
        """Nothing is under way and everything has its answer."""
        return not self._busy and not self.tally.unanswered

    async def trade(self, hands: int) -> None:
        """Trade with so many hands until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(hands):
                    group.create_task(self._act_on())
        finally:
            await self._client.aclose()

    async def account(self) -> dict[str, Any]:
        """What the API says the trader has."""
        answer = await self._client.get("/api/v1/account")
        account: dict[str, Any] = answer.raise_for_status().json()
        return account

    async def _act_on(self) -> None:
        weights, actions = zip(*self._actions, strict=True)
        while True:
            await self._wants.wait()
            self._busy += 1
            (action,) = self._random.choices(actions, weights)
            await action()
            self._busy -= 1
            await asyncio.sleep(self._random.uniform(0, 2 * _PAUSE_SECONDS))

    async def _buy_at_the_market(self) -> None:
        await self._place({"side": "BUY", "order_type": "MARKET", "quantity": str(self._random.randint(1, 20))})

    async def _sell_at_the_market(self) -> None:
        await self._place({"side": "SELL", "order_type": "MARKET", "quantity": str(self._random.randint(1, 10))})

    async def _rest(self) -> None:
        symbol = self._random.choice(list(_SYMBOLS))
        low, high = _SYMBOLS[symbol]
        side, price = self._random.choice([("BUY", low), ("BUY", low), ("SELL", high)])
        await self._leave({"symbol": symbol, "side": side, "order_type": "LIMIT", "price": price})

    async def _rest_near_the_market(self) -> None:
        """In the symbol whose price moves: it is filled when the price comes."""
        price = self._random.choice(["245.00", "249.50"])
        await self._leave({"symbol": MOVING, "side": "BUY", "order_type": "LIMIT", "price": price})

    async def _stop(self) -> None:
        symbol = self._random.choice(list(_SYMBOLS))
        await self._leave({"symbol": symbol, "side": "BUY", "order_type": "STOP", "stop_price": _SYMBOLS[symbol][1]})

    async def _leave(self, terms: Terms) -> None:
        """Leave an order at the venue, to come back to it later."""
        terms = {
            "quantity": str(self._random.randint(2, 6)),
            "time_in_force": self._random.choice(["DAY", "GTC"]),
            **terms,
        }
        order_id = await self._place(terms)
        if order_id is not None:
            self._resting.append((order_id, terms))
        if len(self._resting) > _RESTING_MAX:
            await self._cancel()

    async def _buy_with_exits(self) -> None:
        """A bracket in the symbol whose price moves: one exit or the other is filled when the price comes."""
        await self._place(
            {
                "symbol": MOVING,
                "side": "BUY",
                "order_type": "MARKET",
                "quantity": str(self._random.randint(1, 9)),
                "stop_loss": "240.00",
                "take_profit": "260.00",
            }
        )

    async def _take_at_once(self) -> None:
        """Immediate or cancel, fill or kill: some can be had, some cannot, some in part."""
        symbol = self._random.choice(list(_SYMBOLS))
        price = self._random.choice(_SYMBOLS[symbol])
        await self._place(
            {
                "symbol": symbol,
                "side": "BUY",
                "order_type": "LIMIT",
                "price": price,
                "quantity": self._random.choice(["3", "7", "16000"]),
                "time_in_force": self._random.choice(["IOC", "FOK"]),
            }
        )

    async def _cancel(self) -> None:
        """Take one back; without an answer the trader looks at what became of it, and does not ask again."""
        if self._resting:
            order_id, _ = self._resting.pop(self._random.randrange(len(self._resting)))
            await self._answered(f"/api/v1/orders/{order_id}/cancel", None, {})

    async def _replace(self) -> None:
        """Want other terms, once or several times at once."""
        if not self._resting:
            return
        order_id, terms = self._random.choice(self._resting)
        name = "price" if "price" in terms else "stop_price"
        for _ in range(self._random.choice([1, 1, 2])):
            wish = {
                "quantity": str(self._random.randint(2, 9)),
                name: f"{int(terms[name].partition('.')[0]) + self._random.choice([-1, 1])}.00",
            }
            await self._answered(f"/api/v1/orders/{order_id}/replace", wish, {})

    async def _place(self, terms: Terms) -> str | None:
        """Place an order, again and again until there is an answer; its id if it was taken."""
        self._number += 1
        key = f"{self.trader_id}-{self._number}"
        body = {"symbol": self._random.choice(list(_SYMBOLS)), **terms}
        # Either of the two names makes sure that it is one order.
        headers = {"Idempotency-Key": key} if self._number % 2 else {}
        if not headers:
            body["client_order_id"] = key
        self.tally.unanswered.add(key)
        answer = await self._answered("/api/v1/orders", body, headers)
        while answer is None:
            self.tally.sent_again += 1
            answer = await self._answered("/api/v1/orders", body, headers)
            if answer is not None and answer.headers.get("Idempotent-Replayed") == "true":
                self.tally.replayed += 1
        self.tally.unanswered.discard(key)
        if answer.status_code >= _REFUSED:
            self.tally.refused[key] = answer.json()["code"]
            return None
        order_id = str(answer.json()["id"])
        self.tally.accepted[key] = order_id
        return order_id

    async def _answered(self, path: str, body: Terms | None, headers: Terms) -> httpx2.Response | None:
        """An answer that says something; None where there was none, or one that proves nothing."""
        try:
            answer = await self._client.post(path, json=body, headers=headers)
        except httpx2.TransportError:
            answer = None
        if answer is None or answer.status_code >= _SERVER_TROUBLE or answer.status_code == _SLOW_DOWN:
            await asyncio.sleep(_PAUSE_SECONDS)
            return None
        return answer
