"""The labels of a timeline that its spans lack: the prompt of a turn, and the model of an attempt under way.

A model's name is written down with its step's usage, so an attempt under way has none yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent_core import AgentApi, Message
from agent_core.domain.messages import text_of
from agent_core.domain.spans import Span
from chat_app.plain_text import clean_text, shorten
from chat_app.thread.tool_kinds import answering_agent

MAX_CAPTION = 80
"""How much of a prompt is shown above its turn, in characters."""


class TurnLabels:
    """Reads the labels of each turn and attempt once, and keeps them while the drawer is open.

    Attributes:
        prompts: the first words of what a turn answers, by the id of its reply; "" where there are none.
        models: the model that was seen at work, by the id of its span.
    """

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.prompts: dict[str, str] = {}
        self.models: dict[str, str] = {}
        self._api = api
        self._thread_id = thread_id

    async def learn(self, spans: Sequence[Span]) -> None:
        """Read the labels that these spans lack and that are not known yet."""
        turns = [span.message_id for span in spans if span.kind == "turn" and span.message_id]
        if not self.prompts.keys() >= set(turns):
            await self._learn_prompts(turns)
        at_work = [span.id for span in spans if span.kind == "model" and not span.name and not span.ended_at]
        if not self.models.keys() >= set(at_work):
            await self._learn_model(at_work)

    async def _learn_prompts(self, turns: Sequence[str]) -> None:
        messages = await self._api.list_messages(self._thread_id, limit=2 * len(turns) + 2)
        found = first_words(messages)
        for turn in turns:
            self.prompts.setdefault(turn, found.get(turn, found[""] if turn == turns[-1] else ""))

    async def _learn_model(self, spans: Iterable[str]) -> None:
        thread = await self._api.get_thread(self._thread_id)
        agent = await answering_agent(self._api, thread.to_dict()) if thread else None
        for span in spans:
            self.models.setdefault(span, agent.model.name if agent else "")


def first_words(messages: Iterable[Message]) -> dict[str, str]:
    """Return the beginnings of the prompts by the ids of their replies; under "" the newest one's.

    A reply's row may come only with its first committed step, so the newest turn's may be missing.
    """
    newest, found = "", dict[str, str]()
    for message in messages:
        if message.role == "user" and not message.metadata.get("queued"):
            newest = shorten(clean_text(" ".join(text_of(message.parts)[:400].split())), MAX_CAPTION)
        elif message.role == "assistant":
            found[message.id] = newest
    return found | {"": newest}
