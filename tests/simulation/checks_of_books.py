"""What must be true between our books, the exchange's and the money. Sentences say what is not."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from domain.account import Account
from domain.events import (
    FundsDeposited,
    FundsReserved,
    FundsWithdrawn,
    OrderFillCorrected,
    OrderFilled,
    ReservationChanged,
    SharesReserved,
    account_stream,
)
from domain.exits import exits_of
from domain.lifecycle import Flag
from domain.order import Order
from domain.values import ZERO, OrderId, Side, exactly, tidy
from infrastructure.exchanges.paper import orders as venue
from infrastructure.exchanges.paper.account import OPENING_CASH
from tests.simulation.evidence import Evidence

_TAKES_CASH = FundsReserved | FundsWithdrawn | ReservationChanged
_TAKES_UNITS = SharesReserved | ReservationChanged


def nothing_is_at_the_venue_twice(evidence: Evidence) -> Iterator[str]:
    """Of each order of ours one works at most, each name is used once, and there is nothing that nobody sent."""
    for order_id, orders in evidence.at_venue.items():
        working = [order.id for order in orders if order.is_open]
        if len(working) > 1:
            yield f"{working} work at the venue for order {order_id}"
        first = [order.id for order in orders if order.replaces is None]
        if len(first) > 1:
            yield f"the venue has {first}, all of them for order {order_id}"
    foreign = evidence.world.exchange.foreign
    for order in evidence.strangers:
        if order.id not in foreign:
            yield f"the venue has {order.id}, named {order.client_order_id}, which is no order of ours"


def every_fill_is_booked_once(evidence: Evidence) -> Iterator[str]:
    """Cumulative = distinct fills = the venue's, for each order, to the last digit, corrections and busts included."""
    for order_id, order in evidence.orders.items():
        events = [each.event.fill_id for each in evidence.of_order(order_id) if isinstance(each.event, OrderFilled)]
        if len(set(events)) != len(events):
            yield f"order {order_id} has {len(events)} events for {len(set(events))} fills"
        standing = [execution for execution in evidence.executions[order_id] if not execution.is_busted]
        booked = {fill.fill_id: (fill.quantity, fill.price, fill.commission) for fill in order.fills}
        for execution in standing:
            fill = order.fill_known_as(execution.id)  # type: ignore[arg-type] # the exchange's ids are plain text
            if fill is None:
                yield f"order {order_id} misses fill {execution.id}"
            elif booked.pop(fill.fill_id) != (execution.quantity, execution.price, execution.commission):
                yield f"order {order_id} has fill {fill}, the venue has {execution}"
        if booked:
            yield f"order {order_id} has fills that the venue does not have: {sorted(booked)}"
        cumulative = sum((execution.quantity for execution in standing), ZERO)
        if order.filled_quantity != cumulative:
            yield f"order {order_id} is filled {order.filled_quantity}, at the venue {cumulative}"


def money_conserves(evidence: Evidence) -> Iterator[str]:
    """Cash is what came in less what went out and what the fills cost; what is held is what open orders need."""
    paid = ZERO
    with exactly():
        for trader in evidence.world.traders:
            trader_id = trader.trader_id
            orders = evidence.orders_of[trader_id]
            moved = _cash_moved(evidence, trader_id)
            cost = sum((execution.cost for order in orders for execution in evidence.executions[order.order_id]), ZERO)
            paid += cost
            state = evidence.states.get(account_stream(trader_id))
            account = state if isinstance(state, Account) else Account()
            working = [order for order in orders if not order.is_over]
            held = sum(
                (
                    order.leaves_quantity * (order.current.reserve_price or ZERO)
                    for order in working
                    if not order.is_leg
                ),
                ZERO,
            )
            if (account.cash, account.reserved, account.open_orders) != (moved - cost, held, len(working)):
                yield (
                    f"{trader_id} has {account.cash}, of it {account.reserved} held for {account.open_orders} orders;"
                    f" it must be {moved - cost}, {held}, {len(working)}"
                )
            yield from _holdings(evidence, account, orders, working)
        for order in evidence.strangers:
            paid += order.filled_value + _commission_of(evidence, order)
        cash = evidence.world.exchange.exchange.account.cash
        if cash != OPENING_CASH - paid:
            yield f"the venue's account moved by {cash - OPENING_CASH}, our books by {-paid}"


def _cash_moved(evidence: Evidence, trader_id: str) -> Decimal:
    moved = ZERO
    for recorded in evidence.of_stream[account_stream(trader_id)]:  # type: ignore[arg-type] # a trader's id
        if isinstance(recorded.event, FundsDeposited):
            moved += recorded.event.amount
        elif isinstance(recorded.event, FundsWithdrawn):
            moved -= recorded.event.amount
    return moved


def _commission_of(evidence: Evidence, order: venue.Order) -> Decimal:
    executions = evidence.world.exchange.exchange.executions._all
    return sum((each.commission for each in executions if each.orders[0] == order.id), ZERO)


