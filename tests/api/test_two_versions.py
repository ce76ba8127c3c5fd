"""An API process that is older than what is recorded: it says so, and sends everybody to a newer one."""

import logging

import pytest

from api.streams import GOING_AWAY
from tests.api.clients import Client, World, problem_of
from tests.api.serving import Served, closed, receive
from tests.infrastructure.samples import ALICE
from tests.infrastructure.versions import AUDITED, newer_store, record


async def test_a_process_that_does_not_know_an_event_sends_everybody_to_a_newer_one(
    world: World, bob: Client, auditor: Client, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    alice = world.client(ALICE)
    await world.fund(alice, "1000")
    await world.fund(bob, "1000")
    assert (await world.http.get("/readyz")).status_code == 200
    async with (
        newer_store(str(world.engine.settings.database_url)) as newer,
        served.socket(f"?token={alice.token}") as socket,
        served.socket(f"?token={bob.token}") as other_socket,
    ):
        placed = (await alice.place()).json()
        (submitted,) = await receive(socket, 1)
        assert submitted["position"] == placed["position"]
        version = (await world.engine.trading.account(ALICE)).version
        position = await record(newer, AUDITED, version=version)
        # What cannot be told is not passed over: every stream ends, and goes on elsewhere from where it was.
        for each in (socket, other_socket):
            assert await closed(each) == GOING_AWAY
        assert f"the streams of this process end: AccountAudited at position {position}" in caplog.text
        assert (await world.http.get("/readyz")).status_code == 503

        # Of whom it knows nothing certain, it decides nothing; of others it does.
        refused = await alice.place()
        problem_of(refused, 503, "EVENT_UNREADABLE")
        assert refused.headers["retry-after"] == "1"
        assert (await bob.place()).status_code == 201
        assert (await alice.get(f"/api/v1/orders/{placed['id']}")).status_code == 200

        # An auditor sees what is stored, known or not.
        event = (await auditor.get(f"/api/v1/events?after={position - 1}&limit=1")).json()["events"][0]
        assert (event["type"], event["data"]) == ("AccountAudited", {"by": "carol"})
        assert "AccountAudited" in caplog.text
