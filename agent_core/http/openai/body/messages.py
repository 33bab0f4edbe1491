"""Read the messages of requests: `messages` of chat completions, and `input` of responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_core.domain.messages import TOOL_PREFIX, Part, is_tool_part, text_of
from agent_core.domain.turn_options import is_client_call
from agent_core.http.openai.body.content import read_content
from agent_core.http.openai.errors import RequestError
from agent_core.http.requests import is_object, list_of, object_of

_SYSTEM = ("system", "developer")
_SKIPPED = ("reasoning", "mcp_list_tools", "mcp_approval_request", "image_generation_call")
"""Items of earlier answers that a client sends back, and that no model is given."""


@dataclass(slots=True)
class Sent:
    """A message of a request; `where` is its parameter."""

    role: str
    parts: list[Part]
    where: str


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """Answer to a tool call that waits: an output, or whether it is approved."""

    call_id: str
    output: str | None = None
    approved: bool = False
    reason: str | None = None


@dataclass(slots=True)
class SentMessages:
    """The messages of a request, and its answers to tool calls of the thread."""

    messages: list[Sent] = field(default_factory=list[Sent])
    answers: list[ToolAnswer] = field(default_factory=list[ToolAnswer])
    _calls: dict[str, Part] = field(default_factory=dict[str, Part])

    def add(self, role: str, parts: list[Part], where: str) -> None:
        """Append a message; parts of an assistant continue its message."""
        if not parts:
            return
        last = self.messages[-1] if self.messages else None
        if role == "assistant" and last is not None and last.role == role:
            last.parts += (
                [{"type": "step-start"}, *parts] if _is_next_step(last.parts[-1], parts[0]) else parts
            )
        else:
            self.messages.append(Sent(role, parts, where))

    def call(self, call_id: Any, name: Any, arguments: Any, where: str) -> Part:
        """Append a tool call of an earlier answer and return its part."""
        known = all(isinstance(one, str) and one for one in (call_id, name))
        if not known or not isinstance(arguments, str):
            raise RequestError(
                "A tool call has an id, a name, and arguments as a JSON string.", where, code="invalid_value"
            )
        head = {"type": f"{TOOL_PREFIX}{name}", "toolCallId": call_id}
        part: Part = {**head, "state": "input-available", "input": _parsed(arguments)}
        self.add("assistant", [part], where)
        self._calls[call_id] = part
        return part

    def answers_at_end(self) -> list[ToolAnswer]:
        """Return the outcomes of the last answer's calls, if the messages end with it; [] if they do not.

        Raises:
            RequestError: a call of the client's tools has no outcome, or there is none of these calls.
        """
        last = self.messages[-1] if self.messages else None
        calls = (
            [part for part in last.parts if is_tool_part(part)] if last and last.role == "assistant" else []
        )
        if last is None or not calls:
            return []
        own = [part for part in calls if is_client_call(part["toolCallId"])]
        if open_call := next((part for part in own if part["state"] == "input-available"), None):
            raise open_call_error(open_call["toolCallId"], last.where)
        if not own and calls[-1] is last.parts[-1] and calls[-1]["state"] != "input-available":
            raise unknown_call_error(calls[-1]["toolCallId"], last.where)
        return [ToolAnswer(part["toolCallId"], output=part["output"]) for part in own]

    def outcome(self, call_id: Any, output: str, where: str) -> bool:
        """Set the outcome of an earlier tool call; return False if there is no such call."""
        if not isinstance(call_id, str):
            raise RequestError("The id of a tool call must be a string.", where, code="invalid_type")
        part = self._calls.get(call_id)
        if part is not None:
            part |= {"state": "output-available", "output": output}
        return part is not None


def open_call_error(call_id: str, where: str) -> RequestError:
    """Return the error for a call that a request leaves without its outcome."""
    message = f"The tool call {call_id!r:.60} has no outcome; send one for each call of the answer."
    return RequestError(message, where, code="tool_call_not_answered")


def unknown_call_error(call_id: str, where: str) -> RequestError:
    """Return the error for the outcome of a call that the caller has not been asked for."""
    message = (
        f"No answer has asked you for the tool call {call_id!r:.60}. Outcomes at the end continue the answer that asked "
        "for them; add a user's message to begin with this history."
    )
    return RequestError(message, where, code="tool_call_not_found")


def _is_next_step(last: Part, following: Part) -> bool:
    """Whether a part of an assistant's message follows the outcomes of a model step's tool calls."""
    return is_tool_part(last) and (last["state"] != "input-available" or not is_tool_part(following))


def _parsed(arguments: str) -> Any:
    """Return a call's arguments, which another model may have written: what is no object stays text."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return {"arguments": arguments}
    return value if is_object(value) else {"arguments": arguments}


