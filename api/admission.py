"""Who may ask how often: quotas for each trader, for each address, and for failed attempts to say who one is.

Answers say how it stands, in the fields ``RateLimit-Policy`` and ``RateLimit`` of the IETF's draft.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from starlette.types import Scope

from api.addresses import address_of
from api.problems import Problem
from domain.values import TraderId
from infrastructure.edge_settings import EdgeSettings
from infrastructure.quotas import Account, OverQuotaError, Quota, Quotas

_WINDOW_SECONDS = 5
"""A bucket holds what comes in so many seconds: that much may be asked at once by who has been quiet."""

_SENTENCES = {
    "trader": "Too many requests of this trader",
    "address": "Too many requests from this address",
    "failed-logins": "Too many attempts with tokens or tickets that are not good, from this address",
}

Headers = Sequence[tuple[bytes, bytes]]


class Standing(NamedTuple):
    """How much is left of a quota after a request."""

    quota: Quota
    left: int

    def headers(self) -> Headers:
        """The quota, how much of it is left, and in how many seconds it is whole again."""
        quota, left = self
        until_full = math.ceil((quota.limit - left) * quota.window_seconds / quota.limit)
        return (
            (b"ratelimit-policy", _policy(quota)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (_name(quota), left, until_full)),
        )


class Admission:
    """Lets requests pass, or refuses them with 429.

    Args:
        quotas: what is left for whom.
        settings: how much there is, and whose word about addresses is taken.
    """

    def __init__(self, quotas: Quotas, settings: EdgeSettings) -> None:
        self._quotas = quotas
        self._trader = _quota("trader", settings.trader_requests)
        self._address = _quota("address", settings.address_requests)
        self._failures = _quota("failed-logins", settings.failed_logins)
        self._trusted = settings.trusted_proxies

    async def admit(self, address: str | None, trader_id: TraderId | None) -> Standing:
        """Count one request of the address and of the trader, whichever is known; how it stands with the last.

        Raises:
            Problem: there were too many.
        """
        accounts: Sequence[Account]
        if trader_id is None:
            accounts = ((self._address, address or ""),)
        elif address is None:
            accounts = ((self._trader, trader_id),)
        else:
            accounts = ((self._address, address), (self._trader, trader_id))
        try:
            return Standing(accounts[-1][0], await self._quotas.spend(accounts))
        except OverQuotaError as error:
            raise too_many(error) from None

    def check(self, address: str) -> None:
        """See that an attempt to say who one is may be made from there.

        Raises:
            Problem: too many have failed.
        """
        try:
            self._quotas.check((self._failures, address))
        except OverQuotaError as error:
            raise too_many(error) from None

    async def failed(self, address: str, problem: Problem) -> Problem:
        """Count one request, and that it was not known whose it is; the problem, or that there were too many."""
        try:
            await self._quotas.spend(((self._address, address), (self._failures, address)))
        except OverQuotaError as error:
            return too_many(error)
        return problem

    def address_of(self, scope: Scope) -> str:
        """Whose address quota a request is counted on."""
        return address_of(scope, self._trusted)


def too_many(error: OverQuotaError) -> Problem:
    """429, and when to come back."""
    quota, seconds = error.quota, max(1, math.ceil(error.retry_after_seconds))
    detail = f"{_SENTENCES[quota.name]}: {quota.limit:,} in {quota.window_seconds} s; try again in {seconds} s"
    headers = {
        "retry-after": str(seconds),
        "ratelimit-policy": _policy(quota).decode(),
        "ratelimit": f'"{quota.name}";r=0;t={seconds}',
    }
    return Problem("RATE_LIMITED", detail, headers=headers)


def _quota(name: str, per_second: int) -> Quota:
    return Quota(name, per_second * _WINDOW_SECONDS, _WINDOW_SECONDS)


@lru_cache(maxsize=16)
def _policy(quota: Quota) -> bytes:
    return f'"{quota.name}";q={quota.limit};w={quota.window_seconds}'.encode()


@lru_cache(maxsize=16)
def _name(quota: Quota) -> bytes:
    return quota.name.encode()
