"""The page's socket: a message that holds more than any page says ends it before it is parsed."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent_core.domain.field_limits import MAX_VALUES, has_too_many_values

logger = logging.getLogger(__name__)

TOO_BIG = 1009  # RFC 6455, section 7.4.1


class SocketBounds:
    """Closes a socket of whose messages one has more than `MAX_VALUES` JSON values.

    Reflex parses a message and looks through its arguments on the event loop, on which everybody waits.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; the app hears of a message with too much in it that the client has left."""

        async def bounded() -> Message:
            message = await receive()
            text = message.get("text") or ""
            if len(text) <= MAX_VALUES or not has_too_many_values(text.encode("utf-8", "replace")):
                return message
            logger.warning("Closed a socket: its message had more than %d JSON values", MAX_VALUES)
            await send({"type": "websocket.close", "code": TOO_BIG, "reason": "Too many values."})
            return {"type": "websocket.disconnect", "code": TOO_BIG}

        await self._app(scope, bounded if scope["type"] == "websocket" else receive, send)
