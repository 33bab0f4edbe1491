"""Test the guard's rule for each kind of request: which are accepted, and the sentence of each refusal."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chat_app.server.origins import parse_origin
from chat_app.web.guard import MAX_LOGGED, Guard

Header = tuple[str, str]
HERE: Header = ("host", "localhost:3000")


async def passed(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request, as the app behind the guard."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})


def guard(listening: str = "127.0.0.1", *listed: str, pages_port: int | None = None) -> Guard:
    """Return a guard in front of an app that answers every request."""
    origins = [origin for text in listed if (origin := parse_origin(text))]
    assert len(origins) == len(listed)
    return Guard(passed, listening, origins, pages_port)


async def ask(guard: Guard, *headers: Header, method: str = "POST", **scope: Any) -> tuple[int, str]:
    """Send a request through the guard; return status and body."""
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    whole = {"type": "http", "method": method, "path": "/uploads", "headers": raw} | scope
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await guard(whole, receive, send)
    if whole["type"] == "websocket":
        return (101, "") if sent[0]["type"] == "websocket.accept" else (403, sent[0].get("reason", ""))
    return sent[0]["status"], sent[1]["body"].decode()


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:3000", "LOCALHOST.:8080", "127.0.0.1:3000", "127.8.8.8", "[::1]:3000"]
)
async def test_guard_answers_to_loopback_at_every_port(host: str) -> None:
    assert await ask(guard(), ("host", host)) == (200, "in")
    assert await ask(guard(), ("host", host), ("origin", f"http://{host}")) == (200, "in")


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:3000",
        "localhost.evil.example",
        "evil-localhost",
        "127.0.0.1.evil.example",
        "127.0.0.1.nip.io",
        "localtest.me",
        "10.0.0.7:3000",
        "0.0.0.0:3000",
        "[fd00::1]:3000",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_guard_on_loopback_refuses_any_other_host(host: str, method: str) -> None:
    status, sentence = await ask(guard(), ("host", host), ("origin", f"http://{host}"), method=method)
    assert status == 403
    assert f"set CHAT_ORIGINS=http://{host}" in sentence


@pytest.mark.parametrize("listening", ["0.0.0.0", "::", "192.168.1.5", "box.lan"])
async def test_guard_beyond_loopback_answers_to_addresses_but_not_to_names(listening: str) -> None:
    for host in ("192.168.1.5:3000", "10.1.1.1", "[fd00::1]:3000", "localhost:3000"):
        assert await ask(guard(listening), ("host", host), ("origin", f"http://{host}")) == (200, "in")
    for host in ("evil.example", "192.168.1.5.nip.io", "box", "box.lan.evil.example"):
        assert (await ask(guard(listening), ("host", host)))[0] == 403


async def test_guard_answers_to_the_name_it_listens_on() -> None:
    assert await ask(guard("Box.lan"), ("host", "box.lan:3000")) == (200, "in")
    assert (await ask(guard("0.0.0.0"), ("host", "box.lan:3000")))[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("host", ""),),
        (HERE, HERE),
        (HERE, ("host", "evil.example")),
        (("host", "localhost, localhost"),),
        (("host", "user@localhost"),),
        (HERE, ("origin", "http://localhost:3000"), ("origin", "http://localhost:3000")),
        (HERE, ("origin", "http://localhost:3000"), ("origin", "http://evil.example")),
    ],
)
async def test_guard_answers_400_to_missing_or_doubled_headers(headers: tuple[Header, ...]) -> None:
    status, sentence = await ask(guard(), *headers, method="GET")
    assert (status, sentence) == (400, "A request must have one Host and at most one Origin.")


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://evil.example",
        "http://localhost",
        "http://localhost:8080",
        "https://localhost",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "http://sub.localhost:3000",
        "http://localhost:30000",
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_guard_refuses_foreign_origin(origin: str, kind: str) -> None:
    status, sentence = await ask(guard(), HERE, ("origin", origin), type=kind)
    assert status == 403
    assert sentence.endswith(f"set CHAT_ORIGINS={origin}")


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "file://",
        "http://localhost:3000/",
        "http://user@localhost:3000",
        "http://localhost:3000@evil.example",
        "http://localhost:3000, http://evil.example",
        "chrome-extension://abcdefghijklmnop",
        "http://localhost:3000\\.evil.example",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_guard_refuses_origin_that_is_none(origin: str, method: str) -> None:
    assert (await ask(guard(), HERE, ("origin", origin), method=method))[0] == 403


async def test_guard_tells_https_from_http_where_no_port_does() -> None:
    """Services at ports 80 and 443 of one name have the same Host but different origins."""
    bare = ("host", "localhost")
    assert await ask(guard(), bare, ("origin", "http://localhost")) == (200, "in")
    assert (await ask(guard(), bare, ("origin", "https://localhost")))[0] == 403
    listed = guard("127.0.0.1", "https://localhost")
    assert await ask(listed, bare, ("origin", "https://localhost")) == (200, "in")
    assert (await ask(listed, bare, ("origin", "http://localhost")))[0] == 403
    assert await ask(guard(), ("host", "localhost:8443"), ("origin", "https://localhost:8443")) == (200, "in")


@pytest.mark.parametrize("host", ["chat.example", "chat.example:443", "Chat.Example.", "127.0.0.1:3000"])
async def test_guard_lets_listed_origin_in_however_the_proxy_sets_host(host: str) -> None:
    listed = guard("127.0.0.1", "https://chat.example")
    assert await ask(listed, ("host", host), ("origin", "https://chat.example")) == (200, "in")
    assert (await ask(listed, ("host", host), ("origin", "http://chat.example")))[0] == 403
    assert (await ask(listed, ("host", host), ("origin", "https://chat.example:8443")))[0] == 403
    assert (await ask(listed, ("host", host), ("origin", "https://chat.example.evil.example")))[0] == 403


async def test_guard_keeps_its_own_pages_beside_listed_ones() -> None:
    listed = guard("127.0.0.1", "https://chat.example:8443")
    assert await ask(listed, HERE, ("origin", "http://localhost:3000")) == (200, "in")
    assert await ask(listed, ("host", "chat.example"), ("origin", "https://chat.example:8443")) == (200, "in")


@pytest.mark.parametrize(
    "name", ["x-forwarded-host", "x-forwarded-for", "x-original-host", "x-host", "forwarded", "x-real-ip"]
)
async def test_guard_ignores_headers_that_anybody_can_add(name: str) -> None:
    value = "host=localhost:3000" if name == "forwarded" else "localhost:3000"
    assert (await ask(guard(), ("host", "evil.example"), (name, value)))[0] == 403
    foreign = ("origin", "http://evil.example")
    assert (await ask(guard(), HERE, foreign, (name, value), ("x-forwarded-proto", "https")))[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "CROSS-SITE", "anything"])
async def test_guard_reads_fetch_metadata_where_there_is_no_origin(site: str) -> None:
    sent = ("sec-fetch-site", site)
    assert (await ask(guard(), HERE, sent))[0] == 403
    assert (await ask(guard(), HERE, sent, type="websocket"))[0] == 403
    assert (await ask(guard(), HERE, sent, ("sec-fetch-mode", "no-cors"), method="GET"))[0] == 403
    navigation = (sent, ("sec-fetch-mode", "navigate"))
    assert (await ask(guard(), HERE, *navigation, method="POST"))[0] == 403
    for framed in ("iframe", "frame", "object", "embed"):
        assert (await ask(guard(), HERE, *navigation, ("sec-fetch-dest", framed), method="GET"))[0] == 403
    followed = (*navigation, ("sec-fetch-dest", "document"))
    assert await ask(guard(), HERE, *followed, method="GET") == (200, "in")
    assert (await ask(guard(), HERE, ("sec-fetch-site", "none"), sent))[0] == 403


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_guard_lets_own_pages_and_typed_addresses_in(site: str) -> None:
    assert await ask(guard(), HERE, ("sec-fetch-site", site)) == (200, "in")


async def test_guard_knows_the_development_pages_by_their_port() -> None:
    backend = guard(pages_port=3000)
    for name in ("localhost", "127.0.0.1", "[::1]"):
        host, page = ("host", f"{name}:3001"), ("origin", f"http://{name}:3000")
        assert (await ask(backend, host, page, type="websocket"))[0] == 101
        assert (await ask(guard(), host, page, type="websocket"))[0] == 403
    picture = (("host", "localhost:3001"), ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors"))
    assert (await ask(backend, *picture, method="GET"))[0] == 200
    assert (await ask(guard(), *picture, method="GET"))[0] == 403
    crossed = (("host", "localhost:3001"), ("origin", "http://evil.example:3000"))
    assert (await ask(backend, *crossed, type="websocket"))[0] == 403


@pytest.mark.parametrize("name", ["x-forwarded-user", "x-user", "forwarded-user", "tenant", "authorization"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
async def test_guard_refuses_a_header_that_says_two_things(name: str, kind: str) -> None:
    """A second copy of the header in which a proxy names the signed-in user would make the user ambiguous."""
    doubled = ((name, "mallory"), (name, "admin"))
    status, sentence = await ask(guard(), HERE, *doubled, method="GET", type=kind)
    assert status == (403 if kind == "websocket" else 400)
    assert sentence == f"A request may have only one {name} header."


async def test_guard_lets_lists_and_equal_lines_be_repeated() -> None:
    lists = [
        (name, value) for name in ("cookie", "accept", "via", "x-forwarded-for", "if-match") for value in "ab"
    ]
    assert await ask(guard(), HERE, *lists, ("x-user", "ann"), ("x-user", "ann"), method="GET") == (200, "in")


async def test_guard_passes_lifespan_messages_through() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Guard(app, "127.0.0.1")({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


async def test_guard_logs_each_refusal_once_and_not_without_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "chat_app.web.guard")
    one = guard()
    for _ in range(3):
        await ask(one, HERE, ("origin", "http://evil.example"))
    assert len(caplog.records) == 1
    assert "CHAT_ORIGINS=http://evil.example" in caplog.text
    for number in range(2 * MAX_LOGGED):
        await ask(one, HERE, ("origin", f"http://evil{number}.example"))
    assert len(caplog.records) == MAX_LOGGED
