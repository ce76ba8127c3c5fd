"""A statement as its reader sees it: every movement with its event, to the cent, page by page."""

from base64 import urlsafe_b64encode
from decimal import Decimal

import pytest

from api.schemas import StatementView
from tests.api.clients import Client, World, pointers_of, problem_of
from tests.domain.orders import bust

PATH = "/api/v1/account/statement"


async def busy_day(alice: Client, world: World) -> tuple[str, str]:
    """Alice buys in two fills and sells some; one purchase is taken back, one sale corrected. Both order ids."""
    bought = (await alice.place(quantity="10", price="150")).json()["id"]
    await world.fill(bought, "4", "149.99")
    first = await world.fill(bought, "6", "150")
    sold = (await alice.place(quantity="3", price="155", side="SELL")).json()["id"]
    await world.fill(sold, "3", "155.01")
    await world.report(bought, bust(first, f"bust of {first}"))
    return bought, sold


async def test_every_movement_of_cash_is_told_with_its_event(alice: Client, world: World, ops: Client) -> None:
    bought, sold = await busy_day(alice, world)
    await ops.post(f"/api/v1/accounts/{alice.trader_id}/withdrawals", {"amount": "0.50"})
    response = await alice.get(PATH)
    statement = response.json()
    StatementView.model_validate_json(response.content)
    movements = statement.pop("movements")
    assert statement == {
        "trader_id": alice.trader_id,
        "currency": "USD",
        "from": None,
        "to": None,
        "opening": "0.00",
        "closing": "99864.37",
        "next_cursor": None,
    }
    assert [(each["type"], each["amount"], each["balance"], each["order_id"]) for each in movements] == [
        ("FundsDeposited", "100000.00", "100000.00", None),
        ("TradeBooked", "-600.06", "99399.94", bought),
        ("TradeBooked", "-900.10", "98499.84", bought),
        ("TradeBooked", "464.93", "98964.77", sold),
        ("TradeCorrected", "900.10", "99864.87", bought),
        ("FundsWithdrawn", "-0.50", "99864.37", None),
    ]
    events = (await alice.get(f"/api/v1/orders/{bought}/events")).json()["events"]
    assert movements[4]["description"] == "Taken back by the venue: bought 6 AAPL at 150, commission 0.10"
    assert (movements[4]["symbol"], movements[4]["fill_id"]) == ("AAPL", movements[2]["fill_id"])
    assert movements[1]["position"] > events[0]["position"]
    assert movements[-1]["balance"] == (await alice.get("/api/v1/account")).json()["cash"]


async def test_a_statement_comes_in_pages_of_which_each_adds_up(alice: Client, world: World) -> None:
    await busy_day(alice, world)
    whole = (await alice.get(PATH)).json()
    told, cursor = [], None
    closing = whole["opening"]
    while True:
        page = (await alice.get(PATH + "?limit=2" + (f"&cursor={cursor}" if cursor else ""))).json()
        assert page["opening"] == closing
        amounts = [Decimal(each["amount"]) for each in page["movements"]]
        closing = page["closing"]
        assert Decimal(page["opening"]) + sum(amounts) == Decimal(closing)
        told += page["movements"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(page["movements"]) == 2
    assert (told, closing) == (whole["movements"], whole["closing"])


async def test_spans_are_cut_at_a_time_and_agree_with_the_account_of_that_time(alice: Client, world: World) -> None:
    await busy_day(alice, world)
    whole = (await alice.get(PATH)).json()
    middle = whole["movements"][2]["timestamp"]
    first = (await alice.get(f"{PATH}?to={middle}")).json()
    second = (await alice.get(f"{PATH}?from={middle}")).json()
    assert first["movements"] + second["movements"] == whole["movements"]
    then = (await alice.get(f"/api/v1/account?as_of={middle}")).json()
    assert first["closing"] == second["opening"] == then["cash"]
    assert (second["from"], second["to"], first["to"]) == (middle, None, middle)
    nothing = (await alice.get(f"{PATH}?from={middle}&to={middle}")).json()
    assert (nothing["opening"], nothing["movements"], nothing["closing"]) == (then["cash"], [], then["cash"])


async def test_traders_see_their_own_and_auditors_and_ops_see_all(
    alice: Client, bob: Client, auditor: Client, ops: Client
) -> None:
    path = f"{PATH}?trader_id={alice.trader_id}"
    for reader in (alice, auditor, ops):
        assert (await reader.get(path)).json()["closing"] == "100000.00"
    problem_of(await bob.get(path), 404, "NOT_FOUND")
    assert (await bob.get(PATH)).json()["movements"] == []


FORGED = [urlsafe_b64encode(text.encode()).decode() for text in ("after 0 with 1", "after 1 with 1E9", "before 1")]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=yesterday", "/from"),
        ("to=2026-11-01", "/to"),
        ("from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "/to"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("trader_id=%20", "/trader_id"),
        ("from_=2026-11-02T00:00:00Z", "/from_"),
        ("cursor=nonsense", "/cursor"),
        ("cursor=%F0%9F%92%B0", "/cursor"),
        *((f"cursor={each}", "/cursor") for each in FORGED),
        (f"cursor={urlsafe_b64encode(b'after 1 with 1').decode()}.", "/cursor"),
    ],
)
async def test_a_bad_question_is_refused_with_the_field_at_fault(alice: Client, query: str, pointer: str) -> None:
    response = await alice.get(f"{PATH}?{query}")
    problem_of(response, 400, "INVALID_REQUEST")
    assert pointers_of(response) == [pointer]
