"""Read a turn's items (texts, reasoning, tool calls) from the chunks of its stream, in the order of its parts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from agent_core.context.provider_messages import INVALID_ARGUMENTS
from agent_core.domain.messages import Chunk
from agent_core.domain.turn_options import is_client_call
from agent_core.streaming.final_parts import FINISH

_DENIED = "Denied."


@dataclass(slots=True)
class Item:
    """One item.

    Attributes:
        name: of the tool; "" for texts and reasoning.
        pieces: the pieces of a text.
        sources: the pages that a text cites, each with its `url` and `title`.
        arguments, output, error: of a tool call.
        approval: id of the approval that the call waits for, if it does.
        is_known: whether it has content, or its arguments.
        is_done: whether nothing will be added.
        is_client: whether it is a call of a tool of the client, which is complete without an outcome.
    """

    kind: Literal["text", "reasoning", "call"]
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    sources: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    arguments: Any = None
    output: Any = None
    error: str | None = None
    approval: str | None = None
    is_known: bool = False
    is_done: bool = False
    is_client: bool = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.pieces)


def arguments_of(item: Item) -> str:
    """Return the arguments of a call as JSON text; see `INVALID_ARGUMENTS`."""
    given = item.arguments
    return json.dumps({INVALID_ARGUMENTS: given} if item.is_client and not isinstance(given, dict) else given)


@dataclass(slots=True)
class Answer:
    """The answer of a turn: its items, and how it ended.

    Attributes:
        reply_id: id of the assistant's message; None: the turn has not begun.
        step: place of the first item of the current model step.
        end: "finish", "abort" (it was stopped) or "error"; None: it continues, or the server stops.
        error: the message of an error.
        cut: the reason of an incomplete answer, such as "length".
        is_json: whether the answer is a JSON object: other texts before a tool call count as reasoning.
    """

    items: list[Item] = field(default_factory=list[Item])
    reply_id: str | None = None
    step: int = 0
    end: Literal["finish", "abort", "error"] | None = None
    error: str = ""
    cut: str | None = None
    is_json: bool = False
    _open: dict[str, Item] = field(default_factory=dict[str, Item])
    _closed: list[Item] = field(default_factory=list[Item])
    _calls: dict[str, Item] = field(default_factory=dict[str, Item])

    @property
    def text(self) -> str:
        """The text, as `Message.text`."""
        return "\n\n".join(item.text for item in self.items if item.kind == "text" and item.text)

    def take(self, chunk: Chunk) -> None:
        """Apply one chunk of `ui_stream`."""
        if handler := self._handlers.get(chunk["type"]):
            handler(self, chunk)

    def _start(self, chunk: Chunk) -> None:
        self.reply_id = chunk["messageId"]

    def _end(self, chunk: Chunk) -> None:
        self.end = chunk["type"]
        if self.end == "finish":
            self._settle()
        self.error = chunk.get("errorText", "")

    def _cut(self, chunk: Chunk) -> None:
        self.cut = chunk["data"].get("reason")

    def _settle(self) -> None:
        """Note that the texts so far are complete.

        The end of a text does not say so: an attempt that is cut off ends its texts, too.
        """
        step = self.items[self.step :]
        calls = any(item.kind == "call" for item in step)
        for item in (*self._closed, *self._open.values()):
            self._decide(item, is_answer=not calls)
        for item in step:  # a call of the client can be lost with its step, and nobody could answer it
            item.is_known = item.is_known or (item.is_client and item.arguments is not None)
            item.is_done = item.is_done or (item.is_client and item.is_known)
        self._closed.clear()
        self._open.clear()

    def _decide(self, item: Item, *, is_answer: bool) -> None:
        """Note that a text is complete, and whether it is the answer or was only said before a tool call."""
        if item.kind == "text" and not item.is_known and item.pieces:
            item.kind = "text" if is_answer else "reasoning"
            item.is_known = True
        item.is_done = True

    def _next_step(self, chunk: Chunk) -> None:
        self._settle()
        self.step = len(self.items)

    def _step_reset(self, chunk: Chunk) -> None:
        lost, self.items = self.items[self.step :], self.items[: self.step]
        self._open.clear()
        self._closed.clear()
        for item in lost:
            self._calls.pop(item.id, None)

    def _text_start(self, chunk: Chunk) -> None:
        kind = "text" if chunk["type"] == "text-start" else "reasoning"
        self._append(item := Item(kind, chunk["id"]))
        self._open[f"{kind}:{chunk['id']}"] = item

    def _text_delta(self, chunk: Chunk) -> None:
        kind = chunk["type"].removesuffix("-delta")
        item = self._open.get(f"{kind}:{chunk['id']}")
        if item is not None and chunk["delta"]:
            item.pieces.append(chunk["delta"])
            item.is_known = not (self.is_json and kind == "text") or item.text.lstrip().startswith("{")

    def _text_end(self, chunk: Chunk) -> None:
        kind = chunk["type"].removesuffix("-end")
        if (item := self._open.pop(f"{kind}:{chunk['id']}", None)) is not None:
            self._closed.append(item)

    def _source(self, chunk: Chunk) -> None:
        texts = [item for item in self.items[self.step :] if item.kind == "text" and not item.is_done]
        if texts:
            texts[-1].sources.append({"url": chunk["url"], "title": chunk.get("title") or chunk["url"]})

    def _append(self, item: Item) -> None:
        undecided = [
            text for text in self._closed if not text.is_known and text.pieces and item.kind != "call"
        ]
        for text in self._closed:
            if text not in undecided:
                self._decide(text, is_answer=False)
        self._closed = undecided
        self.items.append(item)

    def _input(self, chunk: Chunk) -> None:
        call_id = chunk["toolCallId"]
        item = self._calls.get(call_id)
        if item is None:
            item = Item("call", call_id, chunk["toolName"], is_client=is_client_call(call_id))
            self._calls[call_id] = item
            self._append(item)
        if chunk["type"] != "tool-input-start":
            item.arguments, item.is_known = chunk.get("input"), not item.is_client
        if chunk["type"] == "tool-input-error":
            item.error, item.is_done = chunk.get("errorText") or "", True

    def _approval_request(self, chunk: Chunk) -> None:
        if (item := self._calls.get(chunk["toolCallId"])) is not None:
            item.approval = chunk.get("approvalId")

    def _outcome(self, chunk: Chunk) -> None:
        item = self._calls.get(chunk["toolCallId"])
        if item is None or item.is_done or chunk.get("preliminary"):
            return
        item.approval, item.is_known, item.is_done = None, True, True
        if chunk["type"] == "tool-output-available":
            item.output = chunk.get("output")
        else:
            item.error = chunk.get("errorText") or chunk.get("reason") or _DENIED

    _handlers: ClassVar[Mapping[str, Callable[[Any, Chunk], None]]] = {
        "start": _start,
        **dict.fromkeys(("finish", "abort", "error"), _end),
        FINISH: _cut,
        **dict.fromkeys(("start-step", "finish-step"), _next_step),
        "reset-step": _step_reset,
        **dict.fromkeys(("text-start", "reasoning-start"), _text_start),
        **dict.fromkeys(("text-delta", "reasoning-delta"), _text_delta),
        **dict.fromkeys(("text-end", "reasoning-end"), _text_end),
        **dict.fromkeys(("tool-input-start", "tool-input-available", "tool-input-error"), _input),
        "source-url": _source,
        "tool-approval-request": _approval_request,
        **dict.fromkeys(("tool-output-available", "tool-output-error", "tool-output-denied"), _outcome),
    }
