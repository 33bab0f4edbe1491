"""Test the bound on socket messages: a message with too many values closes the socket before it is parsed."""

from __future__ import annotations

from typing import Any

import pytest

from agent_core.domain.field_limits import MAX_VALUES
from chat_app.web.site import CLOSE_TOO_BIG, SocketBounds

PROSE = "a, [b], {c} " * MAX_VALUES


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        ({"text": '42/_event,["event",{"a":"' + PROSE + '"}]'}, True),
        ({"text": '42/_event,["event",{"a":[' + "[]," * MAX_VALUES + "1]}]"}, False),
        ({"text": "42/_event,[" + "\ud800," * MAX_VALUES + "1]"}, False),
        ({"text": "2"}, True),
        ({"bytes": b"[]," * MAX_VALUES}, True),
        ({"text": None, "bytes": b""}, True),
    ],
    ids=["prose", "lists", "lone surrogates", "ping", "bytes", "nothing"],
)
async def test_socket_ends_with_a_message_that_has_too_many_values(
    message: dict[str, Any], kept: bool
) -> None:
    heard: list[Any] = []
    sent: list[Any] = []
    given = {"type": "websocket.receive"} | message

    async def receive() -> Any:
        return given

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())

    await SocketBounds(app)({"type": "websocket"}, receive, send)
    if kept:
        assert (heard, sent) == ([given], [])
    else:
        assert heard == [{"type": "websocket.disconnect", "code": CLOSE_TOO_BIG}]
        assert sent[0]["code"] == CLOSE_TOO_BIG
