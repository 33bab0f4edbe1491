"""Test in a real browser that foreign pages cannot read, send, approve, upload, share or frame anything."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser.chat import Chat, in_production
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider

pytestmark = in_production

MAIL = Call("send_email", {"to": "ada@example.org", "subject": "Hi", "body": "Hello"})
ATTACK = """async (app) => {
  const host = new URL(app).host;
  const tried = async (act) => { try { return await act(); } catch { return "refused"; } };
  const answer = (path, options) => tried(async () => (await fetch(app + path, options)).status);
  const socket = () => new Promise((done) => {
    const line = new WebSocket(`ws://${host}/_event/?EIO=4&transport=websocket&token=intruder`);
    line.onmessage = () => done("open");
    line.onerror = () => done("refused");
  });
  const loaded = (element, src) => new Promise((done) => {
    element.onload = () => done("loaded");
    element.onerror = () => done("refused");
    document.body.append(Object.assign(element, { src }));
  });
  const body = new Blob(["<b>intruder</b>"]);
  return {
    socket: await socket(),
    read: await answer("/ping", { credentials: "include" }),
    page: await answer("/", { credentials: "include" }),
    polling: await answer("/_event/?EIO=4&transport=polling"),
    upload: await answer("/uploads", { method: "POST", body, headers: { "X-Filename": "a.txt" } }),
    blind: (await tried(async () => (await fetch(app + "/uploads", { method: "POST", body, mode: "no-cors" })).type)),
    picture: await loaded(new Image(), app + "/favicon.svg"),
    script: await loaded(document.createElement("script"), app + "/assets/none.js"),
  };
}"""


class Page404(BaseHTTPRequestHandler):
    """A foreign site: an empty page at each path."""

    def do_GET(self) -> None:  # a name required by http.server
        """Answer with an empty page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><body>")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Write no log."""


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """Port of a foreign site on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Page404) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        yield other.server_address[1]
        other.shutdown()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def waiting(browser: Browser, server: Server, provider: Provider) -> Iterator[Chat]:
    """The user's own tab, in which a tool call awaits approval."""
    provider.answer("Write to Ada", [MAIL])
    context = browser.new_context()
    tab = Chat(context.new_page(), server)
    tab.go("/")
    tab.send("Write to Ada")
    expect(tab.by("approve")).to_be_visible()
    yield tab
    context.close()


def stored(server: Server) -> dict[str, list[Any]]:
    """Return the rows that an attacker might have changed."""
    with contextlib.closing(sqlite3.connect(server.database)) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        kept = [
            name
            for name in tables
            if name in ("agent_thread", "agent_message", "agent_file", "agent_tool_call")
        ]
        assert len(kept) >= 3, tables
        return {name: database.execute(f"select * from {name} order by 1").fetchall() for name in kept}


def test_the_same_attack_from_the_own_page_succeeds(server: Server, page: Page) -> None:
    """Proves that the other tests' requests are refused for their origin, not for their content."""
    page.goto(f"{server.url}/no/such/page")
    done = page.evaluate(ATTACK, server.url)
    assert done == {
        "socket": "open",
        "read": 200,
        "page": 200,
        "polling": 400,
        "upload": 201,
        "blind": "basic",
        "picture": "loaded",
        "script": "refused",
    }


@pytest.mark.parametrize(
    "place", ["http://evil.example:{site}", "http://127.0.0.1:{site}", "http://localhost:{site}"]
)
def test_a_page_of_another_origin_gets_nothing_and_does_nothing(
    server: Server, page: Page, site: int, waiting: Chat, place: str
) -> None:
    before = stored(server)
    page.goto(place.format(site=site))
    for name in ("127.0.0.1", "localhost"):
        done = page.evaluate(ATTACK, f"http://{name}:{server.port}")
        assert done.pop("blind") in ("opaque", "refused")  # sent, and answered with 403
        assert set(done.values()) == {"refused"}, done
    assert stored(server) == before
    expect(waiting.by("approve")).to_be_visible()


def test_a_rebound_name_shows_a_sentence_and_gets_nothing(server: Server, page: Page, waiting: Chat) -> None:
    before = stored(server)
    at = f"http://rebound.example:{server.port}"
    answer = page.goto(at)
    assert answer is not None
    assert answer.status == 403
    expect(page.locator("body")).to_contain_text(f"If this is your address, set CHAT_ORIGINS={at}")
    done = page.evaluate(ATTACK, at)
    assert done.pop("blind") == "basic"  # the server's own 403
    assert all(value in (403, "refused") for value in done.values()), done
    assert stored(server) == before


@pytest.mark.parametrize("path", ["/", "/settings", "/share/token", "/ping"])
def test_nobody_can_frame_the_app(server: Server, page: Page, site: int, path: str) -> None:
    for place in (f"http://evil.example:{site}", f"http://127.0.0.1:{site}"):
        page.goto(place)
        with page.expect_response(server.url + path) as answered:
            page.set_content(f"<iframe src='{server.url}{path}'></iframe>")
        assert answered.value.status == 403
        assert "frame-ancestors 'none'" in answered.value.headers["content-security-policy"]
        assert not [frame for frame in page.frames[1:] if frame.url.startswith(server.url)]


def test_a_link_of_another_site_opens_the_app(server: Server, page: Page, site: int) -> None:
    page.goto(f"http://evil.example:{site}")
    page.set_content(f"<a href='{server.url}/settings'>over there</a>")
    page.get_by_role("link").click()
    expect(page.get_by_role("main")).to_contain_text("Settings")
