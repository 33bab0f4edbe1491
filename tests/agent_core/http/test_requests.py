"""Request bodies that are too long, too slow, or incomplete when the client leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from agent_core.http import requests
from agent_core.http.requests import read_body

pytestmark = pytest.mark.sqlite  # no database is used


def request(*messages: dict[str, Any], length: str | None = None) -> Request:
    """Return a request that delivers these messages and then nothing more."""
    coming = list(messages)

    async def receive() -> dict[str, Any]:
        if not coming:
            await asyncio.Event().wait()
        return coming.pop(0)

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def piece(data: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": data, "more_body": more}


async def refusal(asked: Request, most: int = 10) -> HTTPException:
    with pytest.raises(HTTPException) as raised:
        await asyncio.wait_for(read_body(asked, most), 20)
    return raised.value


async def test_body_comes_in_pieces() -> None:
    assert (
        await read_body(request(piece(b"12345"), piece(b""), piece(b"67890", more=False)), 10)
        == b"1234567890"
    )
    assert await read_body(request(piece(b"", more=False), length="0"), 10) == b""


@pytest.mark.parametrize("length", ["11", "999999999999999999999999"])
async def test_body_that_says_it_is_too_long_is_refused_unread(length: str) -> None:
    assert (await refusal(request(length=length))).status_code == 413


async def test_body_that_becomes_too_long_is_refused_without_its_rest() -> None:
    assert (await refusal(request(piece(b"12345678"), piece(b"901")))).status_code == 413


async def test_body_that_stops_coming_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "PIECE_TIMEOUT", 0.01)
    error = await refusal(request(piece(b"1")))
    assert (error.status_code, error.detail) == (408, "No part of the body arrived for 0 seconds.")


async def test_body_of_client_that_left_is_refused() -> None:
    assert (await refusal(request(piece(b"1"), {"type": "http.disconnect"}))).status_code == 400
