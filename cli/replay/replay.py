"""A replay from beginning to end: traders are funded, hold what they will sell, send the plan, and the dust settles."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from time import perf_counter

from cli.exits import CommandError
from cli.progress import progress
from cli.replay.lobster import Message
from cli.replay.opening import Opening
from cli.replay.plan import Plan, Planner, opening_price
from cli.replay.sending import Sender, Sent
from cli.replay.session import Session
from cli.replay.tally import Tally
from domain.values import ZERO, Symbol

SETTLE_SECONDS = 10.0
"""How long nothing must be heard before orders that have not settled are given up on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to replay: ``speed`` times faster than it happened, 0 for as fast as possible.

    ``tokens`` are the traders' by trader id, ``operator`` is the one of them who may move cash and does not trade;
    ``run`` is a name that no run before had.
    """

    messages: list[Message]
    symbol: Symbol
    speed: float
    rebase: bool
    tokens: Mapping[str, str]
    operator: str
    run: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did. ``seconds`` is the time from the first message to the last answer."""

    plan: Plan
    shift: Decimal
    reference_price: Decimal
    deposited: Decimal
    opening_shares: int
    sent: Sent
    tally: Tally
    unsettled: int
    retries: int
    seconds: float


async def replay(url: str, wanted: Wanted) -> Replayed:
    """Replay the messages on the engine at the URL.

    Raises:
        CommandError: the engine does not trade the symbol, refuses what has to work, or is away for too long.
    """
    traders = [trader for trader in wanted.tokens if trader != wanted.operator]
    tally = Tally()
    async with Session(url, wanted.tokens, tally) as session:
        reference_price = await _reference_price(session, traders[0], wanted.symbol)
        opened_at = opening_price(wanted.messages)
        shift = reference_price - opened_at if wanted.rebase and opened_at is not None else ZERO
        plan = Planner(wanted.symbol, traders, shift, reference_price).plan(wanted.messages)
        for trader in plan.needs:
            await session.watch(trader)
        opening = Opening(session, tally, wanted.symbol, reference_price, operator=wanted.operator, run=wanted.run)
        deposited = await opening.deposit(plan.needs)
        shares = sum(need.shares for need in plan.needs.values())
        with _plainly(), progress("Buying the opening inventory, shares", shares) as bought:
            await opening.buy(plan.needs, bought)
        began = perf_counter()
        with _plainly(), progress("Sending messages", len(plan.steps)) as advanced:
            sent = await Sender(session, wanted.run, wanted.speed, lambda: advanced(1)).send(plan.steps)
        seconds = perf_counter() - began
        unsettled = await _settled(session, tally, sent)
    return Replayed(plan, shift, reference_price, deposited, shares, sent, tally, unsettled, session.retries, seconds)


async def _reference_price(session: Session, trader: str, symbol: Symbol) -> Decimal:
    page = await session.get(trader, "/api/v1/instruments")
    for instrument in page["instruments"]:
        if instrument["symbol"] == symbol and instrument["tradable"]:
            if instrument["reference_price"] is None:
                raise CommandError(f"The venue has no price for {symbol} at the moment")
            return Decimal(instrument["reference_price"])
    raise CommandError(f"The venue does not trade {symbol}; `--symbol` chooses another one")


async def _settled(session: Session, tally: Tally, sent: Sent) -> int:
    """Wait until nothing more is to be expected of any order by itself; how many orders that did not come true for."""
    pending = dict(sent.may_rest)

    def settle() -> bool:
        for order_id in [order_id for order_id, rests in pending.items() if tally.is_settled(order_id, may_rest=rests)]:
            del pending[order_id]
        return not pending

    await tally.until(settle, SETTLE_SECONDS)
    session.check_streams()
    return len(pending)


@contextmanager
def _plainly() -> Iterator[None]:
    """Task groups wrap what goes wrong; the first thing that did is what a person wants to read."""
    try:
        yield
    # Raised in an `except*` it would come out of early versions of Python 3.11 in a group.
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
