"""Check the tools that a provider runs itself, such as a web search, and track their calls in a step.

An agent gets these tools as the provider's own dicts. Their calls become tool parts with
`providerExecuted: true`, as in the AI SDK; the calls have no rows, and each has its outcome by the end of
its step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from agent_core.domain.messages import OPEN_TOOL_STATES, Chunk, Part
from agent_core.domain.model_adapter import HostedCall, HostedResult, Metadata, merge_metadata
from agent_core.domain.signatures import METADATA
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import ValidationError
from agent_core.support.argument_checks import shown
from agent_core.support.plain_json import items_of

NO_RESULT = "The provider returned no result of this call."
_UNNAMED = "provider_tool"
_ANTHROPIC = "srvtoolu_"
"""Prefix of the ids of Anthropic's own calls, also if litellm returns them as regular calls."""


def checked_provider_tools(
    given: Sequence[dict[str, Any]] | None, local: Collection[str]
) -> list[dict[str, Any]]:
    """Return provider tools, such as {"type": "web_search_20250305", "name": "web_search"}, as plain JSON.

    Raises:
        ValidationError: a tool is not such a dict, is a function, or has the name of another tool, which may be
            one of the agent's own (`local`).
    """
    tools: list[dict[str, Any]] = []
    taken: set[str] = set()
    for each in given or ():
        tool = clean_json(each)
        if not tool:
            raise ValidationError(
                "A provider tool is the provider's own dict, such as {'type': 'web_search'}."
            )
        if tool.get("type") == "function" or "function" in tool:
            raise ValidationError(
                f"{shown(each)} is a function, which no provider runs; make a tool of it with @action_tool."
            )
        for name in provider_tool_names([tool]).intersection(local):
            raise ValidationError(
                f"Two tools are called {name!r}: one of the provider's and one of the agent's."
            )
        if (name := name_of(tool)) in taken:
            raise ValidationError(f"Two provider tools are called {name!r}; give one of them.")
        taken.add(name)
        tools.append(tool)
    return tools


def name_of(tool: dict[str, Any]) -> str:
    """Return the name of a provider tool: its name, its type, or its only key (Gemini's form)."""
    return str(tool.get("name") or tool.get("type") or next(iter(tool)))


def provider_tool_names(tools: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Return the names that calls of provider tools may have."""
    return frozenset(str(name) for tool in tools for name in (tool.get("name"), name_of(tool)) if name)


class HostedCalls:
    """The calls of provider tools in one step.

    `names` are those of the request's provider tools; `sign` makes a chunk's metadata from an event's; `paused` has
    the chunks of the calls that the previous step left open, by id (see `paused_calls`).
    """

    def __init__(
        self,
        names: Collection[str],
        sign: Callable[[Metadata], Chunk],
        paused: Mapping[str, Chunk] | None = None,
    ) -> None:
        self._names = names
        self._sign = sign
        self._paused = dict(paused or {})
        self._ids: dict[str, str] = {}  # our id by the provider's
        self._open: dict[str, Chunk] = {}  # the chunk of each call without an outcome, by the provider's id

    def __bool__(self) -> bool:
        return bool(self._ids)

    def runs(self, id: str | None, name: str) -> bool:
        """Return whether a call in the form of a regular call is the provider's own."""
        return name in self._names or (id or "").startswith(_ANTHROPIC)

    def call(self, event: HostedCall, free: Callable[[str], str]) -> list[Chunk]:
        """Return the chunks of a call; `free` returns an id that is unique in the thread."""
        if event.id not in self._ids:
            self._ids[event.id] = free(event.id)
        chunk: Chunk = {
            "type": "tool-input-available",
            "toolCallId": self._ids[event.id],
            "toolName": clean_text(event.name) or _UNNAMED,
            "input": clean_json(event.input if event.input is not None else {}),
            "providerExecuted": True,
        } | self._sign(event.metadata or {})
        self._open[event.id] = chunk
        return [chunk]

    def result(self, event: HostedResult) -> tuple[list[Chunk], list[Chunk]]:
        """Return the chunks of an outcome: those kept only in the step, and those that are yielded, too."""
        call = self._open.pop(event.id, None)
        before = self._paused.pop(event.id, None) if call is None else None
        if (call := call or before) is None:
            return [], []
        if before is not None:
            self._ids[event.id] = call["toolCallId"]
        kept = [call | self._sign(_merged(call, event.metadata or {}))] if event.metadata or before else []
        head = {"toolCallId": call["toolCallId"], "providerExecuted": True}
        if event.error is not None:
            return kept, [{"type": "tool-output-error", **head, "errorText": clean_text(event.error)}]
        return kept, [{"type": "tool-output-available", **head, "output": clean_json(event.output)}]

    def unanswered(self, *, paused: bool = False) -> list[tuple[list[Chunk], list[Chunk]]]:
        """Return outcomes for the calls without one; see `result`.

        If the provider has paused, calls that are sent back stay open, because it can still answer them.
        """
        return [
            self.result(HostedResult(id, None, error=NO_RESULT))
            for id in [*self._open, *self._paused]
            if not (paused and METADATA in self._open.get(id, {METADATA: {}}))
        ]


def paused_calls(messages: Sequence[dict[str, Any]]) -> dict[str, Chunk]:
    """Return the chunks of the calls that the last message of a request leaves open.

    Their provider paused during these calls and is asked to continue.
    """
    blocks: list[dict[str, Any]] = items_of(messages[-1].get("content")) if messages else []
    answered = {block.get("tool_use_id") for block in blocks}
    return {
        str(block["id"]): {
            "type": "tool-input-available",
            "toolCallId": str(block["id"]),
            "toolName": str(block.get("name") or _UNNAMED),
            "input": block.get("input") or {},
            "providerExecuted": True,
        }
        for block in blocks
        if block.get("type") == "server_tool_use" and block.get("id") not in answered
    }


def with_later_outcomes(parts: Sequence[Part], more: Sequence[Part]) -> list[Part]:
    """Return the parts of a message and its next step; a hosted call keeps its place and gets its outcome."""
    places = {
        part.get("toolCallId"): place
        for place, part in enumerate(parts)
        if is_hosted(part) and not has_outcome(part)
    }
    joined = list(parts)
    for part in more:
        place = places.get(part.get("toolCallId")) if is_hosted(part) else None
        if place is None:
            joined.append(part)
        else:
            joined[place] = {**joined[place], **part}
    return joined


def _merged(call: Chunk, metadata: Metadata) -> Metadata:
    """Return the metadata of a call and its result, merged."""
    known = dict(cast("Metadata", call.get(METADATA) or {}))
    merge_metadata(known, metadata)
    return known


def has_outcome(part: Part) -> bool:
    """Return whether a hosted call has an outcome from its provider."""
    return part.get("state") not in OPEN_TOOL_STATES and part.get("errorText") != NO_RESULT


def is_hosted(part: dict[str, Any]) -> bool:
    """Return whether a tool part is of a call that the provider ran."""
    return cast(Any, part.get("providerExecuted")) is True
