"""Read an answer through litellm's own stream wrapper.

The wrapper is used for formats without a reader, answers from litellm's cache, and where litellm changes or
refuses answers. litellm converts every format to OpenAI's, with extra fields.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from agent_core.domain.model_adapter import Finish, ModelEvent, ReasoningDelta
from agent_core.llm.readers.anthropic import hosted_call, hosted_result
from agent_core.llm.readers.gemini import invocation
from agent_core.llm.readers.openai_chat import ChatReader
from agent_core.llm.readers.reader import sources_of
from agent_core.llm.streams.listeners import accept_repetition
from agent_core.support.plain_json import Json, fields_of, items_of

_RESULTS = ("web_search_results", "tool_results")


class _WrapperReader(ChatReader):
    """Reader of the chunks of litellm's wrapper."""

    def __init__(self) -> None:
        super().__init__()
        self.provider_finish: str | None = None
        self._called: set[str] = set()
        self._answered: set[str] = set()

    def read(self, chunk: Json, /) -> list[ModelEvent]:
        """Return the events of one chunk."""
        delta = fields_of(fields_of(next(iter(items_of(chunk.get("choices"))), None)).get("delta"))
        fields = fields_of(delta.get("provider_specific_fields"))
        self.provider_finish = fields.get("stop_reason") or self.provider_finish
        if words := fields_of(fields.get("stop_details")).get("explanation"):
            self.message = str(words)
        before = self._hosted(fields)
        after = _reasoning_items(delta, fields) + sources_of([fields.get("citation")])
        return [*before, *super().read(chunk), *after]

    def _hosted(self, fields: Json) -> list[ModelEvent]:
        """Return calls of Anthropic's own tools and their results; each list is cumulative."""
        events: list[ModelEvent] = []
        for call in map(fields_of, items_of(fields.get("server_tool_calls"))):
            if (id := str(call.get("id"))) not in self._called:
                self._called.add(id)
                function = fields_of(call.get("function"))
                head = {"type": "server_tool_use", "id": id, "name": str(function.get("name") or "")}
                events += hosted_call(head | {"json": str(function.get("arguments") or "")})
        for result in map(fields_of, [each for name in _RESULTS for each in items_of(fields.get(name))]):
            if (id := str(result.get("tool_use_id"))) not in self._answered:
                self._answered.add(id)
                events += hosted_result(result)
        for ran in map(fields_of, items_of(fields.get("server_side_tool_invocations"))):
            events += invocation(ran)
        return events


def _reasoning_items(delta: Json, fields: Json) -> list[ModelEvent]:
    """Return OpenAI's reasoning items from the last chunk, if each can be sent back with the item after it.

    The check uses litellm's own conversion of the whole answer for the next request.
    """
    items = [
        {
            key: item[key]
            for key in ("type", "id", "summary", "encrypted_content")
            if item.get(key) is not None
        }
        for item in map(fields_of, items_of(delta.get("reasoning_items")))
    ]
    if not items or not fields.get("openai_responses_replay"):
        return []
    return [ReasoningDelta("", {"openai": {"reasoningItems": items}})]


class WrappedStream:
    """Answer that is read through litellm's own stream wrapper.

    `trusted` says whether a finish reason that litellm made up counts, `observed` whether litellm has listeners for
    the whole answer.
    """

    def __init__(self, litellm: Any, answer: Any, *, trusted: bool, observed: bool) -> None:
        self._litellm = litellm
        self._answer = answer
        self._trusted = trusted
        self._reader = _WrapperReader()
        self._usage: Any = None
        if observed:
            accept_repetition(answer)
        else:
            _keep_only_usage(answer)

    @property
    def finish(self) -> Finish | None:
        """Finish reason of the provider; None: there was none, so the answer was cut off."""
        if not self._trusted and _was_cut(self._answer):
            return None
        # The wrapper changes the provider's "stop" to "tool_calls".
        received = getattr(self._answer, "received_finish_reason", None)
        reason = self._reader.provider_finish or received or self._reader.finish
        return self._reader.to_finish(self._litellm, self._answer, reason)

    @property
    def usage(self) -> Any:
        """The usage, as litellm's object; None: the provider reported none."""
        return self._usage

    async def events(self) -> AsyncGenerator[ModelEvent]:
        """Yield the events of the wrapper's chunks."""
        async for chunk in _until_cut(self._answer):
            if (usage := getattr(chunk, "usage", None)) is not None:
                self._usage = usage
            for event in self._reader.read(chunk.model_dump(exclude={"usage"})):
                yield event
        # The wrapper does not pass on the usage of an answer that was cut off, though it keeps it; if
        # there was none, it counts tokens itself.
        kept = [chunk.usage for chunk in getattr(self._answer, "chunks", ()) if getattr(chunk, "usage", None)]
        self._usage = (self._usage or kept[-1]) if kept else None
        for event in self._reader.end():
            yield event


async def _until_cut(answer: Any) -> AsyncGenerator[Any]:
    """Yield the wrapper's chunks; a stream without a finish reason ends without an error."""
    try:
        async for chunk in answer:
            yield chunk
    except Exception as error:
        if "ended before a finish_reason" not in str(error):
            raise


def _was_cut(answer: Any) -> bool:
    """Return whether a stream ended without a finish reason from the provider.

    litellm then makes up a finish_reason "stop" (BerriAI/litellm#40260); the provider's real reason
    is in these two attributes of its stream wrapper.
    """
    return (
        getattr(answer, "received_finish_reason", "unknown") is None
        and getattr(answer, "intermittent_finish_reason", "unknown") is None
    )


class _UsageOnly(list[Any]):
    """List that keeps only chunks with usage.

    litellm collects all chunks and rebuilds the whole answer from them at the end, twice, on the
    event loop: 0.2 s for 3,000 chunks. Only the usage is needed here, unless a callback or the cache
    gets the answer.
    """

    def append(self, chunk: Any) -> None:
        if getattr(chunk, "usage", None) is not None:
            super().append(chunk)


def _keep_only_usage(answer: Any) -> None:
    if isinstance(getattr(answer, "chunks", None), list):
        answer.chunks = _UsageOnly()
