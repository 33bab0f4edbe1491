"""Every model that a test asks is looked over its shoulder: an unpaired history fails the test.

Whatever model it is, it is handed a `ModelRequest`; and whatever provider litellm reaches, it is
reached through an httpx client. So nobody who writes a model, an adapter or a server for a test need
think of the check, and nobody can forget it.

A model that another process asks is not seen from here: those are a `ScriptedModel` or
`tests.support.providers.provider`, which refuse by themselves.
"""

from __future__ import annotations

import functools
from typing import Any

import httpx

from agent_core.llm import ModelRequest
from agent_core.testing import check_pairing
from tests.support.providers.pairing import complaint

VIOLATIONS: list[str] = []
"""What was found since somebody last looked."""


def watch() -> None:
    """Look at every request of this process from now on."""
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
