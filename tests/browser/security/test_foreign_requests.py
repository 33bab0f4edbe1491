"""Test that the real server refuses requests of foreign pages at every entry point."""

from __future__ import annotations

import pytest

from tests.support.browser.chat import in_production
from tests.support.browser.raw import UPGRADE, request
from tests.support.browser.server import Server

pytestmark = in_production

SOCKET = "GET /_event/?EIO=4&transport=websocket"
POLLING = "/_event/?EIO=4&transport=polling"
ROUTES = [
    "GET /",
    "GET /settings",
    "GET /favicon.svg",
    "GET /no/such/page",
    "GET /ping",
    "GET /_health",
    "POST /uploads",
    "OPTIONS /uploads",
    "POST /imports",
    "GET /exports/thread_1",
    "GET /files/thread_1/file_1/name",
    "GET /shared/token/file_1/name",
    "GET /share/token",
    f"GET {POLLING}",
    f"POST {POLLING}&sid=1",
    "DELETE /anything",
]


@pytest.mark.parametrize("route", [*ROUTES, SOCKET])
def test_every_route_and_the_socket_refuse_a_foreign_page(server: Server, route: str) -> None:
    upgrade = UPGRADE if route is SOCKET else ()
    for headers in (
        (f"Host: 127.0.0.1:{server.port}", "Origin: http://evil.example"),
        (f"Host: 127.0.0.1:{server.port}", f"Origin: http://127.0.0.1:{server.port + 1}"),
        (f"Host: 127.0.0.1:{server.port}", "Origin: null"),
        (f"Host: 127.0.0.1:{server.port}", "Sec-Fetch-Site: cross-site"),
        (f"Host: evil.example:{server.port}", f"Origin: http://evil.example:{server.port}"),
        (f"Host: evil.example:{server.port}", f"X-Forwarded-Host: 127.0.0.1:{server.port}"),
    ):
        status, answered, sentence = request(server.port, route, *headers, *upgrade)
        assert status == 403, headers
        assert any(words in sentence for words in (b"cannot use", b"does not accept", b"is not served")), (
            sentence
        )
        assert "access-control-allow-origin" not in answered


@pytest.mark.parametrize("route", ["GET /ping", "POST /uploads", SOCKET])
def test_doubled_headers_are_malformed(server: Server, route: str) -> None:
    upgrade = UPGRADE if route is SOCKET else ()
    own = f"Host: 127.0.0.1:{server.port}"
    page = f"Origin: http://127.0.0.1:{server.port}"
    for headers in (
        (),
        (own, own),
        (own, "Host: evil.example"),
        (own, page, page),
        (own, page, "Origin: null"),
    ):
        assert request(server.port, route, *headers, *upgrade)[0] == 400, headers


def test_a_whole_address_in_the_request_line_changes_nothing(server: Server) -> None:
    line = f"GET http://127.0.0.1:{server.port}/ping"
    assert request(server.port, line, "Host: evil.example")[0] == 403
    assert (
        request(server.port, line, f"Host: 127.0.0.1:{server.port}", "Origin: http://evil.example")[0] == 403
    )
    assert request(server.port, line, f"Host: 127.0.0.1:{server.port}")[0] == 200
    assert request(server.port, "GET http://evil.example/ping")[0] == 403  # the address sets the Host


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST."])
@pytest.mark.parametrize("port", ["", ":80", ":8443"])
def test_the_own_page_may_ask_at_every_loopback_name_and_port(server: Server, name: str, port: str) -> None:
    headers = (f"Host: {name}{port}", f"Origin: http://{name}{port}")
    assert request(server.port, "GET /ping", *headers)[0] == 200
    assert request(server.port, SOCKET, *headers, *UPGRADE)[0] == 101


def test_requests_of_programs_other_than_browsers_are_accepted(server: Server) -> None:
    own = f"Host: 127.0.0.1:{server.port}"
    assert request(server.port, "GET /ping", own)[0] == 200
    assert request(server.port, SOCKET, own, *UPGRADE)[0] == 101
    status, _, body = request(server.port, "POST /uploads", own, "X-Filename: a.txt", body=b"hello")
    assert status == 201, body


def test_a_refusal_is_logged_once_with_what_to_set(server: Server) -> None:
    for _ in range(3):
        foreign = (f"Host: 127.0.0.1:{server.port}", "Origin: http://logged.example")
        request(server.port, "GET /ping", *foreign)
    lines = [line for line in server.log.read_text().splitlines() if "logged.example" in line]
    assert len(lines) == 1
    assert "CHAT_ORIGINS=http://logged.example" in lines[0]
