"""Positions as the API tells them, against what the definition makes of the fills that stand."""

from decimal import Decimal
from fractions import Fraction
from random import Random  # noqa: TID251 - it is seeded, and the seed is the test's name
from typing import Any

import pytest

from api.views import time_text
from domain.order import Order
from domain.values import OrderId, Side
from tests.api.clients import Client, World
from tests.domain.average_cost import Fill, Held, held_after
from tests.domain.tape import Step, Tape
from tests.domain.trader import Execution

STEPS = 30
PRICE = Fraction(150)  # of AAPL, see tests/api/clients.py


def step_of(random: Random) -> Step:
    """Few fills of few units, so that much is taken back and changed that others built on."""
    execution = Execution(
        Decimal(random.randint(1, 2000)).scaleb(-random.choice([0, 1, 9])),
        Decimal(random.randint(1, 3_000_000)).scaleb(-4),
        Decimal(random.choice(["0", "0.01", "1.5"])),
    )
    return Step(
        random.choice(list(Side)),
        random.randint(1, 6),
        random.choice([0, 0, 0, 1, 2]),
        random.random() < 0.2,
        execution,
    )


async def orders_of(world: World, ids: dict[Side, str]) -> tuple[dict[Side, Order], str]:
    """Both orders, and when the last thing happened to one of them."""
    found = {side: await world.engine.trading.order(OrderId(order_id)) for side, order_id in ids.items()}
    snapshots = {side: snapshot for side, snapshot in found.items() if snapshot}
    at = max(snapshot.updated_at for snapshot in snapshots.values() if snapshot.updated_at)
    return {side: snapshot.state for side, snapshot in snapshots.items()}, time_text(at)


def told(position: dict[str, Any]) -> tuple[Fraction, ...]:
    return tuple(Fraction(position[name]) for name in ("quantity", "cost", "realised_pnl", "commission"))


def assert_right(account: dict[str, Any], held: Held) -> None:
    """The position, and the totals that follow from it."""
    (position,) = account["positions"]
    quantity, cost, realised, commission = held.as_told
    assert told(position) == held.as_told
    average = None if position["average_price"] is None else Fraction(position["average_price"])
    assert average == (round(cost / quantity, 9) if quantity else None)
    assert Fraction(position["unrealised_pnl"]) == quantity * PRICE - cost
    cash = Fraction(100_000) + realised - cost - commission
    assert (Fraction(account["cash"]), Fraction(account["equity"])) == (cash, cash + quantity * PRICE)
    assert Fraction(account["realised_pnl"]) == realised
    assert Fraction(account["unrealised_pnl"]) == quantity * PRICE - cost
    assert Fraction(account["commission"]) == commission


@pytest.mark.parametrize("seed", range(3))
async def test_an_account_says_what_the_fills_that_stand_lead_to_whatever_was_taken_back_or_changed_when(
    alice: Client, world: World, seed: int
) -> None:
    random, tape = Random(seed), Tape()  # noqa: S311 - nothing here is secret
    opening = Fill(1, Decimal(1), Decimal(100), Decimal("0.10"))
    ids = {Side.BUY: (await alice.place(quantity="100")).json()["id"]}
    await world.fill(ids[Side.BUY], "1", "100")
    ids[Side.SELL] = (await alice.place(side="SELL")).json()["id"]
    then: list[tuple[str, Held]] = []
    orders, _ = await orders_of(world, ids)
    for _ in range(STEPS):
        step = step_of(random)
        await world.report(ids[step.side], tape.report(step, orders))
        orders, at = await orders_of(world, ids)
        then.append((at, held_after([opening, *tape.standing()])))
    await world.projected()

    assert_right((await alice.get("/api/v1/account")).json(), then[-1][1])
    (position,) = (await alice.get("/api/v1/positions")).json()["positions"]
    assert told(position) == then[-1][1].as_told
    for at, held in random.sample(then, 5):
        assert_right((await alice.get(f"/api/v1/account?as_of={at}")).json(), held)
