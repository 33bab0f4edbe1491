"""Tell a client the items of an answer, one after the other, while they come.

An item is told when the one before it is done. So the events are the same, in the same order, for a client that
follows the answer from its beginning and for one that reads it later.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from agent_core.agent import CallContext
from agent_core.domain.messages import Chunk
from agent_core.http.openai.answers.items import Answer, Item
from agent_core.http.openai.answers.outcome import chunks_of
from agent_core.http.openai.answers.sequence import Mark, Sequence
from agent_core.http.openai.turns import Place

if TYPE_CHECKING:
    from agent_core.api import AgentApi

Event = dict[str, Any]


class Form(Protocol):
    """Form of the events for an item, whose number is its place in the answer."""

    def begin(self, item: Item, number: int) -> list[Event]:
        """Return the events with which an item begins."""
        ...

    def delta(self, item: Item, number: int, text: str, *, follows: bool) -> Event:
        """Return the event for more text of an item; `follows`: it is its first, and another item of its kind precedes."""
        ...

    def end(self, item: Item, number: int) -> list[Event]:
        """Return the events with which an item ends, complete or not."""
        ...


class Telling:
    """Turns the chunks of an answer into events.

    Attributes:
        answer: what has been read.
    """

    def __init__(self, form: Form, sequence: Sequence, *, is_json: bool = False) -> None:
        self.answer = Answer(is_json=is_json)
        self._form = form
        self._sequence = sequence
        self._number = 0  # of the item that is told
        self._begins: list[Mark] = []  # of the items that are told
        self._pieces = 0  # of the item that are told

    def take(self, chunk: Chunk) -> Iterator[Event]:
        """Yield the events of a chunk.

        Raises:
            AnswerRestartedError: an answer is lost of which the client has a part.
        """
        if chunk["type"] == "reset-step" and len(self._begins) > self.answer.step:
            self._sequence.rewind(self._begins[self.answer.step])
            del self._begins[self.answer.step :]
            self._number, self._pieces = self.answer.step, 0
        self.answer.take(chunk)
        yield from self._tell(at_end=self.answer.end is not None)

    def pass_on(self, event: Event) -> Iterator[Event]:
        """Yield an event that belongs to no item."""
        return self._sequence.pass_on(event)

    def _tell(self, *, at_end: bool) -> Iterator[Event]:
        """Yield what has not been told, up to the first item that is not complete; at the end, everything."""
        while self._number < len(self.answer.items):
            item = self.answer.items[self._number]
            if item.is_known:
                yield from self._tell_item(item)
            if not item.is_done and not at_end:
                return
            for event in self._form.end(item, self._number) if item.is_known else ():
                yield from self._sequence.pass_on(event)
            if not item.is_known:
                self._begin()
            self._number, self._pieces = self._number + 1, 0

    def _tell_item(self, item: Item) -> Iterator[Event]:
        if self._begin():
            for event in self._form.begin(item, self._number):
                yield from self._sequence.pass_on(event)
        text = "".join(item.pieces[self._pieces :])
        if text:
            before = self.answer.items[: self._number]
            follows = not self._pieces and any(one.kind == item.kind and one.pieces for one in before)
            event = self._form.delta(item, self._number, text, follows=follows)
            self._pieces = len(item.pieces)
            yield from self._sequence.pass_on(event)

    def _begin(self) -> bool:
        """Note where the item begins; return False if it has begun."""
        if self._number < len(self._begins):
            return False
        self._begins.append(self._sequence.mark)
        return True


async def tell(
    api: AgentApi, place: Place, telling: Telling, ctx: CallContext | None
) -> AsyncGenerator[Event]:
    """Yield the events of a turn until it ends, or waits only for people.

    Raises:
        AnswerRestartedError: the answer is no longer the one of which the client has a part.
        AgentCoreError: the thread was deleted, or is no longer the caller's.
    """
    async with contextlib.aclosing(chunks_of(api, place, ctx)) as chunks:
        async for chunk in chunks:
            for event in telling.take(chunk):
                yield event
