"""Changes that are made only to the order that the client has seen."""

import asyncio
from collections import Counter

import pytest
from httpx2 import Response

from api.openapi import document_of
from api.routes import ENDPOINTS
from tests.api.clients import Client, World, problem_of

CHANGES = ("cancel", "replace")


async def change(alice: Client, name: str, order_id: str, condition: str | bytes) -> Response:
    headers = {"If-Match": condition}
    if name == "replace":
        return await alice.replace(order_id, headers, price="90")  # type: ignore[arg-type] # bytes go out as they are
    return await alice.post(f"/api/v1/orders/{order_id}/cancel", headers=headers)


@pytest.mark.parametrize("name", CHANGES)
async def test_an_order_is_changed_with_the_etag_it_came_with_and_not_with_an_older_one(
    alice: Client, world: World, name: str
) -> None:
    placed = await alice.place()
    order_id = placed.json()["id"]
    await world.accept(order_id)
    problem = problem_of(await change(alice, name, order_id, placed.headers["etag"]), 412, "PRECONDITION_FAILED")
    assert problem["detail"] == "The order has changed: it is at version 2, which is none that If-Match names"
    seen = await alice.get(f"/api/v1/orders/{order_id}")
    assert (seen.json()["status"], seen.json()["version"]) == ("ACCEPTED", 2)
    assert (await change(alice, name, order_id, seen.headers["etag"])).status_code == 200


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "condition", ["*", " * ", '"7", "1"', '"1","7"', 'W/"1", "1"', '"x,", "1"', 'rubbish, "1"', '\t"1"  ,, "2"']
)
async def test_any_version_and_several_versions_can_be_named(alice: Client, name: str, condition: str) -> None:
    order_id = (await alice.place()).json()["id"]
    assert (await change(alice, name, order_id, condition)).status_code == 200


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize(
    "condition",
    [
        'W/"1"',
        'w/"1"',
        'W/"1", W/"1"',
        '"2"',
        "1",
        "'1'",
        '"01"',
        '"+1"',
        '"1.0"',
        '" 1"',
        'x"1"',
        '"1"x',
        '"1" "2"',
        '"a"1"b"',
        '"1',
        '"' + "1" * 5000 + '"',
        "",
        ",",
        '"*"',
        "**",
        b"\xff",
        '"\xb9"',
    ],
)
async def test_what_names_no_version_matches_none(alice: Client, name: str, condition: str | bytes) -> None:
    order_id = (await alice.place()).json()["id"]
    condition = condition.encode("latin-1") if isinstance(condition, str) else condition
    problem_of(await change(alice, name, order_id, condition), 412, "PRECONDITION_FAILED")
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["version"] == 1


async def test_whether_it_is_the_order_that_was_meant_comes_before_whether_it_can_be_changed(alice: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    await alice.post(f"/api/v1/orders/{order_id}/cancel")
    for name, code in (("cancel", "ORDER_NOT_CANCELLABLE"), ("replace", "ORDER_NOT_REPLACEABLE")):
        problem_of(await change(alice, name, order_id, '"1"'), 412, "PRECONDITION_FAILED")
        problem_of(await change(alice, name, order_id, '"2"'), 400, code)


async def test_of_changes_that_are_made_at_once_to_one_version_one_happens(alice: Client) -> None:
    order_id = (await alice.place()).json()["id"]
    answers = await asyncio.gather(
        *(alice.replace(order_id, {"If-Match": '"1"'}, price=f"{90 + number}") for number in range(8))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: 7}
    assert (await alice.get(f"/api/v1/orders/{order_id}")).json()["version"] == 2


def test_the_document_says_which_changes_take_the_header() -> None:
    taking = {
        path
        for path, item in document_of(ENDPOINTS)["paths"].items()
        for operation in item.values()
        if any(parameter["name"] == "If-Match" for parameter in operation["parameters"])
    }
    assert taking == {f"/api/v1/orders/{{order_id}}/{name}" for name in CHANGES}
