"""The page: what `make web` built, served with headers that let nothing else in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from starlette.routing import Route

from api.answers import Answer
from api.listing import listing
from api.routes import ENDPOINTS, Document

BUILT = Path(__file__).parents[1] / "web" / "dist"
"""Where the build lies: beside the source, because it is made there and no part of the package."""

PATHS = ("/", "/ops", "/audit", "/docs")
"""Where the one page is shown; what it shows there is its own business."""

DOCS = "/docs"
"""What the API is, which is told also where the page has not been built."""

_NOT_BUILT = (
    "The page has not been built. `make web` builds it (`make run` does so by itself); then start the engine again.\n"
    "The API is here all the same: /docs lists it, /openapi.json describes it.\n"
)

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The name of a built file changes with its content, that of the page does not.
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_ASK_AGAIN = {"cache-control": "no-cache"}


def policy(connect_also: Sequence[str] = ()) -> str:
    """The Content-Security-Policy: everything comes from here, and goes here or to the origins."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            " ".join(["connect-src 'self'", *connect_also]),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def page_routes(built: Path = BUILT, connect_also: Sequence[str] = ()) -> list[Route]:
    """The routes of the page, and of the files that it loads, as they are when the application is made.

    Args:
        built: the directory of the build.
        connect_also: origins that the page may talk to beside the one it comes from.
    """
    index = built / "index.html"
    page = Document(_page(index, policy(connect_also)))
    docs = page if index.exists() else Document(listing(ENDPOINTS))
    files = [
        Route(f"/assets/{file.name}", Document(_answer(file, _FOR_EVER)))
        for file in sorted((built / "assets").glob("*"))
    ]
    return [*(Route(path, docs if path == DOCS else page) for path in PATHS), *files]


def _page(file: Path, content_security_policy: str) -> Answer:
    if not file.exists():
        return Answer(503, _NOT_BUILT.encode(), "text/plain; charset=utf-8")
    safe = {
        "content-security-policy": content_security_policy,
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
    }
    return _answer(file, _ASK_AGAIN | safe)


def _answer(file: Path, headers: Mapping[str, str]) -> Answer:
    answer = Answer(200, file.read_bytes(), _MEDIA_TYPES[file.suffix])
    # Unlike what the API says, this is for everybody.
    answer.headers = [header for header in answer.headers if header[0] != b"cache-control"]
    answer.headers += [(name.encode(), value.encode()) for name, value in headers.items()]
    return answer