def read_messages(given: Any) -> SentMessages:
    """Return the `messages` of a chat completion.

    Raises:
        RequestError: one of them has another form.
    """
    sent = SentMessages()
    for place, one in enumerate(list_of(given)):
        where, message = f"messages[{place}]", object_of(one)
        role = message.get("role")
        if role not in (*_SYSTEM, "user", "assistant", "tool"):
            roles = "A message has the role system, developer, user, assistant or tool."
            raise RequestError(roles, where, code="invalid_value")
        parts = read_content(message.get("content"), f"{where}.content")
        if role == "tool":
            if not sent.outcome(message.get("tool_call_id"), text_of(parts), where):
                order = "A message with the role tool follows an assistant message with its tool_calls."
                raise RequestError(order, where, code="invalid_value")
            continue
        sent.add("system" if role in _SYSTEM else role, _text_only(role, parts, where), where)
        if role == "assistant":
            _read_calls(sent, message.get("tool_calls"), where)
    return sent


def _read_calls(sent: SentMessages, calls: Any, where: str) -> None:
    if calls is not None and not isinstance(calls, list):
        raise RequestError("tool_calls must be a list.", where, code="invalid_type")
    for call in map(object_of, list_of(calls)):
        function = object_of(call.get("function"))
        if not function:
            raise RequestError("A tool call has a function.", where, code="invalid_value")
        sent.call(call.get("id"), function.get("name"), function.get("arguments"), where)


def _text_only(role: str, parts: list[Part], where: str) -> list[Part]:
    if role != "user" and any(part["type"] != "text" for part in parts):
        raise RequestError("Only a user's message has images and files.", where, code="invalid_value")
    return parts


def read_input(given: Any, name: str = "input") -> SentMessages:
    """Return the `input` of a response: a string, or a list of items; `name` is the parameter.

    Raises:
        RequestError: an item has another form.
    """
    sent = SentMessages()
    if isinstance(given, str):
        sent.add("user", read_content(given, name), name)
    for place, item in enumerate(list_of(given)):
        _read_item(sent, object_of(item), f"{name}[{place}]")
    return sent


def _read_item(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    kind = item.get("type", "message" if "role" in item else None)
    if not isinstance(kind, str) or kind not in (*_ITEMS, *_SKIPPED):
        known = ", ".join(_ITEMS)
        raise RequestError(f"An item has one of the types: {known}.", where, code="invalid_value")
    if kind in _ITEMS:
        _ITEMS[kind](sent, item, where)


def _message(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    role = item.get("role")
    if role not in (*_SYSTEM, "user", "assistant"):
        roles = "A message has the role system, developer, user or assistant."
        raise RequestError(roles, where, code="invalid_value")
    parts = read_content(item.get("content"), f"{where}.content")
    sent.add("system" if role in _SYSTEM else role, _text_only(role, parts, where), where)


def _function_call(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    sent.call(item.get("call_id"), item.get("name"), item.get("arguments"), where)


def _function_output(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    output = text_of(read_content(item.get("output"), f"{where}.output"))
    if not sent.outcome(item.get("call_id"), output, where):
        sent.answers.append(ToolAnswer(item["call_id"], output=output))


def _mcp_call(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    part = sent.call(item.get("id"), item.get("name"), item.get("arguments"), where)
    output, error = item.get("output"), item.get("error")
    if error is not None:
        part |= {"state": "output-error", "errorText": str(error)}
    elif isinstance(output, str):
        part |= {"state": "output-available", "output": output}


def _approval(sent: SentMessages, item: Mapping[str, Any], where: str) -> None:
    call_id, approve, reason = item.get("approval_request_id"), item.get("approve"), item.get("reason")
    if not isinstance(call_id, str) or not isinstance(approve, bool) or not isinstance(reason, str | None):
        form = "An approval is {approval_request_id: string, approve: true or false, reason: string}."
        raise RequestError(form, where, code="invalid_value")
    sent.answers.append(ToolAnswer(call_id, approved=approve, reason=reason))


_ITEMS: Mapping[str, Callable[[SentMessages, Mapping[str, Any], str], None]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _function_output,
    "mcp_call": _mcp_call,
    "mcp_approval_response": _approval,
}
