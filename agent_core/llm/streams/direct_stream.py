"""Read an answer without litellm's stream wrapper, if the format of the provider's stream is supported.

litellm names, configures and requests the model, and returns a wrapper around the provider's
own stream. The wrapper makes four or five pydantic objects of each chunk, which costs many times the
reading itself, and loses metadata that the provider expects back. So supported formats are read
directly as JSON, and litellm's listeners (callbacks, its cache, its budget) get a copy. The wrapper is used for
other formats, and where litellm changes or refuses answers: its rules, its time limit, merged reasoning.
See docs/decisions/0006-streams-are-read-directly.md.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from importlib import import_module
from typing import Any, NamedTuple, cast

from agent_core.domain.model_adapter import Finish, ModelEvent
from agent_core.llm.errors.error_reports import reported
from agent_core.llm.readers.formats import RESPONSES, decoder_name, reader_of
from agent_core.llm.readers.reader import AnswerReader
from agent_core.llm.streams.listeners import KeptOpen, ListenerCopy, has_listeners
from agent_core.llm.streams.response_body import Body
from agent_core.sentences import sentence
from agent_core.support.plain_json import Json, fields_of

_NEEDED = ("completion_stream", "custom_llm_provider", "fetch_stream", "messages", "model")
_ENVELOPES = ("data", "result", "response", "body")
"""Keys under which gateways nest the provider's own object."""


async def open_direct(litellm: Any, answer: Any) -> DirectStream | None:
    """Return the stream that reads `answer` without its wrapper; None: the wrapper is needed."""
    if not _can_be_read_directly(litellm, answer) or (source := _source_of(await _fetched(answer))) is None:
        return None
    pieces, copy = source.pieces, None
    if has_listeners(litellm, answer):
        copy = ListenerCopy(answer, source.close)
        source.redirect(copy)
        pieces = copy.of(pieces)
    return DirectStream(litellm, answer, source.reader, _lines(pieces) if source.by_line else pieces, copy)


async def refuse_broken_events(answer: Any) -> None:
    """Make an answer in its wrapper fail at a broken event, if its format is supported.

    litellm's decoders skip an event that is not JSON, or buffer it until the end of the answer. So the answer
    would have an unnoticed gap, or be paid for and then discarded.
    """
    if all(hasattr(answer, name) for name in _NEEDED):
        stream = await _fetched(answer)
        if decoder_name(stream) not in ("", RESPONSES):  # lines of the latter are read before its decoder
            stream.streaming_response = whole_events(stream.streaming_response)


async def _fetched(answer: Any) -> Any:
    if answer.completion_stream is None:  # some providers are requested only now
        try:
            await answer.fetch_stream()
        except Exception as error:
            raise _wrapper_error(answer, error) from error
    return answer.completion_stream


def _can_be_read_directly(litellm: Any, answer: Any) -> bool:
    """Return whether an answer can be read without the wrapper."""
    if type(answer) is not litellm.CustomStreamWrapper or not all(hasattr(answer, name) for name in _NEEDED):
        return False
    if getattr(litellm, "post_call_rules", None):
        return False
    if getattr(litellm.constants, "LITELLM_MAX_STREAMING_DURATION_SECONDS", None) is not None:
        return False
    return not getattr(answer, "merge_reasoning_content_in_choices", False)


class _Source(NamedTuple):
    """Source of a stream.

    Attributes:
        reader: the reader of its format.
        pieces: bytes of the response, or its lines.
        by_line: whether they are lines.
        redirect: makes litellm read a copy.
        close: closes the response.
    """

    reader: AnswerReader
    pieces: AsyncGenerator[Any]
    by_line: bool
    redirect: Callable[[ListenerCopy], None]
    close: Callable[[], Awaitable[None]]


def _source_of(stream: Any) -> _Source | None:
    """Return the source of a stream in a supported format, else None."""
    if _is_openai(stream):
        return _source_by_bytes(reader_of(""), stream, stream.response)
    name = decoder_name(stream)
    if not name or _translates(stream):
        return None
    source = stream.streaming_response
    if name == RESPONSES:
        return _source_by_bytes(reader_of(name), source, getattr(source, "response", None))

    def redirect(copy: ListenerCopy) -> None:
        stream.streaming_response = copy.pieces()

    close = getattr(stream, "aclose", source.aclose)  # Cohere's decoder cannot be closed
    return _Source(reader_of(name, stream), source, True, redirect, close)


