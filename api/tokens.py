"""Tokens that we sign ourselves. Whoever signs one needs nothing else of the API, and commands start in half the time."""

import math
from datetime import datetime, timedelta

import jwt

from domain.values import TraderId

_ALGORITHM = "HS256"


def make_token(
    secret: bytes, trader_id: TraderId, roles: frozenset[str], ttl_seconds: float, now: datetime, **more: str
) -> str:
    """A token for the trader that is good until ``ttl_seconds`` from now; ``more`` are other claims."""
    expires_at = now + timedelta(seconds=ttl_seconds)
    claims = {
        "sub": trader_id,
        "roles": sorted(roles),
        "iat": int(now.timestamp()),
        "exp": math.ceil(expires_at.timestamp()),
        **more,
    }
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)
