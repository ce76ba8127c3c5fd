"""What browsers may do that come from elsewhere."""

from contextlib import nullcontext

import pytest
from websockets import ClientConnection

from api.asgi import build_app
from infrastructure.composition import Engine
from tests.api.clients import Client, problem_of
from tests.api.serving import Served, closed, serving
from tests.api.test_admission import api_of, edge_of

ORIGIN = "https://desk.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
}


async def test_by_default_no_other_origin_may_read_anything(engine: Engine, alice: Client) -> None:
    async with api_of(engine) as http:
        preflight = await http.options("/api/v1/orders", headers=PREFLIGHT)
        problem_of(preflight, 405, "METHOD_NOT_ALLOWED")
        headers = {"Origin": ORIGIN, "Authorization": f"Bearer {alice.token}"}
        read = await http.get("/api/v1/account", headers=headers)
    for response in (preflight, read):
        assert not [name for name in response.headers if name.startswith("access-control")]


async def test_an_origin_that_is_listed_may_ask_and_others_may_not(engine: Engine, alice: Client) -> None:
    async with api_of(engine, CORS_ORIGINS=f"{ORIGIN}/, http://LOCALHOST:5173") as http:
        preflight = await http.options("/api/v1/orders", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == ORIGIN
        assert "access-control-allow-credentials" not in preflight.headers
        headers = {"Origin": "http://localhost:5173", "Authorization": f"Bearer {alice.token}"}
        read = await http.get("/api/v1/account", headers=headers)
        assert read.headers["access-control-allow-origin"] == "http://localhost:5173"
        assert "ratelimit" in read.headers["access-control-expose-headers"].lower()
        # What is refused can be read as well, or the page could not say why.
        assert (await http.get("/api/v1/account", headers={"Origin": ORIGIN})).headers["access-control-allow-origin"]
        for origin in ("https://evil.example", "https://desk.example.evil.example", "null", "http://desk.example"):
            assert (await http.options("/api/v1/orders", headers=PREFLIGHT | {"Origin": origin})).status_code == 400
            other = await http.get("/api/v1/account", headers=headers | {"Origin": origin})
            assert "access-control-allow-origin" not in other.headers


async def test_only_who_came_over_tls_to_a_trusted_proxy_is_told_to_always_do_so(engine: Engine) -> None:
    async with api_of(engine, "10.0.0.1", TRUSTED_PROXIES="10.0.0.1") as http:
        secure = await http.get("/livez", headers={"X-Forwarded-Proto": "https"})
        assert secure.headers["strict-transport-security"] == "max-age=31536000"
        assert "strict-transport-security" not in (await http.get("/livez")).headers
    for peer, settings in (("10.0.0.2", {"TRUSTED_PROXIES": "10.0.0.1"}), ("10.0.0.1", {})):
        async with api_of(engine, peer, **settings) as http:
            response = await http.get("/livez", headers={"X-Forwarded-Proto": "https"})
        assert "strict-transport-security" not in response.headers


async def test_a_foreign_page_that_opens_a_socket_brings_nothing_that_identifies_its_visitor(
    served: Served, alice: Client
) -> None:
    headers = {"Origin": "https://evil.example", "Cookie": f"token={alice.token}; ticket={alice.token}"}
    async with served.socket("", additional_headers=headers) as socket:
        assert (await closed(socket))[0] == 4401


@pytest.mark.parametrize("path", ["/api/v1/account", "/livez", "/openapi.json", "/api/v1/nothing", "/nowhere"])
async def test_every_answer_says_that_it_is_only_what_it_is(engine: Engine, alice: Client, path: str) -> None:
    async with api_of(engine) as http:
        response = await Client(http, alice.trader_id, ["trader"]).get(path)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert "server" not in response.headers
    assert "set-cookie" not in response.headers


async def test_a_trusted_proxy_may_pass_sockets_on(engine: Engine, alice: Client) -> None:
    edge = edge_of(TRUSTED_PROXIES="127.0.0.1", CORS_ORIGINS=ORIGIN)
    app = build_app(lambda: nullcontext(engine), heartbeat_seconds=0.1, edge=edge)
    async with serving(app) as proxied:
        headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.1", "Origin": ORIGIN}
        socket: ClientConnection
        async with proxied.socket(f"?token={alice.token}&after=0", additional_headers=headers) as socket:
            assert await socket.recv()
