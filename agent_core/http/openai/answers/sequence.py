"""Number the events of an answer, so that a client can resume, and never gets the parts of two different answers.

An answer may be lost in the middle, with the process that wrote it, and be written again in other words. So the number of
an event is a position, and a checksum of everything up to it: a reader that resumes after a number gets what follows
if the answer still begins with what the client has, and an error otherwise. Positions count the characters of texts and
1 for any other event, so they do not depend on how a text was divided into deltas.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from agent_core.errors import AgentCoreError

_BITS = 20
_MASK = (1 << _BITS) - 1
MAX_NUMBER = (1 << 53) - 1
"""Largest number that JavaScript can represent."""
DIVISIBLE = frozenset(
    {"content", "reasoning", "response.output_text.delta", "response.reasoning_summary_text.delta"}
)
"""Types of events whose `delta` may be divided anywhere."""


class AnswerRestartedError(AgentCoreError):
    """The answer broke off and was begun again in other words; read it from its beginning."""


class Mark(NamedTuple):
    """A place in an answer: the position, and the checksum of everything before it."""

    position: int = 0
    checksum: int = 0

    @property
    def number(self) -> int:
        """The number of the event that ends here."""
        return self.position << _BITS | (self.checksum & _MASK)


class Sequence:
    """Numbers events, and passes only those after a given number.

    Args:
        after: the number of the last event that the client has; None: it has none.
    """

    def __init__(self, after: int | None = None) -> None:
        self._known = after or 0
        self.mark = Mark()

    @property
    def is_behind(self) -> bool:
        """Whether the client has more of the answer than has been read."""
        return self.mark.position < self._known >> _BITS

    def check_end(self) -> None:
        """Check that the client has no more than the whole answer.

        Raises:
            AnswerRestartedError: it has.
        """
        if self.is_behind:
            raise AnswerRestartedError(AnswerRestartedError.__doc__ or "")

    def rewind(self, mark: Mark) -> None:
        """Continue at an earlier place: what followed was lost, and the client has it."""
        if not self.is_behind:
            self._known = self.mark.number
        self.mark = mark

    def pass_on(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield an event with its number, or what the client lacks of it.

        Raises:
            AnswerRestartedError: the client has other events than these.
        """
        if event["type"] in DIVISIBLE:
            delta: str = event["delta"]
            known = max(0, min(len(delta), (self._known >> _BITS) - self.mark.position))
            self._advance(known, delta[:known])
            if known < len(delta):
                self._advance(len(delta) - known, delta[known:])
                yield event | {"delta": delta[known:], "sequence_number": self.mark.number}
            return
        is_known = self.is_behind
        self._advance(1, f"\0{event['type']}")
        if not is_known:
            yield event | {"sequence_number": self.mark.number}

    def _advance(self, count: int, text: str) -> None:
        if not count:
            return
        checksum = zlib.crc32(text.encode("utf-8", "surrogatepass"), self.mark.checksum)
        self.mark = Mark(self.mark.position + count, checksum)
        if self.mark.position == self._known >> _BITS and self.mark.number != self._known:
            raise AnswerRestartedError(AnswerRestartedError.__doc__ or "")
