"""One API process, as `orderlog serve` starts it."""

import asyncio
import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from api.asgi import RedactSecrets
from api.listening import listen
from tests.api.clients import SECRET, token_of
from tests.api.conftest import list_instruments
from tests.plain_http import PLAIN


@contextmanager
def api_process(database_url: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx2.Client]]:
    """A process that listens, and a client of it."""
    variables = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "none",
        "ORDERLOG_HOME": str(home),
        "ORDERLOG_JWT_SECRET": SECRET,
    }
    with listen("127.0.0.1", 0) as listening:
        process = subprocess.Popen(
            [sys.executable, "-m", "api", str(listening.fileno())],
            env=os.environ | variables,
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    try:
        with httpx2.Client(base_url=url, **PLAIN, timeout=30) as client:
            yield process, client
    finally:
        process.kill()
        process.communicate()


def test_a_process_serves_on_the_socket_it_is_given_until_it_is_told_to_stop(database_url: str, tmp_path: Path) -> None:
    asyncio.run(list_instruments(database_url))
    with api_process(database_url, tmp_path) as (process, client):
        assert client.get("/readyz").json() == {"status": "ok"}
        with client.stream("GET", f"/api/v1/orders/stream?after=0&token={token_of('alice')}") as response:
            process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert response.read().startswith(b'event: close\ndata: {"code":1012,')
        _, log = process.communicate(timeout=10)
        # Nothing that was open kept it for as long as it would wait.
        assert "timeout graceful shutdown exceeded" not in log
        assert time.monotonic() - began < 10
    assert process.returncode == -signal.SIGTERM
    lines = [json.loads(line) for line in log.splitlines()]
    (line,) = [line for line in lines if line["event"] == "request" and line["path"].endswith("/stream")]
    assert (line["method"], line["status"], line["process"]) == ("GET", 200, "api")
    assert token_of("alice").rpartition(".")[2] not in log


def test_a_process_that_is_interrupted_stops_without_a_word(database_url: str, tmp_path: Path) -> None:
    with api_process(database_url, tmp_path) as (process, client):
        assert client.get("/livez").json() == {"status": "ok"}
        process.send_signal(signal.SIGINT)
        _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "Traceback" not in log


def test_an_address_of_the_next_version_can_be_listened_on() -> None:
    try:
        listening = listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        assert listening.getsockname()[0] == "::1"


def test_what_is_logged_without_arguments_is_left_alone() -> None:
    record = logging.LogRecord("uvicorn", logging.INFO, "", 0, "%(a)s", ({"a": "?token=x"},), None)
    assert RedactSecrets().filter(record)
    assert record.getMessage() == "?token=x"


def test_importing_it_starts_nothing() -> None:
    assert importlib.import_module("api.__main__").main
