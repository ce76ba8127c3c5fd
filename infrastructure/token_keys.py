"""The keys that tokens are verified with: one shared secret, or the public keys of a key server (JWKS, RFC 7517).

A token names a key and an algorithm, and each key is good for one algorithm only: no token can have a public key taken
for a shared secret. Where a token says its key is (``jku``, ``x5u``, ``jwk``) is never read.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, Self

import jwt
import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from infrastructure.settings import Settings, jwt_secret

REFRESH_SECONDS: Final = 300.0
"""How often the key server is asked without a reason. So long may a key work on that it does not have any more."""

ASK_AGAIN_SECONDS: Final = 10.0
"""How often, at most, tokens with unknown keys make us ask: whoever forges key ids cannot hammer the key server."""

_RETRY_SECONDS: Final = 30.0
_ANSWER_SECONDS: Final = 5.0
_BYTES_MAX: Final = 256 * 1024
_KEYS_MAX: Final = 100
_RSA_BITS_MIN: Final = 2048

log = structlog.get_logger(__name__)

KeyName = tuple[str | None, str]
"""A key id, which a key set of one key may leave out, and an algorithm."""


class KeyServerError(Exception):
    """The key server does not answer, or with something that is no key set."""


class TokenKeys(Protocol):
    """Where keys come from. An async context manager."""

    is_down: bool
    """Whether a key that is not found may exist all the same."""

    on_loss: Callable[[], object]
    """Called when keys are not good any more."""

    async def find(self, kid: str | None, algorithm: str) -> Any:  # noqa: ANN401 - PyJWT takes many kinds
        """The key with this id for this algorithm, None when there is none."""

    async def __aenter__(self) -> Self:
        """From now on, keys are kept fresh."""

    async def __aexit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Not any more."""


