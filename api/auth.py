"""Who asks: bearer tokens (JWT), and the roles that they carry."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from api.admission import Admission
from api.problems import Problem
from application.ports import Clock
from domain.refusals import Refusal
from domain.values import TraderId, parse_trader_id
from infrastructure.token_keys import TokenKeys

TRADER, AUDITOR, OPS = "trader", "auditor", "ops"
ROLES = frozenset({TRADER, AUDITOR, OPS})

_CACHE_LIMIT = 10_000
_TOKEN_CHARACTERS_MAX = 8192
_SKEW_SECONDS = 5.0
_RETRY_AFTER_SECONDS = "5"

# Only what PyJWT can judge without a clock of its own is left to it: time is an argument here.
_OPTIONS: Any = {
    "require": ["sub", "exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class Identity(NamedTuple):
    """A trader, and what they may do; ``not_before`` and ``expires_at`` are seconds since 1970."""

    trader_id: TraderId
    roles: frozenset[str]
    not_before: float
    expires_at: float


def unauthenticated(detail: str, error: str = "invalid_token") -> Problem:
    """401, and how to do better."""
    challenge = f'Bearer realm="orderlog", error="{error}"' if error else 'Bearer realm="orderlog"'
    return Problem("UNAUTHENTICATED", detail, headers={"www-authenticate": challenge})


class Gate:
    """Tells who a token belongs to.

    Verifying a signature costs more than the rest of a request, so a verified token is remembered until it expires, or
    until keys are taken back.

    Args:
        keys: what tokens are signed with.
        clock: tells whether they are for now.
        admission: counts attempts that fail.
        issuer: what ``iss`` has to be, None: anything.
        audience: what ``aud`` has to name, None: tokens for a named audience are not for us.
    """

    def __init__(
        self,
        keys: TokenKeys,
        clock: Clock,
        admission: Admission,
        issuer: str | None = None,
        audience: str | None = None,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._admission = admission
        self._issuer = issuer
        self._audience = audience
        self._verified: dict[str, Identity] = {}
        keys.on_loss = self._verified.clear

    async def bearer(self, headers: Mapping[bytes, bytes], address: str) -> Identity:
        """Who the header ``Authorization`` of a request from the address belongs to.

        Raises:
            Problem: there is none, or its token is not good, or nobody can say.
        """
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            problem = unauthenticated("This needs a header `Authorization: Bearer TOKEN`", error="")
            raise await self._admission.failed(address, problem)
        return await self.identify(token.strip().decode("latin-1"), address)

    async def identify(self, token: str, address: str) -> Identity:
        """Who the token belongs to that came from the address.

        Raises:
            Problem: it is not signed by us, not for now, or not for anyone; or the key server cannot be asked. Or too
                many such tokens came from there: then only those are let in that are remembered.
        """
        identity = self._verified.get(token)
        if identity is None:
            self._admission.check(address)
            identity = await self._verify(token)
            if identity is None:
                raise await self._admission.failed(address, unauthenticated("The token is not one of ours"))
            if len(self._verified) >= _CACHE_LIMIT:
                self._verified.pop(next(iter(self._verified)))
            self._verified[token] = identity
        now = self._clock.now().timestamp()
        if now >= identity.expires_at:
            self._verified.pop(token, None)
            raise await self._admission.failed(address, unauthenticated("The token has expired"))
        if now < identity.not_before:
            raise await self._admission.failed(address, unauthenticated("The token is not good yet"))
        return identity

    async def _verify(self, token: str) -> Identity | None:
        """Who the token belongs to, None if it is not one of ours; what exactly is wrong with it is nobody's business."""
        if len(token) > _TOKEN_CHARACTERS_MAX:
            return None
        try:
            header = jwt.get_unverified_header(token)
            algorithm = str(header.get("alg"))
            key = await self._keys.find(header.get("kid"), algorithm)
            if key is None:
                self._see_that_it_is_unknown()
                return None
            # The key was found for this algorithm, so that what the token says of itself decides nothing.
            claims = jwt.decode(
                token, key, algorithms=[algorithm], options=_OPTIONS, issuer=self._issuer, audience=self._audience
            )
            return Identity(
                parse_trader_id(claims["sub"]),
                _roles(claims.get("roles", [TRADER])),
                max(_seconds(claims.get("nbf", 0)), _seconds(claims.get("iat", 0))) - _SKEW_SECONDS,
                _seconds(claims["exp"]),
            )
        except (jwt.InvalidTokenError, Refusal, ValueError, OverflowError):
            return None

    def _see_that_it_is_unknown(self) -> None:
        """A key that was not found is not good, unless nobody could be asked for it."""
        if self._keys.is_down:
            detail = "The key server cannot be reached, and the token's key is not known here: try again"
            raise Problem("KEYS_UNAVAILABLE", detail, headers={"retry-after": _RETRY_AFTER_SECONDS})


def require_role(identity: Identity, roles: frozenset[str]) -> None:
    """Let pass who has one of the roles.

    Raises:
        Problem: they have none of them.
    """
    if identity.roles.isdisjoint(roles):
        raise Problem("FORBIDDEN", f"This needs the role {' or '.join(sorted(roles))}")


def _roles(claim: object) -> frozenset[str]:
    if not isinstance(claim, list) or not all(isinstance(role, str) for role in claim):
        raise ValueError("roles must be a list of names")
    return ROLES.intersection(claim)


def _seconds(claim: object) -> float:
    if isinstance(claim, bool) or not isinstance(claim, int | float) or not math.isfinite(claim):
        raise ValueError("a time must be a number of seconds")
    return float(claim)
