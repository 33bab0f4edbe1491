"""Read the requests of AI SDK clients: their list of messages, and the action for its end."""

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
        thread_id: the thread, which may not exist yet.
        messages: the messages that the client shows, each with an id, a role and parts.
        regenerates: whether the last message is answered again.
        message_id: the message that is edited, regenerated or answered, if the client names it.
        when_busy: effect on a turn in progress; None: the server's default.
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
        """The messages before the last one, without the client's system prompts."""
        return [message for message in self.messages[:-1] if message["role"] != "system"]


def read_posted(body: dict[str, Any]) -> Posted:
    """Return the request in a body; unknown fields are ignored.

    Raises:
        ValidationError: the body is not one of DefaultChatTransport.
    """
    expect(body, {"id": (str,), "messages": (list,), "trigger": (str,), "messageId": (str,)})
    if body.get("trigger") not in (None, "submit-message", _REGENERATE):
        raise ValidationError("The trigger is submit-message or regenerate-message.")
    thread_id, messages = body.get("id"), body.get("messages")
    if not thread_id or not messages or not all(_is_message(message) for message in messages):
        raise ValidationError(_FORM)
    if "/" in thread_id or thread_id in (".", ".."):
        raise ValidationError(
            "Here a thread's id has no slash and is not '.' or '..', because it is part of the path GET /chat/{id}."
        )
    if messages[-1]["role"] == "system":
        raise ValidationError("The last message must have the role user or assistant.")
    if body.get("when_busy") not in (None, *WHEN_BUSY):
        words = ", ".join(f'"{one}"' for one in WHEN_BUSY)
        raise ValidationError(f"when_busy must be one of: {words}, because a queued turn would stream later.")
    return Posted(
        thread_id,
        messages,
        body.get("trigger") == _REGENERATE,
        body.get("messageId"),
        body.get("when_busy"),
        is_object(body.get("tools")),  # assistant-ui sends tools, and always the whole list
    )


def _is_message(message: Any) -> bool:
    return (
        is_object(message)
        and isinstance(message.get("id"), str)
        and message.get("role") in ("user", "assistant", "system")
        and isinstance(message.get("parts"), list)
    )


def has_content(message: dict[str, Any]) -> bool:
    """Whether a client shows content of a message."""
    return any(is_object(part) and part.get("type") != "step-start" for part in message["parts"])


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a user, or of the page, to a tool call.

    Attributes:
        state: output-available, output-error or approval-responded.
        output: the result.
        words: the error, or the reason of a denial.
        approved: whether the user approved the call.
    """

    call_id: str
    state: str
    output: Any = None
    words: str | None = None
    approved: bool = False


def read_answers(parts: list[Any]) -> list[Answer]:
    """Return the answers in the parts of an assistant's message; other parts are ignored.

    Raises:
        ValidationError: an answer does not have the AI SDK's form.
    """
    return [answer for part in parts for answer in _answers(part)]


def _answers(part: Any) -> Iterator[Answer]:
    if not is_object(part) or not is_tool_part(part) or not isinstance(part.get("toolCallId"), str):
        return
    if is_hosted(part):  # the provider's own call
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
