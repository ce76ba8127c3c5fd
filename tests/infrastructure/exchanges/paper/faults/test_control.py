"""The switches of the operator, on a server that really listens."""

from typing import Any

import httpx2
import pytest

from infrastructure.exchanges.paper.requests import BODY_SIZE_MAX
from tests.infrastructure.exchanges.paper.conftest import client_of
from tests.venue_server import VenueAddress

DROP = {"on": "submit", "fault": "drop_before_accept", "times": 1}
REFUSE = {"on": "cancel", "fault": "refuse", "message": "no"}


def test_rules_are_put_shown_and_taken_away(shared_venue: VenueAddress) -> None:
    with client_of(shared_venue, headers={}) as operator:
        assert operator.get("/control/faults").json() == []
        told = [DROP | {"fired": 0}, REFUSE | {"fired": 0}]
        for response in (operator.put("/control/faults", json=[DROP, REFUSE]), operator.get("/control/faults")):
            assert (response.status_code, response.json()) == (200, told)
        assert operator.put("/control/faults", json=[REFUSE]).json() == told[1:]
        assert operator.delete("/control/faults").status_code == 204
        assert operator.get("/control/faults").json() == []


def test_every_rule_says_how_often_it_has_fired(http: httpx2.Client) -> None:
    http.put("/control/faults", json=[DROP, REFUSE])
    for _ in range(2):
        assert http.delete("/v2/orders/none").status_code == 422
    assert [rule["fired"] for rule in http.get("/control/faults").json()] == [0, 2]
    assert [rule["fired"] for rule in http.put("/control/faults", json=[DROP, REFUSE]).json()] == [0, 0]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([REFUSE, {"on": "cancel"}], "rule 2: Object missing required field `fault`"),
        ({}, "faults are a JSON list of rules: Expected `array`, got `object`"),
    ],
)
def test_bad_rules_are_refused_and_those_there_were_stay(http: httpx2.Client, rules: Any, message: str) -> None:
    http.put("/control/faults", json=[REFUSE])
    response = http.put("/control/faults", json=rules)
    assert (response.status_code, response.json()) == (422, {"code": 40010001, "message": message})
    assert http.get("/control/faults").json() == [REFUSE | {"fired": 0}]


def test_a_body_larger_than_any_list_of_rules_is_refused(http: httpx2.Client) -> None:
    assert http.put("/control/faults", content=b"[" + b" " * BODY_SIZE_MAX).status_code == 413


def test_no_rule_keeps_the_operator_out(http: httpx2.Client) -> None:
    http.put("/control/faults", json=[{"on": "any", "fault": "drop_before_accept"}])
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.put("/control/prices/MSFT", json={"price": "420.00"}).status_code == 200
    assert http.delete("/control/faults").status_code == 204
