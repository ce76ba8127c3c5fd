"""Where requests come from, also behind proxies."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope

from infrastructure.edge_settings import Network

_IPV6_PREFIX_BITS = 64
"""Whoever has one IPv6 address has as many as the other 64 bits can tell apart."""


def address_of(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """The address, or IPv6 network, of who asks: the peer, or whom proxies name that are trusted."""
    client = scope.get("client")
    peer: str = client[0] if client else ""
    if trusted and _is_in(peer, trusted):
        peer = _forwarded_for(peer, scope["headers"], trusted)
    return _with_neighbours(peer) if ":" in peer else peer


def is_https(scope: Scope, trusted: tuple[Network, ...]) -> bool:
    """Whether the client came over TLS, to us or to a proxy that is trusted."""
    client = scope.get("client")
    if scope.get("scheme") in {"https", "wss"}:
        return True
    said = [value for name, value in scope["headers"] if name == b"x-forwarded-proto"]
    return bool(client and said and said[-1].strip().lower() == b"https" and _is_in(client[0], trusted))


@lru_cache(maxsize=4096)
def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


def _forwarded_for(peer: str, headers: Iterable[tuple[bytes, bytes]], trusted: tuple[Network, ...]) -> str:
    """The last address that no proxy of ours named as its own: what comes before it, anybody can write."""
    hops = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1").split(",")
    for hop in reversed(hops):
        parsed = _parsed(hop.strip())
        if parsed is None:
            break
        peer = str(parsed)
        if not _is_in(peer, trusted):
            break
    return peer


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """The address, with or without a port; None: it is none."""
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


@lru_cache(maxsize=4096)
def _with_neighbours(address: str) -> str:
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed.packed, _IPV6_PREFIX_BITS), strict=False))
    return str(parsed or address)
