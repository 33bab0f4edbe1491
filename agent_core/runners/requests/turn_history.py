"""The past of a thread in memory: what the model was sent up to the end of a turn.

The next turn begins with it instead of reading a long thread again. It is a copy, never the truth,
and it proves itself: everything visible that happens to a thread is a delta behind the cursor at which
the turn ended, and the only deltas it takes are new messages of people and news of the thread's row.
Whatever else stands there, or was cut away (a change of branch cuts all), means that the rows are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Chunk, Message, Part, Update

_NEVER = datetime.fromtimestamp(0, UTC)

Provider = dict[str, Any]


def provider_step(parts: list[Part]) -> list[Provider]:
    """Return the parts of one model step in the provider form."""
    return to_provider([_message("assistant", parts)], None)


@dataclass(frozen=True, slots=True)
class Past:
    """The history up to the end of a turn.

    Attributes:
        seq: the fence of the turn's last step.
        cursor: the delta with which it ended.
        system: the system prompt that `messages` begin with.
        messages: the history in the provider's form, the last reply included.
        taken: the ids of every tool call so far.
    """

    seq: int
    cursor: int
    system: str | None
    messages: list[Provider]
    taken: set[str]

    def followed_by(self, updates: Sequence[Update] | None) -> tuple[list[Provider], set[str]] | None:
        """Return (messages, taken ids) with what `updates` added; None: read the rows.

        Args:
            updates: every delta after the cursor, in order; None: some of them are gone.
        """
        if updates is None:
            return None
        new: list[Message] = []
        for chunk in (chunk for update in updates for chunk in update.chunks):
            if chunk["type"] == "data-message" and chunk["data"]["role"] != "assistant":
                meta = chunk["data"]["metadata"]
                # What is queued is told of again when its turn comes, unless it is taken back.
                if not meta.get("queued") and not meta.get("withdrawn"):
                    new.append(_told(chunk))
            elif chunk["type"] != "data-thread":
                return None
        return self.messages + to_provider(new, None), set(self.taken)


def _told(chunk: Chunk) -> Message:
    return _message(chunk["data"]["role"], chunk["data"]["parts"])


def _message(role: Any, parts: list[Part]) -> Message:
    return Message(id="", thread_id="", role=role, parts=parts, created_at=_NEVER)
