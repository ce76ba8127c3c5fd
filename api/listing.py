"""What stands at ``/docs`` where the page has not been built: every endpoint on plain HTML, so that nobody is lost."""

from collections.abc import Iterable, Sequence
from html import escape

from api.answers import Answer
from api.asyncapi import streams_document
from api.endpoints import Endpoint

_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>orderlog: the API</title>
<h1>The API</h1>
<p>With the page built (<code>make web</code>, which <code>make run</code> does by itself), all fields stand here.
They are in <a href="/openapi.json">openapi.json</a>, those of the streams in <a href="/asyncapi.json">asyncapi.json</a>.</p>
<table>
<tr><th>endpoint<th>who<th>what it does
{rows}
</table>
"""


def listing(endpoints: Sequence[Endpoint]) -> Answer:
    """The endpoints and streams, each with who may use it and what it is for."""
    rows = [*map(_row, endpoints), *_streams()]
    headers = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
    return Answer(200, _HTML.format(rows="\n".join(rows)).encode(), "text/html; charset=utf-8", headers)


def _row(endpoint: Endpoint) -> str:
    roles = ", ".join(sorted(endpoint.roles | endpoint.own_check)) or "anybody"
    return _cells(f"{endpoint.method} {endpoint.path}", roles, endpoint.summary)


def _streams() -> Iterable[str]:
    channel = streams_document()["channels"]["orderStatus"]
    yield _cells(f"WS {channel['address']}", "trader", "Your orders' status messages, by WebSocket")


def _cells(endpoint: str, roles: str, summary: str) -> str:
    return f"<tr><td><code>{escape(endpoint)}</code><td>{escape(roles)}<td>{escape(summary)}"
