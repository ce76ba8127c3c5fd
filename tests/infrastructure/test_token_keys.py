import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from infrastructure import token_keys
from infrastructure.settings import load_settings
from infrastructure.token_keys import (
    ASK_AGAIN_SECONDS,
    KeyServerError,
    KeySet,
    SharedSecret,
    fetch_key_set,
    read_key_set,
)
from tests.key_server import KeyServer, Signer, key_server

ALICE, BOB = Signer("alice-1"), Signer("bob-1", "RS256")
SECRET = "a secret that is long enough to sign with"


class Seconds:
    """A clock that stands still until somebody moves it."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server(ALICE, BOB) as server:
        yield server


@pytest.fixture
def keys(server: KeyServer, seconds: Seconds) -> KeySet:
    return KeySet(server.url, seconds)


async def test_a_key_is_found_under_its_id_for_its_algorithm_and_asked_for_once(
    keys: KeySet, server: KeyServer
) -> None:
    found = [
        await keys.find("alice-1", "ES256"),
        await keys.find("bob-1", "RS256"),
        await keys.find("alice-1", "ES256"),
    ]
    assert all(found)
    assert found[0] is found[2]
    assert server.asked == 1


@pytest.mark.parametrize(
    ("kid", "algorithm"), [("alice-1", "RS256"), ("alice-1", "HS256"), ("bob-1", "none"), (None, "ES256")]
)
async def test_a_key_is_good_for_one_algorithm_and_one_name_only(keys: KeySet, kid: str | None, algorithm: str) -> None:
    await keys.refresh()
    assert await keys.find(kid, algorithm) is None


async def test_an_unknown_key_is_asked_for_once_however_many_ask(keys: KeySet, server: KeyServer) -> None:
    await keys.refresh()
    await asyncio.gather(*(keys.find(f"forged-{number}", "ES256") for number in range(50)))
    assert server.asked == 1  # the answer is fresh


async def test_forged_key_ids_do_not_hammer_the_key_server(keys: KeySet, server: KeyServer, seconds: Seconds) -> None:
    for _ in range(5):
        await asyncio.gather(*(keys.find(f"forged-{number}", "ES256") for number in range(20)))
        seconds.now += ASK_AGAIN_SECONDS
    assert server.asked == 5


async def test_a_new_key_is_found_when_a_token_names_it(keys: KeySet, server: KeyServer, seconds: Seconds) -> None:
    await keys.refresh()
    new = Signer("alice-2")
    server.keys.append(new.jwk)
    assert await keys.find("alice-2", "ES256") is None  # somebody asked just now
    seconds.now += ASK_AGAIN_SECONDS
    assert await keys.find("alice-2", "ES256")


async def test_who_remembers_tokens_hears_of_keys_that_are_gone_or_changed_and_only_of_those(
    keys: KeySet, server: KeyServer
) -> None:
    lost: list[int] = []
    keys.on_loss = lambda: lost.append(1)
    await keys.refresh()
    server.keys.append(Signer("new").jwk)
    await keys.refresh()
    assert lost == []
    server.keys = [jwk for jwk in server.keys if jwk["kid"] != "bob-1"]
    await keys.refresh()
    assert (len(lost), await keys.find("bob-1", "RS256")) == (1, None)
    server.keys[0] = Signer("alice-1").jwk
    await keys.refresh()
    assert len(lost) == 2


async def test_while_the_key_server_is_down_known_keys_go_on(keys: KeySet, server: KeyServer, seconds: Seconds) -> None:
    known = await keys.find("alice-1", "ES256")
    server.status = 500
    seconds.now += ASK_AGAIN_SECONDS
    with capture_logs() as said:
        assert await keys.find("new", "ES256") is None
        await keys.refresh()
        assert keys.is_down
        assert await keys.find("alice-1", "ES256") is known
        server.status = 200
        await keys.refresh()
    assert not keys.is_down
    assert [line["event"] for line in said] == ["key_server_down", "key_server_back"]


async def test_keys_are_refreshed_without_being_asked_for(
    keys: KeySet, server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_keys, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(token_keys, "_RETRY_SECONDS", 0.01)
    async with keys:
        while server.asked < 2:
            await asyncio.sleep(0.01)
        server.status = 404
        while not keys.is_down:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 302, "headers": {"location": "http://127.0.0.1:1/"}},
        {"status": 404},
        {"body": b"x" * 300_000},
        {"body": b"<html>"},
        {"body": b"[]"},
        {"body": b'{"keys": {}}'},
        {"body": b'{"keys": [1]}'},
    ],
)
async def test_what_is_no_key_set_is_none(server: KeyServer, answer: dict[str, Any]) -> None:
    vars(server).update(answer)
    with pytest.raises(KeyServerError):
        await fetch_key_set(server.url)
    assert server.asked == 1  # not where it was sent, either


async def test_nobody_there_is_no_key_set_either() -> None:
    with pytest.raises(KeyServerError, match="does not answer"):
        await fetch_key_set("http://127.0.0.1:1/jwks")


UNUSABLE: dict[str, Callable[[], dict[str, Any]]] = {
    "a shared secret": lambda: {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
    "a private key": lambda: ALICE.private_jwk,
    "to encrypt with": lambda: ALICE.jwk | {"use": "enc"},
    "to sign with": lambda: ALICE.jwk | {"key_ops": ["sign"]},
    "for nothing that has a name": lambda: ALICE.jwk | {"key_ops": 7},
    "for another algorithm": lambda: BOB.jwk | {"alg": "PS256"},
    "too small": lambda: Signer("small", "RS256", bits=1024).jwk,
    "another curve": lambda: Signer("p384", curve=ec.SECP384R1()).jwk,
    "no key at all": lambda: {"kty": "EC", "kid": "x"},
    "broken": lambda: ALICE.jwk | {"x": "!"},
    "no kind": lambda: {"kid": "x"},
}


@pytest.mark.filterwarnings("ignore:.*RSA key is.*")
@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_tokens_cannot_be_verified_with_is_passed_over(kind: str) -> None:
    assert read_key_set(json.dumps({"keys": [UNUSABLE[kind](), BOB.jwk]}).encode()).keys() == {
        ("bob-1", "RS256"),
        (None, "RS256"),
    }


def test_a_key_that_is_alone_needs_no_name_and_the_first_of_a_name_counts() -> None:
    nameless = Signer(None)
    assert read_key_set(json.dumps({"keys": [nameless.jwk]}).encode()).keys() == {(None, "ES256")}
    twice = read_key_set(json.dumps({"keys": [ALICE.jwk, Signer("alice-1").jwk, BOB.jwk]}).encode())
    assert twice.keys() == {("alice-1", "ES256"), ("bob-1", "RS256")}
    assert twice["alice-1", "ES256"].key.public_numbers() == ALICE.key.public_key().public_numbers()


async def test_a_secret_is_for_its_algorithm_alone_and_never_changes() -> None:
    keys = token_keys.token_keys(load_settings({"ORDERLOG_JWT_SECRET": SECRET}))
    assert isinstance(keys, SharedSecret)
    async with keys:
        assert await keys.find("any", "HS256") == SECRET.encode()
        assert await keys.find("any", "none") is None
    keys.on_loss()


def test_a_key_server_that_is_set_is_used() -> None:
    assert isinstance(token_keys.token_keys(load_settings({"ORDERLOG_JWKS_URL": "https://id.example/jwks"})), KeySet)
