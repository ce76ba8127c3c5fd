"""What is held for an order whose trader wants other terms."""

from hypothesis import given
from hypothesis import strategies as st

from domain import desk
from domain.account import Account, evolve
from domain.commands import OrderCommand, RecordAcceptance, RecordExpiry, RecordReplaceRefusal, RecordSent
from domain.order import Order
from domain.validation import OrderValidator
from domain.values import exactly
from tests.domain.orders import dollars, fill, place, replacement, wish


@given(fills=st.integers(0, 99), quantity=st.integers(100, 300), price=st.integers(1, 40), is_granted=st.booleans())
def test_a_replacement_holds_the_larger_of_old_and_new_until_the_venue_answers(
    *, fills: int, quantity: int, price: int, is_granted: bool
) -> None:
    order: Order | None = None
    account = Account(cash=dollars(100_000))

    def carry_out(command: OrderCommand) -> None:
        nonlocal order, account
        with exactly():
            decision = desk.decide(order, account, command, OrderValidator())
            order = decision.order
            for event in decision.account_events:
                account = evolve(account, event)

    for command in (place(), RecordSent(1), RecordAcceptance("v-1"), *([fill(fills)] if fills else [])):
        carry_out(command)
    old, new = (100 - fills) * 10, (quantity - fills) * price
    assert account.reserved == old
    carry_out(wish(quantity, price))
    assert account.reserved == max(old, new)
    is_change = (quantity, price) != (100, 10)
    carry_out(
        replacement(1, quantity=quantity, price=price) if is_granted and is_change else RecordReplaceRefusal(1, "no")
    )
    assert account.reserved == (new if is_granted else old)
    carry_out(RecordExpiry("the end"))
    assert account.reserved == 0