def _holdings(evidence: Evidence, account: Account, orders: list[Order], working: list[Order]) -> Iterator[str]:
    positions: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    buys, sells = positions.copy(), positions.copy()
    for order in orders:
        for execution in evidence.executions[order.order_id]:
            positions[order.terms.symbol] += execution.signed_quantity
    for order in working:
        side = buys if order.terms.side is Side.BUY else sells
        side[order.terms.symbol] += ZERO if order.is_leg else order.leaves_quantity
    for symbol, holding in account.holdings.items():
        found = (holding.quantity, holding.working_buys, holding.working_sells)
        if found != (positions[symbol], buys[symbol], sells[symbol]):
            expected = ", ".join(f"{tidy(side[symbol])}" for side in (positions, buys, sells))
            yield f"{orders[0].trader_id} holds {symbol} {', '.join(map(str, found))}; it must be {expected}"


def no_decision_spends_what_is_not_there(evidence: Evidence) -> Iterator[str]:
    """No reservation or withdrawal that a trader asked for takes cash or units that are not available. Facts may, and do.

    What facts have taken below 0, a trader's request does not take lower.
    """
    with exactly():
        for trader in evidence.world.traders:
            for recorded in evidence.of_stream[account_stream(trader.trader_id)]:
                event = recorded.event
                if not recorded.metadata.actor.startswith("trader:"):
                    continue
                before, account = evidence.accounts_at(recorded)
                if isinstance(event, _TAKES_CASH) and account.available < min(before.available, ZERO):
                    yield f"{trader.trader_id} has {account.available} left after position {recorded.position}"
                if not isinstance(event, _TAKES_UNITS):
                    continue
                units_before, units = before.holding(event.symbol).available, account.holding(event.symbol).available
                if units < min(units_before, ZERO):
                    yield f"{trader.trader_id} sells {event.symbol} that it does not have at {recorded.position}"


def nothing_hangs(evidence: Evidence) -> Iterator[str]:
    """With faults over, every order ended or works at the venue, on the same terms on both sides."""
    for order_id, order in evidence.orders.items():
        working = [each for each in evidence.at_venue[order_id] if each.is_open]
        if order.is_over and working:
            yield f"order {order_id} is {order.status} and works at the venue"
        elif not order.is_over and not working:
            yield f"order {order_id} is {order.status} {list(order.flags)} and does not work at the venue"
        elif not order.is_over and order.status.value.startswith("PENDING"):
            yield f"order {order_id} works at the venue and is {order.status} for ever"
        elif Flag.UNRESOLVED in order.flags:
            yield f"order {order_id} is {order.status} and still unresolved"
        elif working:
            here = order.current
            there = (working[-1].quantity, working[-1].limit_price, working[-1].stop_price)
            if there != (here.quantity, here.price, here.stop_price):
                yield f"order {order_id} is {here}, the venue works on {there}"


def what_is_not_ours_is_reported(evidence: Evidence) -> Iterator[str]:
    """Each order at the exchange that nobody here sent, if it works or was filled; and none of ours."""
    reported = evidence.unknown_reported()
    for order in evidence.strangers:
        if order.id not in reported and (order.is_open or order.filled_quantity):
            yield f"the venue's order {order.id} is not ours, and nobody reported it"
    for order_id, orders in evidence.at_venue.items():
        for order in orders:
            if order.id in reported:
                yield f"the venue's order {order.id} was reported as not ours; it is {order_id}"


def what_is_filled_is_protected_once(evidence: Evidence) -> Iterator[str]:
    """The exits of a fill never sell more than it bought; where there are none, the order says that it is unprotected.

    Nothing is an exit but the one or two that belong to a fill, each recorded together with it.
    """
    exits_placed: defaultdict[OrderId | None, list[OrderId]] = defaultdict(list)
    for order_id, order in evidence.orders.items():
        exits_placed[order.terms.parent_order_id].append(order_id)
    for order_id, order in evidence.orders.items():
        if order.terms.stop_loss is None and order.terms.take_profit is None:
            continue
        expected: set[OrderId] = set()
        for recorded in evidence.of_order(order_id):
            if not isinstance(recorded.event, OrderFilled | OrderFillCorrected):
                continue
            fill = recorded.event
            ids = exits_of(order_id, fill.fill_id)
            exits = [evidence.orders[each] for each in (ids.take_profit, ids.stop_loss) if each in evidence.orders]
            expected.update(each.order_id for each in exits)
            if not isinstance(fill, OrderFilled):
                continue
            if not exits and Flag.UNPROTECTED not in order.flags:
                yield f"fill {fill.fill_id} of order {order_id} has no exits, and nobody was told"
            sold = sum((each.filled_quantity for each in exits), ZERO)
            if sold > fill.quantity:
                yield f"the exits of fill {fill.fill_id} of order {order_id} sold {sold} of {fill.quantity}"
            for each in exits:
                placed = evidence.of_order(each.order_id)[0]
                if placed.recorded_at != recorded.recorded_at or placed.metadata != recorded.metadata:
                    yield f"exit {each.order_id} of order {order_id} was not recorded together with its fill"
                if each.terms.quantity != fill.quantity:
                    yield f"exit {each.order_id} of order {order_id} is for {each.terms.quantity} of {fill.quantity}"
        for exit_id in exits_placed[order_id]:
            if exit_id not in expected:
                yield f"exit {exit_id} of order {order_id} belongs to no fill"