def _source_by_bytes(reader: AnswerReader, owner: Any, response: Any) -> _Source | None:
    """Return the source of a response whose bytes `owner` decodes; None if it is built in an unknown way."""
    decoder = getattr(import_module(type(owner).__module__), "SSEDecoder", None)
    begun = hasattr(owner, "stream_iterator")  # it asks for the bytes when it is made
    if not hasattr(response, "aiter_bytes") or (begun and decoder is None):
        return None

    def redirect(copy: ListenerCopy) -> None:
        owner.response = KeptOpen(response, aiter_bytes=copy.pieces)
        if begun and decoder is not None:
            owner.stream_iterator = decoder().aiter_bytes(copy.pieces())

    return _Source(reader, response.aiter_bytes(), False, redirect, response.aclose)


def _translates(decoder: Any) -> bool:
    """Return whether a decoder also translates: JSON answers that Claude gives as a tool call, Gemini's hops."""
    return bool(getattr(decoder, "json_mode", False)) or getattr(decoder, "_output_cap", None) is not None


def _is_openai(stream: object) -> bool:
    kind = type(stream)
    return (
        kind.__module__.partition(".")[0] == "openai"
        and kind.__qualname__ == "AsyncStream"
        and getattr(getattr(stream, "_cast_to", None), "__name__", "") == "ChatCompletionChunk"
        and hasattr(getattr(stream, "response", None), "aiter_bytes")
    )


async def _lines(lines: AsyncGenerator[str | bytes]) -> AsyncGenerator[bytes]:
    """Yield the raw lines that litellm would pass to its decoder."""
    async with contextlib.aclosing(lines):
        async for line in lines:
            yield _raw(line)


async def whole_events(lines: AsyncGenerator[str | bytes]) -> AsyncGenerator[str | bytes]:
    """Yield the lines of a response, up to an event that is not JSON."""
    body = Body()
    async with contextlib.aclosing(lines):
        async for line in lines:
            for _ in body.feed(_raw(line)):
                pass
            yield line


def _raw(line: str | bytes) -> bytes:
    return (line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")) + b"\n"


class DirectStream:
    """Answer in any supported format, from the bytes of the response; `copy` is for litellm's listeners."""

    def __init__(
        self,
        litellm: Any,
        answer: Any,
        reader: AnswerReader,
        pieces: AsyncGenerator[bytes],
        copy: ListenerCopy | None,
    ) -> None:
        self._litellm = litellm
        self._answer = answer
        self._reader = reader
        self._pieces = pieces
        self._copy = copy
        self._body = Body(str(answer.model or ""))

    @property
    def finish(self) -> Finish | None:
        """Finish reason of the provider; None: there was none, so the answer was cut off."""
        return self._reader.to_finish(self._litellm, self._answer, self._reader.finish)

    @property
    def usage(self) -> Any:
        """The usage, as litellm's object; None: the provider reported none."""
        return self._reader.usage(self._litellm)

    async def events(self) -> AsyncGenerator[ModelEvent]:
        """Yield the events of the answer; raises the exceptions of litellm's wrapper."""
        try:
            async with self._copy or contextlib.nullcontext(), contextlib.aclosing(self._pieces) as pieces:
                async for piece in pieces:
                    for event in self._events_of(self._body.feed(piece)):
                        yield event
                    if self._body.done:
                        break
                for event in self._events_of(self._body.end()):
                    yield event
        except Exception as error:
            if not self._is_complete(error):
                raise _wrapper_error(self._answer, error) from error
        for event in self._reader.end():
            yield event

    def _events_of(self, values: Iterator[Any]) -> Iterator[ModelEvent]:
        for value in values:
            if value is not None:  # some servers send null as a keep-alive
                yield from self._reader.read(self._checked(value))
            if self._reader.finish == "error":
                raise RuntimeError(sentence("provider_gave_no_reason"))

    def _checked(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise TypeError(f"The provider sent an event that is not an object: {value!r:.200}")
        fields = cast("dict[str, Any]", value)
        if not self._reader.knows(fields):
            fields = self._unwrapped(fields)
        if (error := reported(fields)) is not None:
            raise error
        if self._body.whole and not self._reader.knows(fields):
            raise self._body.refusal(repr(fields)[:200])
        return fields

    def _unwrapped(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the answer inside of a gateway's object, or the object itself."""
        inner = (fields_of(fields.get(name)) for name in _ENVELOPES)
        return {**fields, **next((each for each in inner if self._reader.knows(each)), Json())}

    def _is_complete(self, error: Exception) -> bool:
        """Return whether a connection dropped only after the complete answer."""
        dropped = type(error).__name__ in ("ReadError", "RemoteProtocolError")
        return dropped and self._reader.finish is not None


def _wrapper_error(answer: Any, error: Exception) -> Exception:
    """Return the exception that litellm's wrapper raises for `error`, with its status and its class."""
    translate = getattr(answer, "_handle_stream_fallback_error", None)
    if translate is None:
        return error
    try:
        translate(error)
    except Exception as translated:
        return translated
    return error
