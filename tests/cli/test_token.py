import os

import jwt
import pytest

from cli.exits import ExitCode
from infrastructure.settings import jwt_secret, load_settings
from tests.cli.conftest import SECRET, Run


def claims(token: str, secret: str = SECRET) -> dict[str, object]:
    return dict(jwt.decode(token, secret, algorithms=["HS256"]))


def test_a_token_is_a_trader_s_for_a_day(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_JWT_SECRET", SECRET)
    result = run("token", "--trader", "alice")
    assert (result.code, result.err, result.out.count("\n")) == (ExitCode.DONE, "", 1)
    said = claims(result.out.strip())
    assert (said["sub"], said["roles"]) == ("alice", ["trader"])
    assert abs(float(str(said["exp"])) - float(str(said["iat"])) - 86_400) < 2


def test_a_token_has_the_roles_and_the_time_that_are_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_JWT_SECRET", SECRET)
    result = run("token", "--trader", "olga", "--role", "ops", "--role", "auditor", "--ttl", "60")
    said = claims(result.out.strip())
    assert said["roles"] == ["auditor", "ops"]
    assert abs(float(str(said["exp"])) - float(str(said["iat"])) - 60) < 2


def test_without_a_set_secret_the_home_s_signs(run: Run) -> None:
    token = run("token", "--trader", "alice").out.strip()
    assert claims(token, jwt_secret(load_settings(os.environ)))["sub"] == "alice"


@pytest.mark.parametrize("arguments", [(), ("--trader", "a", "--role", "king"), ("--trader", "a", "--ttl", "0")])
def test_what_makes_no_token_is_misuse(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("token", *arguments)
    assert (result.code, result.out) == (ExitCode.MISUSE, "")


def test_tokens_that_come_from_elsewhere_cannot_be_signed_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERLOG_JWKS_URL", "https://id.example/jwks")
    result = run("token", "--trader", "alice")
    assert (result.code, result.out) == (ExitCode.MISUSE, "")
    assert "ORDERLOG_JWKS_URL" in result.err
