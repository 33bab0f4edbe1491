"""Test files: type detection by content, sending with a message, and serving them harmlessly."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from chat_app.files import uploads
from chat_app.files.file_types import MAX_BYTES, MAX_NAME, kind_of, plain_name
from chat_app.files.uploads import routes
from chat_app.messages.message_actions import Actions
from tests.chat_app.support import Serve, Tab

PNG = b"\x89PNG\r\n\x1a\n and then some"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@asynccontextmanager
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(routes), base_url="http://chat") as client:
        yield client


async def uploaded(client: httpx.AsyncClient, data: bytes, name: str) -> dict[str, Any]:
    answer = await client.post("/uploads", content=data, headers={"x-filename": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["part"]


async def test_a_file_is_sent_shown_and_kept_when_its_message_is_edited(serve: Serve, tab: Tab) -> None:
    async with serve([["A dot."], ["Still a dot."]]) as shared, browser() as client:
        part = await uploaded(client, PNG, "a%20dot.png")
        await tab.thread.send("", "msg_1", [part | {"onload": "evil"}])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        (file,) = tab.thread.turn[0].files
        assert (file.name, file.picture, tab.thread.title) == ("a dot.png", True, "a dot.png")
        answer = await client.get(file.path)
        assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
        assert answer.headers["content-disposition"].startswith("inline")
        assert [set(each) for each in (await shared.api.list_messages(tab.thread.open_id))[0].parts] == [
            {"type", "mediaType", "url", "filename"}
        ]

        actions = await tab.thread.get_state(Actions)
        await actions.edit("msg_1", "What is it?")
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        await tab.read(shared, lambda: tab.thread.status == "completed")
        assert (tab.thread.turn[0].text, tab.thread.turn[0].files) == ("What is it?", [file])


async def test_served_files_cannot_run(serve: Serve, tab: Tab) -> None:
    async with serve([["Fine."]]) as shared, browser() as client:
        part = await uploaded(client, SVG, "evil.svg")
        assert part["mediaType"] == "text/plain"
        await tab.thread.send("Look", "msg_1", [part])
        await shared.api.wait_until_idle(tab.thread.open_id, 20)
        path = f"/files/{tab.thread.open_id}/{part['url'].removeprefix('attachment:')}/x%22%0d%0aA:b.html"
        answer = await client.get(path)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''x%22%20%20A%3Ab.html"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        for elsewhere in ("/files/thread_gone/0/x", f"/files/{tab.thread.open_id}/{'0' * 64}/x"):
            assert (await client.get(elsewhere)).status_code == 404


async def test_a_message_with_a_missing_file_comes_back_with_advice(serve: Serve, tab: Tab) -> None:
    async with serve([]):
        gone = {
            "type": "file",
            "mediaType": "image/png",
            "url": "attachment:" + "0" * 64,
            "filename": "a.png",
        }
        await tab.thread.send("Look", "msg_1", [gone])
        assert tab.thread.rejected == "msg_1"
        assert "a.png" in tab.thread.notice
        assert "attach it again" in tab.thread.notice


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "a.txt", "empty"),
        (b"MZ\0\x01", "setup.exe", "kind"),
        (b"PK\3\4\0", "renamed.png", "kind"),
        (b"\xff\xfe\xfa", "latin.txt", "kind"),
        (b"x" * (MAX_BYTES + 1), "big.txt", "too_large"),
        (b"hello", None, "unnamed"),
    ],
)
async def test_each_refusal_has_a_reason(serve: Serve, data: bytes, name: str | None, reason: str) -> None:
    async with serve([]), browser() as client:
        headers = {} if name is None else {"x-filename": name}
        answer = await client.post("/uploads", content=data, headers=headers)
        assert answer.status_code >= 400
        assert answer.json() == {"error": reason}


async def test_an_upload_that_its_page_cancels_keeps_nothing_and_is_no_error() -> None:
    pieces = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    said: list[Any] = []

    async def receive() -> Any:
        return next(pieces)

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "http", "method": "POST", "path": "/uploads", "query_string": b""}
    await routes({**scope, "headers": [(b"x-filename", b"a.txt")]}, receive, send)
    assert said[0]["status"] == 400


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (PNG, "x", "image/png"),
        (b"\xff\xd8\xff\xe0", "x.png", "image/jpeg"),
        (b"GIF89a\0", "x", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "x", "image/webp"),
        (b"%PDF-1.7", "x.txt", "application/pdf"),
        ("Grüße".encode(), "read.me", "text/plain"),
        (b"# Hi", "a.MD", "text/markdown"),
        ("Grüße, naïve".encode("utf-16"), "a.txt", "text/plain"),
        ("Die Übergabe der Schlüssel".encode("cp1252"), "a.csv", "text/csv"),
        ("月末までに請求書を".encode("shift_jis"), "a.txt", "text/plain"),
        (b"print(1)", "a.py", "text/plain"),
    ],
)
def test_a_file_type_is_detected_by_its_bytes(data: bytes, name: str, kind: str) -> None:
    assert kind_of(data, name) == kind


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.txt", "b.txt"),
        ("a\r\nb\u202e.txt", "a  b .txt"),
        ("", "file"),
        ("/", "file"),
        ("x" * 500 + ".txt", "x" * (MAX_NAME - 4) + ".txt"),
    ],
)
def test_a_name_is_one_plain_line(name: str, plain: str) -> None:
    assert plain_name(name) == plain


async def test_upload_detects_the_encoding_off_the_event_loop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []

    def noted(data: bytes, name: str) -> str | None:
        threads.append(threading.current_thread())
        return kind_of(data, name)

    monkeypatch.setattr(uploads, "kind_of", noted)
    async with serve([]), browser() as client:
        await uploaded(client, "Привет, как дела?".encode("cp1251"), "a.txt")
    assert threads
    assert threading.current_thread() not in threads