class SharedSecret:
    """One secret for HS256, whatever id a token gives it."""

    is_down = False

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self.on_loss: Callable[[], object] = lambda: None

    async def find(self, kid: str | None, algorithm: str) -> bytes | None:  # noqa: ARG002 - see TokenKeys
        """The secret."""
        return self._secret if algorithm == "HS256" else None

    async def __aenter__(self) -> Self:
        """It never changes."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """See above."""


class PublicKey(NamedTuple):
    """A key, and the text that it was read from."""

    text: bytes
    key: RSAPublicKey | EllipticCurvePublicKey


class KeySet:
    """The public keys of a key server: asked now and then, and for a key that is not known, but not for each.

    While the server cannot be reached, the keys that are known go on.

    Args:
        url: where it answers with a JWK set.
        clock: seconds that only rise.
    """

    def __init__(self, url: str, clock: Callable[[], float] = monotonic) -> None:
        self.is_down = False
        self.on_loss: Callable[[], object] = lambda: None
        self._url = url
        self._clock = clock
        self._keys: Mapping[KeyName, PublicKey] = {}
        self._asked_at = float("-inf")
        self._turn = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: str) -> RSAPublicKey | EllipticCurvePublicKey | None:
        """The key with this id for this algorithm, None when there is none; asks for it unless that was done just now."""
        found = self._keys.get((kid, algorithm))
        if found is None:
            async with self._turn:
                if self._clock() - self._asked_at >= ASK_AGAIN_SECONDS:
                    await self._refresh()
            found = self._keys.get((kid, algorithm))
        return found.key if found else None

    async def refresh(self) -> None:
        """Take over the keys that the server has now; one that does not answer changes nothing."""
        async with self._turn:
            await self._refresh()

    async def __aenter__(self) -> Self:
        """Ask from now on; nobody waits for the first answer who does not need it."""
        self._refreshing = asyncio.create_task(self._go_on_refreshing(), name="key-set")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ask no more."""
        if self._refreshing is not None:  # pragma: no branch - nobody leaves who did not enter
            self._refreshing.cancel()
            with suppress(asyncio.CancelledError):
                await self._refreshing

    async def _go_on_refreshing(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(_RETRY_SECONDS if self.is_down else REFRESH_SECONDS)

    async def _refresh(self) -> None:
        was_down = self.is_down
        try:
            fresh = await fetch_key_set(self._url)
        except KeyServerError as error:
            self.is_down = True
            if not was_down:
                log.warning("key_server_down", known_keys=len(self._keys), problem=str(error))
        else:
            self.is_down = False
            if was_down:
                log.info("key_server_back", keys=len(fresh))
            lost = [name for name, key in self._keys.items() if name not in fresh or fresh[name].text != key.text]
            self._keys = fresh
            if lost:
                log.info("keys_removed", kids=[kid for kid, _ in lost])
                self.on_loss()
        finally:
            self._asked_at = self._clock()


def token_keys(settings: Settings) -> TokenKeys:
    """The keys that the settings name.

    Raises:
        HomeError: the home cannot be used, where the secret is kept.
        SettingsError: the kept secret is too short to be one of ours.
    """
    return KeySet(settings.jwks_url) if settings.jwks_url else SharedSecret(jwt_secret(settings))


async def fetch_key_set(url: str) -> Mapping[KeyName, PublicKey]:
    """The keys that the server has now. It is asked where it was set, and is not followed anywhere else.

    Raises:
        KeyServerError: it does not answer with a key set.
    """
    import httpx2  # noqa: PLC0415 - who has a shared secret does not need it

    try:
        async with (
            asyncio.timeout(_ANSWER_SECONDS),
            httpx2.AsyncClient(trust_env=False, follow_redirects=False) as client,
            client.stream("GET", url, headers={"accept": "application/json"}) as response,
        ):
            if response.status_code != httpx2.codes.OK:
                raise KeyServerError(f"{url} answers {response.status_code}")
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _BYTES_MAX:
                    raise KeyServerError(f"{url} answers with more than {_BYTES_MAX:,} bytes")
    except (httpx2.HTTPError, OSError, TimeoutError) as error:
        raise KeyServerError(f"{url} does not answer: {type(error).__name__} {error}".strip()) from error
    return read_key_set(body)


def read_key_set(body: bytes) -> Mapping[KeyName, PublicKey]:
    """The keys of a JWK set that tokens can be verified with; all others are passed over.

    Raises:
        KeyServerError: it is no JWK set.
    """
    try:
        keys = msgspec.json.decode(body, type=_JwkSet).keys
    except (msgspec.MsgspecError, RecursionError) as error:
        raise KeyServerError(f"no JWK set: {error}") from error
    found: dict[KeyName, PublicKey] = {}
    for jwk in keys[:_KEYS_MAX]:
        algorithm = _algorithm(jwk)
        key = algorithm and _public_key(jwk, algorithm)
        if algorithm and key:
            kid = jwk.get("kid")
            known = PublicKey(msgspec.json.encode(jwk, order="deterministic"), key)
            found.setdefault((str(kid) if kid is not None else None, algorithm), known)
    if len(found) == 1:
        ((_, algorithm), only) = next(iter(found.items()))
        found.setdefault((None, algorithm), only)
    return found


class _JwkSet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _algorithm(jwk: Mapping[str, Any]) -> str | None:
    """What the key is for, None when it is for nothing that we do."""
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(jwk.get("kty")))
    operations = jwk.get("key_ops", ["verify"])
    is_to_verify = jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    is_public = "d" not in jwk
    return algorithm if is_to_verify and is_public and jwk.get("alg", algorithm) == algorithm else None


def _public_key(jwk: Mapping[str, Any], algorithm: str) -> RSAPublicKey | EllipticCurvePublicKey | None:
    try:
        key = jwt.PyJWK(dict(jwk), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(key, RSAPublicKey):
        return key if key.key_size >= _RSA_BITS_MIN else None
    return key if isinstance(key, EllipticCurvePublicKey) and key.curve.name == "secp256r1" else None
