"""Tokens of an identity provider."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from dataclasses import replace

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx2 import ASGITransport, AsyncClient, Response

from api.admission import Admission
from api.asgi import build_app
from api.auth import Gate
from api.problems import Problem
from infrastructure.clock import SystemClock
from infrastructure.composition import Engine
from infrastructure.edge_settings import EdgeSettings
from infrastructure.quotas import OwnBuckets, Quotas
from infrastructure.token_keys import ASK_AGAIN_SECONDS, KeySet
from tests.api.clients import problem_of, token_of
from tests.key_server import KeyServer, Signer, key_server

ES, RS = Signer("es"), Signer("rs", "RS256")


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(ES, RS) as server:
        yield server


class Api:
    """The application on a key server, and the time that its keys go by."""

    def __init__(self, http: AsyncClient, keys: KeySet) -> None:
        self.http = http
        self.keys = keys
        self.seconds = 0.0

    async def ask(self, token: str) -> Response:
        return await self.http.get("/api/v1/account", headers={"Authorization": f"Bearer {token}"})


@pytest_asyncio.fixture(loop_scope="module")
async def api(engine: Engine, server: KeyServer) -> AsyncIterator[Api]:
    settings = engine.settings.model_copy(update={"jwks_url": server.url, "jwt_secret": None})
    app = build_app(lambda: nullcontext(replace(engine, settings=settings)))
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://orderlog.test") as http,
    ):
        keys = app.state.running.gate._keys
        api = Api(http, keys)
        keys._clock = lambda: api.seconds
        yield api


def compact(*parts: object) -> bytes:
    return b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)


async def test_tokens_of_both_kinds_open_and_a_shared_secret_does_not(api: Api) -> None:
    for signer in (ES, RS):
        response = await api.ask(signer.token("alice"))
        assert (response.status_code, response.json()["trader_id"]) == (200, "alice")
    problem_of(await api.ask(token_of("alice")), 401, "UNAUTHENTICATED")


async def test_a_public_key_is_no_shared_secret(api: Api) -> None:
    claims = jwt.decode(RS.token(), options={"verify_signature": False})
    for text in (
        RS.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(RS.jwk).encode(),
        RS.jwk["n"].encode(),
    ):
        said = compact({"alg": "HS256", "typ": "JWT", "kid": "rs"}, claims)
        signature = base64.urlsafe_b64encode(hmac.new(text, said, hashlib.sha256).digest()).rstrip(b"=")
        problem_of(await api.ask((said + b"." + signature).decode()), 401, "UNAUTHENTICATED")
    for algorithm in ("none", "RS512", "ES256", ["RS256"], None):
        said = compact({"alg": algorithm, "kid": "rs"}, claims)
        problem_of(await api.ask(said.decode() + "." + RS.token().rpartition(".")[2]), 401, "UNAUTHENTICATED")


async def test_where_a_token_says_its_key_is_nobody_looks(api: Api) -> None:
    stranger = Signer("stranger")
    with key_server(stranger) as theirs:
        headers = {"jku": theirs.url, "x5u": theirs.url, "jwk": stranger.jwk}
        problem_of(await api.ask(stranger.token(headers=headers)), 401, "UNAUTHENTICATED")
        problem_of(await api.ask(stranger.token(headers=headers | {"kid": "es"})), 401, "UNAUTHENTICATED")
        assert theirs.asked == 0


async def test_keys_are_rotated_without_a_restart(api: Api, server: KeyServer) -> None:
    old = ES.token()
    assert (await api.ask(old)).status_code == 200
    new = Signer("es-2")
    server.keys = [new.jwk]
    api.seconds += ASK_AGAIN_SECONDS
    assert (await api.ask(new.token())).status_code == 200
    # The old key is gone, and what was remembered of it too.
    problem_of(await api.ask(old), 401, "UNAUTHENTICATED")


async def test_while_the_key_server_is_down_known_keys_go_on_and_of_others_nobody_can_say(
    api: Api, server: KeyServer
) -> None:
    assert (await api.ask(ES.token())).status_code == 200
    server.status = 500
    api.seconds += ASK_AGAIN_SECONDS
    response = await api.ask(Signer("es-2").token())
    problem_of(response, 503, "KEYS_UNAVAILABLE")
    assert response.headers["retry-after"] == "5"
    assert (await api.ask(RS.token("carol"))).status_code == 200


async def test_an_engine_whose_key_server_is_down_from_the_start_says_so() -> None:
    admission = Admission(Quotas(OwnBuckets()), EdgeSettings())
    gate = Gate(KeySet("http://127.0.0.1:1/jwks"), SystemClock(), admission)
    with pytest.raises(Problem, match="cannot be reached"):
        await gate.identify(ES.token(), "203.0.113.7")
