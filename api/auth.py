"""Who asks: bearer tokens (JWT, HS256), and the roles that they carry."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import jwt

from api.problems import Problem
from application.ports import Clock
from domain.refusals import Refusal
from domain.values import TraderId, parse_trader_id

TRADER, AUDITOR, OPS = "trader", "auditor", "ops"
ROLES = frozenset({TRADER, AUDITOR, OPS})

_ALGORITHM = "HS256"
_CACHE_LIMIT = 10_000
_TOKEN_CHARACTERS_MAX = 8192

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


def make_token(secret: bytes, trader_id: TraderId, roles: frozenset[str], ttl_seconds: float, now: datetime) -> str:
    """A token for the trader that is good until ``ttl_seconds`` from now."""
    expires_at = now + timedelta(seconds=ttl_seconds)
    claims = {
        "sub": trader_id,
        "roles": sorted(roles),
        "iat": int(now.timestamp()),
        "exp": math.ceil(expires_at.timestamp()),
    }
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def unauthenticated(detail: str, error: str = "invalid_token") -> Problem:
    """401, and how to do better."""
    challenge = f'Bearer realm="orderlog", error="{error}"' if error else 'Bearer realm="orderlog"'
    return Problem("UNAUTHENTICATED", detail, headers={"www-authenticate": challenge})


class Gate:
    """Tells who a token belongs to.

    Verifying a signature costs more than the rest of a request, so a verified token is remembered until it expires.
    """

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._verified: dict[str, Identity] = {}

    def bearer(self, headers: Mapping[bytes, bytes]) -> Identity:
        """Who the header ``Authorization`` belongs to.

        Raises:
            Problem: there is none, or its token is not good.
        """
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            raise unauthenticated("This needs a header `Authorization: Bearer TOKEN`", error="")
        return self.identify(token.strip().decode("latin-1"))

    def identify(self, token: str) -> Identity:
        """Who the token belongs to.

        Raises:
            Problem: it is not signed by us, not for now, or not for anyone.
        """
        identity = self._verified.get(token)
        if identity is None:
            identity = self._verify(token)
            if len(self._verified) >= _CACHE_LIMIT:
                self._verified.pop(next(iter(self._verified)))
            self._verified[token] = identity
        now = self._clock.now().timestamp()
        if now >= identity.expires_at:
            del self._verified[token]
            raise unauthenticated("The token has expired")
        if now < identity.not_before:
            raise unauthenticated("The token is not good yet")
        return identity

    def _verify(self, token: str) -> Identity:
        if len(token) > _TOKEN_CHARACTERS_MAX:
            raise unauthenticated("The token is not one of ours")
        try:
            claims = jwt.decode(token, self._secret, algorithms=[_ALGORITHM], options=_OPTIONS)
            return Identity(
                parse_trader_id(claims["sub"]),
                _roles(claims.get("roles", [TRADER])),
                _seconds(claims.get("nbf", 0)),
                _seconds(claims["exp"]),
            )
        except (jwt.InvalidTokenError, Refusal, ValueError, OverflowError):
            # What exactly is wrong with a forged token is nobody's business.
            raise unauthenticated("The token is not one of ours") from None


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
