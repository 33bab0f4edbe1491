"""A scripted model provider on loopback, in OpenAI's streaming dialect.

The app reaches this provider like any other: through litellm, over HTTP, in another process. So the whole
path is real, and only the words, their pace and the faults come from the test.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agent_core.context.thread_title import INSTRUCTIONS
from tests.support.providers.pairing import OPENAI, complaint, refusal


@dataclass(frozen=True, slots=True)
class Call:
    """The model calls a tool."""

    name: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = "call_1"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The provider refuses the request with this status and sentence, and may say when to retry."""

    status: int
    sentence: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """The model thinks before it answers."""

    text: str


@dataclass(frozen=True, slots=True)
class Cite:
    """The model cites a page."""

    url: str
    title: str


PATIENCE = 1200.0  # seconds for which an answer waits for an event of the test

Item = str | float | Call | Thought | Cite | Refuse | threading.Event
Turn = Iterable[Item]


class Provider:
    """The provider, as a context manager.

    Attributes:
        url: value for OPENAI_BASE_URL.
        requests: the body of each request so far, except requests for a thread's title.
        violations: refusals of requests that a strict provider would refuse.
        writing: number of answers in progress, including those whose client has disconnected.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.writing = 0
        self._count = threading.Lock()
        self._scripts: dict[str, list[Turn]] = {}
        self._titles: dict[str, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        assert kind or not self.violations, self.violations

    def answer(self, prompt: str, *turns: Turn) -> None:
        """Answer `prompt` with `turns`: the first at once, each further one after a tool's outcome."""
        self._scripts[prompt] = list(turns)

    def name(self, prompt: str, title: str) -> None:
        """Set the title of the thread that begins with `prompt`; other threads get none."""
        self._titles[prompt] = title

    def title_for(self, messages: list[dict[str, Any]]) -> Turn | None:
        """Return the answer to a request for a title; None for other requests."""
        if messages[0]["content"] != INSTRUCTIONS:
            return None
        shown = _text(messages[-1]["content"])
        return [t for prompt, t in self._titles.items() if shown.startswith(f"The person:\n{prompt}\n")]

    def asked(self, prompt: str) -> list[dict[str, Any]]:
        """Return the requests of turns that `prompt` began, in order.

        Other requests of the app, such as those for a title, come at any time and are left out.
        """
        return [body for body in list(self.requests) if _newest(body["messages"]) == prompt]

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """Count an answer while it is being written."""
        with self._count:
            self.writing += 1
        try:
            yield
        finally:
            with self._count:
                self.writing -= 1

    def turn_for(self, messages: list[dict[str, Any]]) -> Turn:
        """Return the turn that follows `messages`; equal requests get the same turn."""
        last = max(n for n, message in enumerate(messages) if message["role"] == "user")
        rounds = sum(message["role"] == "assistant" for message in messages[last:])
        turns = self._scripts.get(_text(messages[last]["content"]))
        if turns is None or rounds >= len(turns):
            return [Refuse(400, f"The test has no answer to {messages[last]['content']!r}, round {rounds}.")]
        return turns[rounds]


def _newest(messages: list[dict[str, Any]]) -> str:
    """Return the user's last text."""
    return next((_text(m["content"]) for m in reversed(messages) if m["role"] == "user"), "")


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # otherwise each chunk waits 40 ms for the ACK of the previous one

        def do_GET(self) -> None:
            self._whole(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}]})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            body = json.loads(raw)
            title = provider.title_for(body["messages"])
            if title is None:
                provider.requests.append(body)
            if (sentence := complaint(OPENAI, raw)) is not None:
                provider.violations.append(sentence)
                self._whole(400, json.loads(refusal(sentence)))
                return
            turn = list(provider.turn_for(body["messages"]) if title is None else title)
            if turn and isinstance(turn[0], Refuse):
                error = {"message": turn[0].sentence, "type": "error", "code": None}
                self._whole(turn[0].status, {"error": error}, turn[0].retry_after)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            # The app may disconnect.
            with provider.at_work(), contextlib.suppress(OSError):
                for data in _stream(turn):
                    self.wfile.write(f"data: {data}\n\n".encode())
                    self.wfile.flush()

        def _whole(self, status: int, answer: dict[str, Any], retry_after: int | None = None) -> None:
            _answer_whole(self, status, answer, retry_after)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _answer_whole(
    handler: BaseHTTPRequestHandler, status: int, answer: dict[str, Any], retry_after: int | None
) -> None:
    handler.send_response(status)
    if retry_after is not None:
        handler.send_header("retry-after", str(retry_after))
    handler.send_header("content-type", "application/json")
    handler.end_headers()
    handler.wfile.write(json.dumps(answer).encode())


def _stream(turn: Iterable[Item]) -> Iterator[str]:
    calls, due = 0, time.monotonic()
    for item in turn:
        if isinstance(item, threading.Event):
            item.wait(PATIENCE)
            due = time.monotonic()
        elif isinstance(item, float | int):
            # By the clock, so that the inaccuracies of a thousand pauses do not add up.
            due += item
            time.sleep(max(0.0, due - time.monotonic()))
        elif isinstance(item, Call):
            function = {"name": item.name, "arguments": json.dumps(item.arguments)}
            call = {"index": calls, "id": item.id, "type": "function", "function": function}
            yield _chunk({"tool_calls": [call]})
            calls += 1
        elif isinstance(item, Thought):
            yield _chunk({"reasoning_content": item.text})
        elif isinstance(item, Cite):
            cited = {"url": item.url, "title": item.title}
            yield _chunk({"annotations": [{"type": "url_citation", "url_citation": cited}]})
        else:
            yield _chunk({"content": item})
    yield _chunk({}, finish="tool_calls" if calls else "stop")
    yield "[DONE]"


def _chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": finish}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "scripted",
            "choices": [choice],
        }
    )
