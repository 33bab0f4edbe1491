"""Provider on loopback that speaks one dialect, with scripted replies and strict checks of requests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.providers.dialects.dialect import Dialect
from tests.providers.dialects.script import Item, Json, Reply
from tests.providers.loopback import Answer, Provider, Stream, listening


class DialectServer(Provider):
    """Running server of one dialect.

    Attributes:
        dialect: the server's dialect.
        said: replies so far, as items with ids.
        requests: body of each request.
        violations: reasons of refused requests, in the provider's words.
    """

    def __init__(self, dialect: Dialect, replies: Sequence[Reply | Stream | Answer]) -> None:
        super().__init__([])
        self.dialect = dialect
        self.said: list[list[Item]] = []
        self._replies = list(replies)

    @property
    def options(self) -> dict[str, Any]:
        """Options with which an agent or a `LitellmModel` reaches the server."""
        base = self.url.removesuffix("/v1") + self.dialect.below
        return {"api_base": base, "api_key": "k" * 12, "timeout": 10}

    def then(self, *replies: Reply | Stream | Answer) -> None:
        """Add replies to the script."""
        self._replies += replies

    def check(self, request: Json) -> list[str]:
        """Return the provider's complaints about a request."""
        return self.dialect.check(request, self.said)

    def _refusal(self, path: str, body: bytes) -> Answer | None:
        request = json.loads(body)
        if not {"messages", "contents", "input"} & request.keys():
            self.requests.pop()  # litellm queries Ollama's server about the model
            return Answer(404, {"error": "not found"})
        found = self.check(request)
        self.violations += found
        return self.dialect.refusal(found[0]) if found else None

    def _next(self) -> Answer | Stream:
        if not self._replies:
            return self.dialect.refusal("The test has no reply to this request.")
        reply = self._replies.pop(0)
        if isinstance(reply, Stream | Answer):
            return reply
        self.said.append(self.dialect.prepared(reply, len(self.said)))
        return Stream(self.dialect.stream(self.said[-1]), end="eof", content_type=self.dialect.content_type)


@asynccontextmanager
async def serving(dialect: Dialect, *replies: Reply | Stream | Answer) -> AsyncIterator[DialectServer]:
    """Run a server of a dialect; each request gets the next reply.

    A reply is a list of texts, `Thought`s and `Use`s; a `Stream` or an `Answer` is sent unchanged.
    """
    running = DialectServer(dialect, replies)
    async with listening(running):
        yield running
