"""The body of an answer: the JSON values in it, whatever they are framed as.

A provider that was asked for a stream sends server-sent events, or a JSON object a line. Servers in
between, and simple ones, send a whole JSON object, an array, a web page or a sentence instead. The
first byte tells which, more surely than the content type does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

from agent_core.errors import ModelError
from agent_core.llm.errors.provider_message import provider_sentence
from agent_core.llm.streams.sse import EventDecoder

_MAX_BODY_BYTES = 64 * 1024  # bytes of a page or a text that are kept for the sentence about it
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class Body:
    """Turns the pieces of a response into the JSON values that it consists of.

    Args:
        model: the model's name, for sentences.

    Attributes:
        done: the provider has said `[DONE]`; nothing after it counts.
    """

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._start = b""  # what came before the first byte that tells the framing
        self._framing: EventDecoder | _Objects | None = None
        self._foreign: bytes | None = None  # a web page
        self._text = b""  # the beginning, in case that there is nothing but text
        self._found = False
        self.done = False

    @property
    def whole(self) -> bool:
        """Whether the body is JSON and no stream of events."""
        return isinstance(self._framing, _Objects)

    def feed(self, piece: bytes) -> Iterator[Any]:
        """Yield the values that `piece` completes.

        Raises:
            ValueError: an event is broken JSON.
        ModelError: an event is a sentence, or a web page.
        """
        if self._framing is None and self._foreign is None:
            piece = self._start + piece
            if not self._begin(piece):
                self._start = piece
                return
        if self._foreign is not None:
            self._foreign = (self._foreign + piece)[:_MAX_BODY_BYTES]
        elif self._framing is not None:
            self._text = self._text if self._found else (self._text + piece)[:_MAX_BODY_BYTES]
            yield from self._values(self._framing.feed(piece))

    def end(self) -> Iterator[Any]:
        """Yield the values that the end of the response completes.

        Raises:
            ModelError: the body was neither a stream nor JSON; kind invalid_request, not retryable.
            ValueError: the end cut off a JSON value that is the whole body.
        """
        if isinstance(self._framing, _Objects):
            yield from self._values(self._framing.rest())
        elif self._framing is not None and not self.done:
            yield from self._values(_if_json(self._framing.rest()))
        text = self._foreign if self._foreign is not None else b"" if self._found else self._text
        if text.strip() and (self._foreign is not None or not _is_stream(text)):
            raise self.refusal(text.decode("utf-8", "replace"))

    def refusal(self, words: str) -> ModelError:
        """Return the error for a body that says nothing in the model's protocol."""
        of = f" of {self._model}" if self._model else ""
        said = provider_sentence(words)
        return ModelError(
            f"The address{of} does not speak the protocol of a model: {said or 'it answered something else.'}",
            kind="invalid_request",
        )

    def _begin(self, piece: bytes) -> bool:
        """Tell from the first byte how the values are framed; False: it has not come yet."""
        text = piece.removeprefix(_BOM).lstrip(_SPACE)
        if not text or (len(piece) < 3 and _BOM.startswith(piece)):
            return False
        if text.startswith(b"<"):
            self._foreign = b""
        else:
            self._framing = _Objects() if text[:1] in (b"{", b"[") else EventDecoder()
        return True

    def _values(self, texts: list[bytes]) -> Iterator[Any]:
        for text in texts:
            self._found = True
            if text.lstrip(_SPACE).startswith(b"[DONE]"):
                self.done = True
                return
            if text.strip():
                yield from self._loaded(text)

    def _loaded(self, text: bytes) -> Iterator[Any]:
        """Yield what an event's data says, or raise the error that it reports in words instead of JSON."""
        try:
            yield from _loaded(text)
        except ValueError:
            start = text.lstrip(_SPACE)
            words = start.decode("utf-8", "replace")
            if start.startswith((b"{", b"[{")) or not any(map(str.isalnum, words)):
                raise
            if start.startswith(b"<"):
                raise self.refusal(words) from None
            raise ModelError(provider_sentence(words), kind="provider_5xx", retryable=True) from None


class _Objects:
    """JSON values one after the other, as Ollama sends them a line each, or one in several lines."""

    def __init__(self) -> None:
        self._line = b""
        self._value: list[bytes] = []
        self._read = 0

    def feed(self, piece: bytes) -> list[bytes]:
        lines = (self._line + piece).split(b"\n")
        self._line = lines.pop()
        return [value for line in lines if (value := self._take(line))]

    def rest(self) -> list[bytes]:
        self._value.append(self._line)
        value, self._line, self._value = b"\n".join(self._value), b"", []
        return [value.removeprefix(_BOM)] if value.strip() else []

    def _take(self, line: bytes) -> bytes | None:
        """Return the value that a line ends; only one that is not indented can."""
        begins = line.startswith(b"{")
        if self._value and begins and self._read:
            self._value.append(line)  # a value a line, and the one before this is broken
            return b"\n".join(self._value)
        self._value.append(line)
        if line[:1] not in b"{}[]" or not line.strip():
            return None
        value = b"\n".join(self._value).removeprefix(_BOM)
        try:
            _json(value)
        except ValueError:
            return None
        self._value = []
        self._read += 1
        return value


def _loaded(text: bytes) -> Iterator[Any]:
    """Yield what an event's data says; a server that forgets the blank lines sends several at once."""
    try:
        value: Any = _json(text)
    except ValueError:
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) < 2:
            raise
        values = [_json(line) for line in lines if not line.startswith(b"[DONE]")]
    else:
        # Google's server answers with an array where no event stream was asked for.
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
    yield from values


def _json(text: bytes) -> Any:
    """Return a JSON value; bytes that are no UTF-8 are replaced, and control characters are let through."""
    return json.loads(text.decode("utf-8", "replace"), strict=False)


def _if_json(text: bytes) -> list[bytes]:
    """Return the data of the last event, if the end of the stream has cut off no more than its blank line."""
    try:
        _json(text)
    except ValueError:
        return []
    return [text]


def _is_stream(text: bytes) -> bool:
    """Tell a stream without data, of comments and other fields alone, from words."""
    lines = [line for line in text.splitlines() if line.strip()]
    return all(line.partition(b":")[0] in (b"", b"event", b"data", b"id", b"retry") for line in lines)
