"""Too many requests: of a trader, from an address, with tokens that are no good."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.types import Scope

from api.addresses import address_of, is_https
from api.asgi import build_app
from infrastructure.composition import Engine
from infrastructure.edge_settings import EdgeSettings
from tests.api.clients import Client, problem_of
from tests.api.serving import closed, serving


@asynccontextmanager
async def api_of(engine: Engine, peer: str = "203.0.113.7", **settings: Any) -> AsyncIterator[AsyncClient]:
    """The application with other settings, as a client with this address sees it."""
    app = build_app(lambda: nullcontext(engine), edge=edge_of(**settings))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app, client=(peer, 1234)), base_url="http://orderlog.test") as http,
    ):
        yield http


def edge_of(**settings: Any) -> EdgeSettings:
    return EdgeSettings.model_validate({f"ORDERLOG_{name}": value for name, value in settings.items()})


async def test_answers_say_how_much_is_left(engine: Engine, alice: Client) -> None:
    async with api_of(engine, TRADER_REQUESTS_PER_SECOND=1000) as http:
        mine = Client(http, alice.trader_id, ["trader"])
        for left in (4999, 4998):
            response = await mine.get("/api/v1/account")
            assert response.headers["ratelimit-policy"] == '"trader";q=5000;w=5'
            assert response.headers["ratelimit"] == f'"trader";r={left};t=1'
        refused = await mine.place(quantity="0")  # also where an order is refused
        assert (refused.status_code, refused.headers["ratelimit"]) == (400, '"trader";r=4997;t=1')
        public = await http.get("/api/v1/health/orders")
        assert public.headers["ratelimit-policy"] == '"address";q=250000;w=5'


async def test_a_trader_who_asks_too_often_is_told_when_to_come_back_and_others_go_on(
    engine: Engine, alice: Client, bob: Client
) -> None:
    async with api_of(engine, TRADER_REQUESTS_PER_SECOND=1) as http:
        mine = Client(http, alice.trader_id, ["trader"])
        answers = [await mine.get("/api/v1/account") for _ in range(8)]
        assert {answer.status_code for answer in answers[:5]} == {200}
        problem = problem_of(answers[-1], 429, "RATE_LIMITED")
        assert problem["detail"] == "Too many requests of this trader: 5 in 5 s; try again in 1 s"
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].headers["ratelimit-policy"] == '"trader";q=5;w=5'
        assert answers[-1].headers["ratelimit"] == '"trader";r=0;t=1'
        assert (await Client(http, bob.trader_id, ["trader"]).get("/api/v1/account")).status_code == 200


async def test_an_address_that_asks_too_often_is_refused_whoever_asks(engine: Engine, alice: Client) -> None:
    async with api_of(engine, ADDRESS_REQUESTS_PER_SECOND=1) as http:
        for number in range(5):
            await Client(http, f"trader-{number}", ["trader"]).get("/api/v1/account")
        problem = problem_of(
            await Client(http, alice.trader_id, ["trader"]).get("/api/v1/account"), 429, "RATE_LIMITED"
        )
        assert problem["detail"].startswith("Too many requests from this address: 5 in 5 s")
        problem_of(await http.get("/api/v1/health/orders"), 429, "RATE_LIMITED")
        # Whoever restarts what does not live must not be refused.
        assert [(await http.get(path)).status_code for path in ("/livez", "/readyz")] == [200, 200]


async def test_failed_logins_are_counted_by_address_and_who_is_known_goes_on(engine: Engine, alice: Client) -> None:
    async with api_of(engine, FAILED_LOGINS_PER_SECOND=1) as http:
        mine = Client(http, alice.trader_id, ["trader"])
        assert (await mine.get("/api/v1/account")).status_code == 200
        for number in range(5):
            headers = {"Authorization": f"Bearer forged-{number}"} if number else {}
            problem_of(await http.get("/api/v1/account", headers=headers), 401, "UNAUTHENTICATED")
        response = await http.get("/api/v1/account")
        problem = problem_of(response, 429, "RATE_LIMITED")
        assert problem["detail"].startswith(
            "Too many attempts with tokens or tickets that are not good, from this address"
        )
        assert response.headers["ratelimit-policy"] == '"failed-logins";q=5;w=5'
        # Nothing is verified any more that comes from there, but what was verified before is remembered.
        problem_of(await http.get("/api/v1/orders/stream?ticket=forged"), 429, "RATE_LIMITED")
        unknown = Client(http, "somebody-else", ["trader"])
        problem_of(await unknown.get("/api/v1/account"), 429, "RATE_LIMITED")
        assert (await mine.get("/api/v1/account")).status_code == 200


async def test_tickets_that_are_no_good_are_failed_logins(engine: Engine) -> None:
    async with api_of(engine, FAILED_LOGINS_PER_SECOND=1) as http:
        for number in range(5):
            problem_of(await http.get(f"/api/v1/orders/stream?ticket=t-{number}"), 401, "UNAUTHENTICATED")
        problem_of(await http.get("/api/v1/orders/stream?ticket=t"), 429, "RATE_LIMITED")


async def test_a_socket_of_a_trader_who_asks_too_often_closes_with_4429(engine: Engine, alice: Client) -> None:
    app = build_app(lambda: nullcontext(engine), edge=edge_of(TRADER_REQUESTS_PER_SECOND=1))
    async with serving(app) as served:
        for _ in range(5):
            async with served.socket(f"?token={alice.token}"):
                pass
        async with served.socket(f"?token={alice.token}") as refused:
            code, reason = await closed(refused)
        assert (code, reason.partition(":")[0]) == (4429, "Too many requests of this trader")


# ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────

PROXIES = "10.0.0.0/8,192.0.2.1,2001:db8:1::/48"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.7", [], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),  # anybody can write that
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1", "192.0.2.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ["[2001:db8:2::1]:4711"], "2001:db8:2::/64"),
        ("2001:db8:1::1", ["2001:db8:2:0:1:2:3:4"], "2001:db8:2::/64"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("::ffff:203.0.113.7", [], "203.0.113.7"),
        ("2001:db8:2::abcd", [], "2001:db8:2::/64"),
        ("a socket in a file", ["198.51.100.1"], "a socket in a file"),
    ],
)
def test_an_address_is_what_the_last_proxy_of_ours_says_it_is(peer: str, forwarded: list[str], address: str) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in forwarded]
    scope: Scope = {"client": (peer, 1), "headers": headers}
    assert address_of(scope, edge_of(TRUSTED_PROXIES=PROXIES).trusted_proxies) == address


def test_without_trusted_proxies_nobody_s_word_is_taken() -> None:
    headers = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", b"https")]
    scope: Scope = {"client": ("127.0.0.1", 1), "headers": headers, "scheme": "http"}
    assert address_of(scope, ()) == "127.0.0.1"
    assert not is_https(scope, ())
    assert address_of({"client": None, "headers": headers}, ()) == ""
    assert is_https(scope | {"scheme": "https"}, ())


async def test_addresses_behind_a_proxy_have_quotas_of_their_own(engine: Engine) -> None:
    settings = {"ADDRESS_REQUESTS_PER_SECOND": 1, "TRUSTED_PROXIES": "10.0.0.1"}
    async with api_of(engine, "10.0.0.1", **settings) as http:
        for number in range(20):
            headers = {"X-Forwarded-For": f"198.51.100.{number}"}
            assert (await http.get("/api/v1/audit/public-key", headers=headers)).status_code == 200
    async with api_of(engine, "10.0.0.2", **settings) as http:
        statuses = [
            (
                await http.get("/api/v1/audit/public-key", headers={"X-Forwarded-For": f"198.51.100.{number}"})
            ).status_code
            for number in range(20)
        ]
    assert 429 in statuses
