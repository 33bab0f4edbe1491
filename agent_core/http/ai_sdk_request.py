"""Read what the AI SDK's clients post: their list of messages, and what has to be done with its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent_core.domain.messages import is_tool_part
from agent_core.errors import ValidationError
from agent_core.http.requests import expect, is_object
from agent_core.store.turns.turns import WhenBusy
from agent_core.tools.provider_tools import is_hosted

WHEN_BUSY: tuple[WhenBusy, ...] = ("reject", "interrupt", "end_wait")
_REGENERATE = "regenerate-message"
_FORM = 'Send {"id": the thread\'s, "messages": [{"id", "role", "parts"}, …]}.'


@dataclass(frozen=True, slots=True)
class Posted:
    """A request of DefaultChatTransport, or of a transport made from it.

    Attributes:
        thread_id: the thread; it may not be there yet.
        messages: what the client shows, each with an id, a role and parts.
        regenerates: whether the end is to be answered once more.
        message_id: the message that is edited, regenerated or answered, if the client says so.
        when_busy: what becomes of a turn under way; None: as the server does.
        is_whole: whether a list of one message means that the client shows no other.
    """

    thread_id: str
    messages: list[dict[str, Any]]
    regenerates: bool
    message_id: str | None
    when_busy: WhenBusy | None
    is_whole: bool

    @property
    def last(self) -> dict[str, Any]:
        """The message at the end of the list."""
        return self.messages[-1]

    @property
    def earlier(self) -> list[dict[str, Any]]:
        """The messages before the last one; system prompts are the client's own business."""
        return [message for message in self.messages[:-1] if message["role"] != "system"]


def read_posted(body: dict[str, Any]) -> Posted:
    """Return what a body holds; a client may send more of its own.

    Raises:
        ValidationError: it is not what DefaultChatTransport sends.
    """
    expect(body, {"id": (str,), "messages": (list,), "trigger": (str,), "messageId": (str,)})
    if body.get("trigger") not in (None, "submit-message", _REGENERATE):
        raise ValidationError("The trigger is submit-message or regenerate-message.")
    thread_id, messages = body.get("id"), body.get("messages")
    if not thread_id or not messages or not all(_is_message(message) for message in messages):
        raise ValidationError(_FORM)
    if "/" in thread_id or thread_id in (".", ".."):
        raise ValidationError(
            "A thread's id has no slash here and is not a dot or two: it is a part of the path of GET /chat/{id}."
        )
    if messages[-1]["role"] == "system":
        raise ValidationError("The last message must have the role user or assistant.")
    if body.get("when_busy") not in (None, *WHEN_BUSY):
        words = ", ".join(f'"{one}"' for one in WHEN_BUSY)
        raise ValidationError(f"when_busy must be one of: {words}; a queued turn would stream later.")
    return Posted(
        thread_id,
        messages,
        body.get("trigger") == _REGENERATE,
        body.get("messageId"),
        body.get("when_busy"),
        is_object(body.get("tools")),  # assistant-ui sends them, and always the whole list
    )


def _is_message(message: Any) -> bool:
    return (
        is_object(message)
        and isinstance(message.get("id"), str)
        and message.get("role") in ("user", "assistant", "system")
        and isinstance(message.get("parts"), list)
    )


def has_content(message: dict[str, Any]) -> bool:
    """Whether a client shows anything of a message."""
    return any(is_object(part) and part.get("type") != "step-start" for part in message["parts"])


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a person, or of the page for them, to one tool call.

    Attributes:
        call_id: the call.
        state: output-available, output-error or approval-responded.
        output: the result.
        words: the error, or the reason of a no.
        approved: a person's yes or no.
    """

    call_id: str
    state: str
    output: Any = None
    words: str | None = None
    approved: bool = False


def read_answers(parts: list[Any]) -> list[Answer]:
    """Return the answers among the parts of an assistant's message; what else stands there is passed over.

    Raises:
        ValidationError: one is not as the AI SDK writes it.
    """
    return [answer for part in parts for answer in _answers(part)]


def _answers(part: Any) -> Iterator[Answer]:
    if not is_object(part) or not is_tool_part(part) or not isinstance(part.get("toolCallId"), str):
        return
    if is_hosted(part):  # the provider has answered it
        return
    call_id, state = part["toolCallId"], part.get("state")
    if state == "output-available":
        yield Answer(call_id, state, output=part.get("output"))
    elif state == "output-error":
        expect(part, {"errorText": (str,)})
        yield Answer(call_id, state, words=part.get("errorText") or "")
    elif state == "approval-responded":
        approval = part.get("approval")
        if not is_object(approval):
            raise ValidationError('An answered approval is {"id", "approved": true or false, "reason"}.')
        expect(approval, {"approved": (bool,), "reason": (str,)})
        yield Answer(call_id, state, words=approval.get("reason"), approved=approval.get("approved") is True)
