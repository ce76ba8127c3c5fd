from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.applications import Starlette

from api.page import PATHS, page_routes, policy
from api.routes import ENDPOINTS


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<title>Order Execution</title>")
    (tmp_path / "assets").mkdir()
    for name in ("index-1a2b.js", "index-1a2b.css", "icon-1a2b.svg"):
        (tmp_path / "assets" / name).write_text(name)
    return tmp_path


def client_of(built: Path, *connect_also: str) -> AsyncClient:
    app = Starlette(routes=page_routes(built, connect_also))
    return AsyncClient(transport=ASGITransport(app), base_url="http://engine")


@pytest.mark.parametrize("path", PATHS)
async def test_the_page_is_asked_for_anew_each_time_and_lets_nothing_else_in(built: Path, path: str) -> None:
    async with client_of(built) as client:
        response = await client.get(path)
    assert response.text == "<title>Order Execution</title>"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers.get_list("cache-control") == ["no-cache"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"] == policy()
    assert "unsafe" not in policy()
    assert policy().startswith("default-src 'none'; script-src 'self'; ")


@pytest.mark.parametrize(
    ("ending", "media_type"),
    [("js", "text/javascript; charset=utf-8"), ("css", "text/css; charset=utf-8"), ("svg", "image/svg+xml")],
)
async def test_what_the_page_loads_is_kept_for_ever(built: Path, ending: str, media_type: str) -> None:
    name = f"{'icon' if ending == 'svg' else 'index'}-1a2b.{ending}"
    async with client_of(built) as client:
        response = await client.get(f"/assets/{name}")
    assert (response.status_code, response.text) == (200, name)
    assert response.headers["content-type"] == media_type
    assert response.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/assets/", "/assets/other.js", "/assets/../index.html", "/assets/%2e%2e/index.html"])
async def test_nothing_else_is_there(built: Path, path: str) -> None:
    async with client_of(built) as client:
        response = await client.get(path)
    assert response.status_code == 404


async def test_another_origin_is_reached_only_where_it_is_named(built: Path) -> None:
    async with client_of(built, "https://events.example") as client:
        response = await client.get("/")
    assert "connect-src 'self' https://events.example;" in response.headers["content-security-policy"]
    assert response.headers["content-security-policy"].count("https://") == 1


async def test_a_page_that_was_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        response = await client.get("/")
    assert response.status_code == 503
    assert "`make web` builds it" in response.text
    assert response.headers["content-type"] == "text/plain; charset=utf-8"


async def test_the_page_is_only_read(built: Path) -> None:
    async with client_of(built) as client:
        response = await client.post("/")
        head = await client.head("/")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert head.status_code == 200


async def test_without_a_build_the_documentation_lists_every_endpoint(tmp_path: Path) -> None:
    async with client_of(tmp_path) as client:
        response = await client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    for endpoint in ENDPOINTS:
        assert f"<code>{endpoint.method} {endpoint.path}</code>" in response.text
    assert "<code>WS /ws/orders/events</code>" in response.text
    assert "//" not in response.text  # nothing of it comes from elsewhere
