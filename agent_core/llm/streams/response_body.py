"""Parse the JSON values in the body of an answer, with any framing.

A provider streams server-sent events, or one JSON object per line. Proxies and simple servers send a whole
JSON object, an array, a web page or a sentence instead. The first byte identifies the framing more
reliably than the content type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from agent_core.errors import ModelError
from agent_core.llm.errors.provider_message import provider_sentence

_MAX_BODY_BYTES = 64 * 1024  # bytes of a page or a text that are kept for the error message
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_SEPARATOR = b"\x1e"  # of JSON text sequences, RFC 7464
_KEEP_ALIVE = re.compile(rb"ping|pong|heart-?beat|keep[-_ ]?alive", re.I)
"""Names of events, and data in plain text, that only keep a connection open."""

_END = re.compile(rb"\[DONE\].*|\"?\[?(?:DONE|END)\]?\"?", re.I | re.S)


class EventDecoder:
    """Decoder from pieces of a response to the data of its server-sent events.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    Only `data` is kept, unless the event's name says that it only keeps the connection open. Older servers of
    llama.cpp report an error in the field `error`. As in the standard, an incomplete last event is dropped, unless the
    caller gets the `rest`.
    """

    def __init__(self) -> None:
        self._line: bytes = b""  # an incomplete line
        self._data: list[bytes] = []
        self._name = b""  # of the event
        self._begun = False
        self._after_cr = False  # whether a \n belongs to the \r before it

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of each event that `piece` completes."""
        if not piece:
            return []
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        text = self._line + piece
        if not self._begun:
            if _BOM.startswith(text[:3]) and len(text) < 3:
                self._line = text
                return []
            text, self._begun = text.removeprefix(_BOM), True
        self._after_cr = text.endswith(b"\r")
        lines = text.splitlines(keepends=True)
        self._line = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        return [data for line in lines if (data := self._read(line.rstrip(b"\r\n"))) is not None]

    def rest(self) -> bytes:
        """Return the data of the incomplete last event."""
        if self._line:
            self._read(self._line)
            self._line = b""
        data, self._data = b"\n".join(self._data), []
        return data

    def _read(self, line: bytes) -> bytes | None:
        """Read a line, and return the data of the event that it ends."""
        if not line:
            data, name, self._data, self._name = self._data, self._name, [], b""
            return b"\n".join(data) if data and not _KEEP_ALIVE.fullmatch(name) else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
        elif name == b"event":
            self._name = value.strip()
        elif name == b"error" and value.strip().startswith(b"{"):
            self._data.append(b'{"error":' + value + b"}")
        return None


class Body:
    """Parser of the JSON values in a response.

    `done` is set once the provider has sent `[DONE]`; the rest is ignored.
    """

    def __init__(self, model: str = "") -> None:
        self._model = model
        self._start = b""  # bytes before the one that identifies the framing
        self._framing: EventDecoder | _Objects | None = None
        self._foreign: bytes | None = None  # a web page
        self._text = b""  # the beginning, for a body of plain text
        self._found = False
        self.done = False

    @property
    def whole(self) -> bool:
        """Whether the body is one JSON value instead of a stream."""
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
        """Return the error for a body that is not in the model's protocol."""
        of = f" of {self._model}" if self._model else ""
        said = provider_sentence(words)
        return ModelError(
            f"The address{of} does not speak the protocol of a model: {said or 'it answered something else.'}",
            kind="invalid_request",
        )

    def _begin(self, piece: bytes) -> bool:
        """Determine the framing from the first byte; return False before it has arrived."""
        text = piece.removeprefix(_BOM).lstrip(_SPACE + _SEPARATOR)
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
            if _END.fullmatch(bare := text.strip()):
                self.done = True
                return
            if bare and not _KEEP_ALIVE.fullmatch(bare):
                yield from self._loaded(text)

    def _loaded(self, text: bytes) -> Iterator[Any]:
        """Yield the values of an event's data, or raise the error that the data is in plain text."""
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
    """Parser of consecutive JSON values, one per line as from Ollama, or spread over several lines."""

    def __init__(self) -> None:
        self._line = b""
        self._value: list[bytes] = []
        self._read = 0

    def feed(self, piece: bytes) -> list[bytes]:
        lines = (self._line + piece.replace(_SEPARATOR, b"")).split(b"\n")
        self._line = lines.pop()
        return [value for line in lines if (value := self._take(line))]

    def rest(self) -> list[bytes]:
        self._value.append(self._line)
        value, self._line, self._value = b"\n".join(self._value), b"", []
        return [value.removeprefix(_BOM)] if value.strip() else []

    def _take(self, line: bytes) -> bytes | None:
        """Return the value that a line completes; only a line without indentation can."""
        if not self._value and not line.strip():
            return None
        begins = line.startswith(b"{")
        if self._value and begins and self._read:
            self._value.append(line)  # one value per line, and the previous one is broken
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
    """Yield the values of an event's data; without blank lines a server sends several at once."""
    try:
        value: Any = _json(text)
    except ValueError as error:
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) < 2:
            if not str(error).startswith("Extra data"):
                raise
            values = list(_in_a_row(text.decode("utf-8", "replace")))
        else:
            values = [_json(line) for line in lines if not line.startswith(b"[DONE]")]
    else:
        # Google's server sends an array unless an event stream was requested.
        values = cast("list[Any]", value) if isinstance(value, list) else [value]
    yield from values


def _in_a_row(text: str) -> Iterator[Any]:
    """Yield the values that a server writes without anything between them."""
    decoder, place = json.JSONDecoder(strict=False), 0
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        yield value
        place = len(text) - len(text[place:].lstrip())


def _json(text: bytes) -> Any:
    """Return a JSON value; invalid UTF-8 is replaced, and control characters are accepted.

    Raises:
        ValueError: the text is not JSON, or nested too deeply.
    """
    words = text.decode("utf-8", "replace")
    try:
        return json.loads(words, strict=False)
    except RecursionError:
        raise ValueError("The provider sent JSON that is nested too deeply.") from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer with more digits than Python reads
        return json.loads(words, strict=False, parse_int=float)


def _if_json(text: bytes) -> list[bytes]:
    """Return the data of the last event if only its blank line is missing."""
    try:
        _json(text)
    except ValueError:
        return []
    return [text]


def _is_stream(text: bytes) -> bool:
    """Return whether a text is an event stream without data, with only comments and other fields."""
    lines = [line for line in text.splitlines() if line.strip()]
    return all(line.partition(b":")[0] in (b"", b"event", b"data", b"id", b"retry") for line in lines)
