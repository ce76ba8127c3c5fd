"""How a command reaches the running engine: its address, a token, and its answers as data or as errors."""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cli.exits import CommandError, ExitCode

if TYPE_CHECKING:
    import httpx2

    from infrastructure.settings import Settings

ADDRESS_FILE = "engine.json"
"""Where, in its home, a running engine says ``{"url": ..., "pid": ...}``."""

TIMEOUT_SECONDS = 30.0
_TOKEN_SECONDS = 12 * 3600
_OPERATOR = "ops"


def settings() -> "Settings":
    """The settings of this process.

    Raises:
        SettingsError: one of them is wrong.
    """
    from infrastructure.settings import load_settings  # noqa: PLC0415 - pydantic takes longer to import than --help

    return load_settings(os.environ)


def running_engine(home: Path) -> str | None:
    """The URL of the engine that runs in the home, None when there is none. One that was killed leaves a stale file."""
    try:
        said = json.loads((home / ADDRESS_FILE).read_bytes())
        url, process = str(said["url"]), int(said["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # somebody else's, but it lives
        pass
    return url.rstrip("/")


def engine_url(known: "Settings", asked: str | None) -> str:
    """Where the engine is: where we are told, where it says, or where it would be by default.

    Raises:
        CommandError: it could be at any port.
    """
    found = asked.rstrip("/") if asked else running_engine(known.home)
    if found is None and known.port == 0:
        raise CommandError(
            f"No engine runs in {known.home}; start it with `orderlog serve`, or say where it is with --url"
        )
    host = f"[{known.host}]" if ":" in known.host else known.host
    return found or f"http://{host}:{known.port}"


def sign(known: "Settings", trader: str, roles: Iterable[str], ttl_seconds: int = _TOKEN_SECONDS) -> str:
    """A token signed with the secret of the home.

    Raises:
        CommandError: tokens are verified with keys that we do not have.
        Refusal: the trader id is not one.
    """
    from api.tokens import make_token  # noqa: PLC0415 - see above
    from domain.values import parse_trader_id  # noqa: PLC0415 - see above
    from infrastructure.clock import SystemClock  # noqa: PLC0415 - see above
    from infrastructure.settings import jwt_secret  # noqa: PLC0415 - see above

    if known.jwks_url:
        raise CommandError(
            "ORDERLOG_JWKS_URL is set, so tokens come from there: get one and give it with --token or ORDERLOG_TOKEN",
            ExitCode.MISUSE,
        )
    secret = jwt_secret(known).encode()
    named = {name: value for name, value in (("iss", known.jwt_issuer), ("aud", known.jwt_audience)) if value}
    return make_token(secret, parse_trader_id(trader), frozenset(roles), ttl_seconds, SystemClock().now(), **named)


def token_of(known: "Settings", trader: str | None, token: str | None, roles: Iterable[str] = ("trader",)) -> str:
    """The token to act with: signed for the trader when one is named, else the one given.

    Raises:
        CommandError: neither is there.
    """
    if trader:
        return sign(known, trader, roles)
    if token:
        return token
    raise CommandError("Say who is asking: --trader TRADER, or a token with --token or ORDERLOG_TOKEN", ExitCode.MISUSE)


@dataclass(frozen=True, slots=True)
class Problem:
    """What the engine answers instead of data."""

    status: int
    code: str
    detail: str

    @property
    def sentence(self) -> str:
        """The detail and, in brackets, the code that programs go by."""
        return f"{self.detail} ({self.code})"


def problem_of(response: "httpx2.Response") -> Problem | None:
    """The problem in an answer, None when there is none. Anything else that is no success is named by its status."""
    if response.is_success:
        return None
    said: dict[str, Any] = {}
    with suppress(ValueError):
        body = response.json()
        said = body if isinstance(body, dict) else {}
    code = str(said.get("code") or f"HTTP_{response.status_code}")
    detail = str(said.get("detail") or f"the engine answered {response.status_code} {response.reason_phrase}")
    return Problem(response.status_code, code, detail)


class EngineClient:
    """The engine's HTTP API for one person."""

    def __init__(self, url: str, token: str) -> None:
        """``token``: a JWT, sent with each request."""
        import httpx2  # noqa: PLC0415 - see above

        self._url = url
        self._errors: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.InvalidURL, ValueError)
        self._client = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_SECONDS, trust_env=False
        )

    def __enter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self._client.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """What the engine answers to a query.

        Raises:
            CommandError: it refuses, or does not answer.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        return self._sent("GET", path, params=given)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
        """What the engine answers to a command; fields that are None are not sent.

        Raises:
            CommandError: it refuses, or does not answer.
        """
        given = None if body is None else {name: value for name, value in body.items() if value is not None}
        return self._sent("POST", path, json=given)

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """What the engine answers when something is set; fields that are None are sent as null.

        Raises:
            CommandError: it refuses, or does not answer.
        """
        return self._sent("PUT", path, json=body)

    def delete(self, path: str, params: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """What the engine answers when something ends.

        Raises:
            CommandError: it refuses, or does not answer.
        """
        given = {name: value for name, value in params.items() if value is not None}
        return self._sent("DELETE", path, params=given)

    def _sent(self, method: str, path: str, **what: Any) -> Any:  # noqa: ANN401 - JSON
        try:
            response = self._client.request(method, path, **what)
            problem = problem_of(response)
            if problem is not None:
                raise CommandError(problem.sentence)
            return response.json()
        except self._errors as error:
            raise unreachable(self._url, error) from error


def operator_client(token: str | None, url: str | None) -> EngineClient:
    """The engine for an operator: with the token given, else with one signed for this command.

    Raises:
        CommandError: it cannot be signed, or the engine could be anywhere.
    """
    known = settings()
    return EngineClient(engine_url(known, url), token or token_of(known, _OPERATOR, None, ("ops",)))


def unreachable(url: str, error: Exception) -> CommandError:
    """That nobody who speaks our API answers there."""
    said = str(error) or type(error).__name__
    return CommandError(
        f"The engine at {url} does not answer ({said}); start it with `orderlog serve`, or say where it is with --url"
    )
