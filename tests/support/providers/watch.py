"""Watch every model request of a test: an unpaired history fails the test.

Every model gets a `ModelRequest`, and litellm reaches every provider through an httpx client. So the check
needs no code in the models, adapters and servers of tests, and cannot be forgotten.

Requests of other processes are not visible here; those use a `ScriptedModel` or
`tests.support.providers.provider`, which refuse unpaired histories themselves.
"""

from __future__ import annotations

import functools
from typing import Any

import httpx

from agent_core.llm import ModelRequest
from agent_core.testing import check_pairing
from tests.support.providers.pairing import complaint

VIOLATIONS: list[str] = []
"""Violations found since the last check."""


def watch() -> None:
    """Check every request of this process from now on."""
    made, send = ModelRequest.__init__, httpx.AsyncClient.send

    @functools.wraps(made)
    def checked(self: ModelRequest, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        try:
            check_pairing(self.messages)
        except AssertionError as error:
            VIOLATIONS.append(f"a model is asked: {error}")

    @functools.wraps(send)
    async def passed(self: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        if request.method == "POST" and (sentence := complaint(request.url.path, await request.aread())):
            VIOLATIONS.append(f"{request.url.path} is sent: {sentence}")
        return await send(self, request, **options)

    ModelRequest.__init__ = checked
    httpx.AsyncClient.send = passed  # type: ignore[method-assign]
