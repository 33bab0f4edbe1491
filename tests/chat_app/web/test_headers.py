"""Test the headers of every response, and redirects that stay below the app's path."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from chat_app.web.site import HARDENING, IMMUTABLE, BasePath, ResponseHeaders


async def plain(request: Request) -> Response:
    return PlainTextResponse(f"{request.url.path} {request.scope['root_path']}")


async def file(request: Request) -> Response:
    own = {"Content-Security-Policy": "sandbox", "Cache-Control": "private", "Referrer-Policy": "no-referrer"}
    response = PlainTextResponse("a file", headers=own)
    for name in ("Accept-Encoding", "Origin, Accept-Encoding", "Origin"):
        response.headers.append("Vary", name)
    return response


async def away(request: Request) -> Response:
    return RedirectResponse(request.query_params["to"])


def client(base_path: str = "") -> TestClient:
    """Return a client of a small app below a path."""
    routes = [
        Route("/", plain),
        Route("/page/", plain),
        Route("/file", file),
        Route("/away", away),
        Mount("/assets", routes=[Route("/page-1.js", plain)]),
    ]
    app: ASGIApp = ResponseHeaders(Starlette(routes=routes), "default-src 'none'", f"{base_path}/assets/")
    return TestClient(BasePath(app, base_path), "http://localhost:3000", follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/nothing", "/page", "/assets/page-1.js"])
def test_every_response_has_security_headers(path: str) -> None:
    headers = client().get(path).headers
    assert {name: headers[name] for name in HARDENING} == HARDENING
    assert headers["content-security-policy"] == "default-src 'none'"


def test_answers_keep_the_headers_they_have() -> None:
    headers = client().get("/file").headers
    assert headers["content-security-policy"] == "sandbox"
    assert headers["cache-control"] == "private"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert client().get("/file").headers.get_list("vary") == ["Accept-Encoding, Origin"]


@pytest.mark.parametrize("base_path", ["", "/agents"])
def test_only_hashed_files_that_are_there_are_kept_for_ever(base_path: str) -> None:
    for asked in {"", base_path}:
        one = client(base_path)
        assert one.get(f"{asked}/assets/page-1.js").headers["cache-control"] == IMMUTABLE
        assert one.get(f"{asked}/assets/page-2.js").headers["cache-control"] == "no-cache"
        assert one.get(f"{asked}/").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("base_path", ["", "/agents", "/a/b"])
def test_redirects_stay_below_the_path_and_name_no_host(base_path: str) -> None:
    for asked in {"", base_path}:
        answer = client(base_path).get(f"{asked}/page")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{base_path}/page/")


def test_redirects_to_other_hosts_are_left_alone() -> None:
    for to in (
        "https://example.org/a",
        "/a",
        "a/b",
        "http://localhost:3000.example/",
        "http://localhost:8080/",
    ):
        assert client().get("/away", params={"to": to}).headers["location"] == to


@pytest.mark.parametrize("slashes", ["//", "///", "/\\", "/\\/"])
def test_redirects_never_name_another_host(slashes: str) -> None:
    to = f"http://localhost:3000{slashes}evil.example/"
    location = client().get("/away", params={"to": to}).headers["location"]
    assert not location.startswith(("//", "/\\"))


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/agents", "/agents/"),
        ("/agents/", "/agents/"),
        ("/", "/agents/"),
        ("/agents/page/", "/agents/page/"),
        ("/page/", "/agents/page/"),
    ],
)
def test_app_is_found_whether_a_proxy_takes_its_path_off_or_not(asked: str, path: str) -> None:
    assert client("/agents").get(asked).text == f"{path} /agents"


@pytest.mark.parametrize("asked", ["/agentsmith", "/agents-2/page/", "/agents/agents/", "/Agents/"])
def test_paths_that_only_resemble_the_apps_path_are_not_found(asked: str) -> None:
    assert client("/agents").get(asked).status_code == 404
