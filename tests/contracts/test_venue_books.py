"""What every venue adapter promises of the venue's own books: what works, what was executed, and what became of that."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from application.venue import Venue, VenueReplacement, VenueReport, VenueTerms
from domain.values import Price, Quantity, Side
from tests.contracts.venues import RESTING, Control, NewOrder, about, fills, listening, sought, statuses, streamed

SECOND = timedelta(seconds=1)


async def test_what_works_is_listed_and_what_is_over_is_not(venue: Venue, new_order: NewOrder) -> None:
    resting, ended, done = new_order(**RESTING), new_order(**RESTING), new_order()
    [accepted] = await venue.submit(resting)
    [cancelled] = await venue.submit(ended)
    await venue.submit(done)
    await venue.cancel(cancelled.venue_order_id)
    [listed] = [one for one in await venue.working_orders() if one.venue_order_id == accepted.venue_order_id]
    assert (listed.client_order_id, listed.symbol, listed.side) == (resting.client_order_id, "AAPL", Side.BUY)
    assert listed.terms == VenueTerms(Quantity(Decimal(1)), Price(Decimal("1.5")), None)
    assert listed.filled_quantity == 0
    assert listed.submitted_at.utcoffset() is not None
    names = {one.client_order_id for one in await venue.working_orders()}
    assert names.isdisjoint({ended.client_order_id, done.client_order_id})


async def test_a_replacement_works_under_the_name_of_its_order(venue: Venue, new_order: NewOrder) -> None:
    order = new_order(**RESTING)
    [accepted] = await venue.submit(order)
    *_, replaced = await venue.replace(
        VenueReplacement(
            client_order_id=order.client_order_id,
            number=1,
            venue_order_id=accepted.venue_order_id,
            quantity=Quantity(Decimal(2)),
            price=None,
            stop_price=None,
        )
    )
    [listed] = [one for one in await venue.working_orders() if one.client_order_id == order.client_order_id]
    assert (listed.venue_order_id, listed.terms) == (replaced.venue_order_id, replaced.terms)


async def test_hundreds_of_working_orders_are_listed_each_once(venue: Venue, new_order: NewOrder) -> None:
    placed = {(await venue.submit(new_order(**RESTING)))[0].venue_order_id for _ in range(501)}
    listed = [one.venue_order_id for one in await venue.working_orders()]
    assert placed <= set(listed)
    assert len(set(listed)) == len(listed)


async def test_executions_are_listed_with_the_venues_ids_of_their_orders(venue: Venue, new_order: NewOrder) -> None:
    first, second = new_order(quantity=Quantity(Decimal(1500))), new_order()
    before = [await venue.submit(order) for order in (first, second)]
    known = [fills(await venue.find(sought(order))) for order in (first, second)]
    listed = await venue.executions(known[0][0].executed_at - SECOND)
    for [accepted, *_], expected in zip(before, known, strict=True):
        mine = [one for one in listed if one.venue_order_id == accepted.venue_order_id]
        assert fills(mine) == expected
        assert {(one.client_order_id, one.status) for one in mine} == {("", "filled")}
    assert await venue.executions(known[1][-1].executed_at + 3 * SECOND) == []


async def test_a_bust_is_told_by_stream_by_query_and_in_the_list(
    venue: Venue, control: Control, new_order: NewOrder
) -> None:
    order = new_order(quantity=Quantity(Decimal(1500)))
    async with listening(venue) as said:
        accepted, *_ = await venue.submit(order)
        first, second = fills(await venue.find(sought(order)))[:2]
        await control("POST", "busts", {"execution_id": second.fill_id})
        by_stream = _of("busted", await streamed(said, accepted.venue_order_id, "busted"))
    reports = await venue.find(sought(order))
    listed = _of("busted", await venue.executions(first.executed_at - SECOND))
    for [bust] in (by_stream, _of("busted", reports), listed):
        assert (bust.busted_fill_id, bust.venue_order_id) == (second.fill_id, accepted.venue_order_id)
        assert bust.fill is None
    assert about(order, by_stream) == by_stream
    assert statuses(reports).index("busted") > statuses(reports).index("filled")


async def test_a_correction_is_told_by_stream_by_query_and_in_the_list(
    venue: Venue, control: Control, new_order: NewOrder
) -> None:
    order = new_order(quantity=Quantity(Decimal(3)))
    async with listening(venue) as said:
        accepted, *_ = await venue.submit(order)
        [fill] = fills(await venue.find(sought(order)))
        await control("POST", "corrections", {"execution_id": fill.fill_id, "price": "189.5"})
        by_stream = _of("corrected", await streamed(said, accepted.venue_order_id, "corrected"))
    by_query = _of("corrected", await venue.find(sought(order)))
    listed = _of("corrected", await venue.executions(fill.executed_at - SECOND))
    assert [one.fill for one in by_stream] == [one.fill for one in by_query] == [one.fill for one in listed]
    [correction] = by_query
    assert correction.busted_fill_id == fill.fill_id
    assert correction.fill is not None
    assert correction.fill.fill_id != fill.fill_id
    assert (correction.fill.quantity, correction.fill.price) == (fill.quantity, Decimal("189.5"))


def _of(status: str, reports: Sequence[VenueReport]) -> list[VenueReport]:
    return [report for report in reports if report.status == status]
