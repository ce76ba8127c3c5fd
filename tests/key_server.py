"""A key server for tests, and those who sign with its keys."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from infrastructure.clock import SystemClock


class Signer:
    """A private key with an id: RS256 or ES256."""

    def __init__(self, kid: str | None, algorithm: str = "ES256", bits: int = 2048, curve: Any = None) -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.key: Any = (
            rsa.generate_private_key(public_exponent=65537, key_size=bits)
            if algorithm == "RS256"
            else ec.generate_private_key(curve or ec.SECP256R1())
        )

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as a key server tells it."""
        kind: Any = jwt.algorithms.RSAAlgorithm if self.algorithm == "RS256" else jwt.algorithms.ECAlgorithm
        return self._named(json.loads(kind.to_jwk(self.key.public_key())))

    @property
    def private_jwk(self) -> dict[str, Any]:
        """What nobody should tell."""
        kind: Any = jwt.algorithms.RSAAlgorithm if self.algorithm == "RS256" else jwt.algorithms.ECAlgorithm
        return self._named(json.loads(kind.to_jwk(self.key)))

    def token(self, trader_id: str = "alice", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        now = int(SystemClock().now().timestamp())
        named = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(
            {"sub": trader_id, "iat": now, "exp": now + 3600, **claims},
            self.key,
            algorithm=self.algorithm,
            headers=named | (headers or {}),
        )

    def _named(self, jwk: dict[str, Any]) -> dict[str, Any]:
        jwk.pop("key_ops", None)
        return jwk | ({} if self.kid is None else {"kid": self.kid})


class KeyServer:
    """Answers with these keys, or with whatever it is told to; counts how often it is asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.body: bytes | None = None
        self.headers: dict[str, str] = {}
        self.asked = 0


@contextmanager
def key_server(*signers: Signer) -> Iterator[KeyServer]:
    """A key server on a port of this machine, until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked += 1
            body = json.dumps({"keys": server.keys}).encode() if server.body is None else server.body
            self.send_response(server.status)
            for name, value in server.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = KeyServer(f"http://127.0.0.1:{listening.server_address[1]}/jwks")
        server.keys = [signer.jwk for signer in signers]
        thread = threading.Thread(target=lambda: listening.serve_forever(poll_interval=0.02))
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
