"""Options that the endpoints share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from agent_core.agent import CallContext
from agent_core.domain.validation import clean_json
from agent_core.http.openai.models import Models
from agent_core.http.requests import Context, body_of, caller

if TYPE_CHECKING:
    from agent_core.api import AgentApi


@dataclass(frozen=True, slots=True)
class Options:
    """API and options of `make_openai_app`."""

    api: AgentApi
    context: Context | None
    models: Models
    max_body: int
    heartbeat: float

    async def caller(self, request: Request) -> CallContext | None:
        """Return the caller."""
        return await caller(self.context, request)

    async def read(self, request: Request) -> tuple[CallContext | None, dict[str, Any]]:
        """Return the caller and the body.

        Raises:
            HTTPException: the body is too long, or no JSON object.
            ValidationError: the body is nested too deeply.
        """
        ctx = await self.caller(request)
        return ctx, clean_json(await body_of(request, self.max_body))
