"""Divide a turn into parts: a part ends with calls of the client's tools, and the next one begins after their outcomes.

So each request of a client that runs tools has an answer of its own, which is the same whenever it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent_core.domain.messages import Chunk
from agent_core.domain.turn_options import is_client_call
from agent_core.http.openai.errors import RequestError

_OUTCOMES = ("tool-output-available", "tool-output-error", "tool-output-denied")
_FAILURES = ("abort", "error")
_ENDS = ("finish", *_FAILURES)


class PartFilter:
    """Passes on the chunks of one part of a turn, and those that belong to the turn as a whole.

    Args:
        part: number of the part, from 0.
    """

    def __init__(self, part: int) -> None:
        self._part = part
        self._at = 0
        self._calls: dict[str, str] = {}  # of the step, with the type of their outcome; "": they have none
        self.is_over = False

    def take(self, chunk: Chunk) -> Iterator[Chunk]:
        """Yield a chunk of the part, and its end.

        Raises:
            RequestError: the turn has ended, or waits, and has no such part.
        """
        if self.is_over:
            return
        kind = chunk["type"]
        self._note(kind, chunk)
        if self._at > self._part:
            self.is_over = True
            yield {"type": "finish"}
        elif self._at == self._part or kind == "start":
            yield chunk
        elif kind in _FAILURES and self._calls and all(self._calls.values()):
            yield chunk  # the calls were closed by it, or the next part has failed before its first word
        elif kind in _ENDS:
            raise RequestError("There is no such answer.", code="response_not_found", status=404)

    def _note(self, kind: str, chunk: Chunk) -> None:
        call_id = str(chunk.get("toolCallId"))
        if kind == "reset-step":
            self._calls.clear()
        elif kind == "tool-input-available" and is_client_call(call_id):
            self._calls.setdefault(call_id, "")
        elif kind in _OUTCOMES and call_id in self._calls:
            self._calls[call_id] = kind
        elif (kind == "start-step" and self._calls) or (
            kind in _ENDS and self._calls and {*self._calls.values()} == {"tool-output-available"}
        ):
            self._calls.clear()
            self._at += 1
