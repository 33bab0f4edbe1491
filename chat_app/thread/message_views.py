"""Convert messages, given as plain JSON, to the views that the page renders. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from agent_core.domain.end_reasons import EndReason
from agent_core.domain.messages import attachment_id, is_tool_part, tool_name
from agent_core.text.conversion import HEIC
from chat_app.extensions import TOOL_VIEWS
from chat_app.files.file_types import PICTURES, SHOWN
from chat_app.plain_text import clean_text, shorten
from chat_app.thread.views import FileView, MessageView, PartView, ToolCallView

MAX_PROMPT_SHOWN = 20_000
"""Length to which the page cuts a prompt, in characters: a browser takes seconds to lay out a megabyte."""
MORE_PROMPT_SHOWN = 100_000
"""Length by which "show more" extends a cut prompt, in characters."""
MAX_FIELD_SHOWN = 20_000
"""Length to which the page cuts an argument or a result of a tool, in characters."""

VOTE = "vote:"
"""Prefix of the metadata key that stores a user's vote; the message's id follows it."""

_TOOL_STATES = {
    "input-streaming": "preparing",
    "input-available": "running",
    "approval-requested": "approval",
    "approval-responded": "running",
    "output-available": "done",
    "output-error": "failed",
    "output-denied": "denied",
}
_ICONS = {
    "clock": ("time", "clock", "date"),
    "calculator": ("calc", "math"),
    "search": ("search", "find", "lookup", "docs"),
    "person": ("ask", "human", "person", "confirm"),
    "mail": ("mail", "send", "message"),
}


@dataclass(frozen=True)
class MessageContext:
    """Context of a message's row: everything that the message itself does not contain.

    Attributes:
        is_async: returns whether the tool with a given name is an async tool.
        progress, runs: by tool call id, as `agent_core.streaming.fold.ThreadView` keeps them.
        took: seconds that finished calls ran, and the attempt at which they ended, by tool call id.
        end_reasons: reasons for which calls failed, by tool call id.
        error_info: code and params of their errors, by tool call id.
        waits: seconds from the announcement of a retry to the next attempt, by tool call id.
        run: returns the name of the streamed attempt for a part's key.
        live_key: the key of the part that is being streamed, or ""; its text is left out of the row.
        votes: the thread's metadata, in which the key `VOTE` + message id has the value up or down.
        more: how often the user extended a long prompt, by message id; None: no prompt is cut.
    """

    is_async: Callable[[str], bool] = lambda name: False
    progress: Mapping[str, Any] = field(default_factory=dict)
    runs: Mapping[str, Any] = field(default_factory=dict)
    took: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    end_reasons: Mapping[str, str] = field(default_factory=dict)
    error_info: Mapping[str, Any] = field(default_factory=dict)
    waits: Mapping[str, float] = field(default_factory=dict)
    run: Callable[[str], str] = lambda key: key
    live_key: str = ""
    more: Mapping[str, int] | None = field(default_factory=dict)
    votes: Mapping[str, Any] = field(default_factory=dict)


def message_view(message: Mapping[str, Any], context: MessageContext) -> MessageView:
    """Return the row of one message."""
    if message["role"] != "assistant":
        return _prompt_view(message, None if context.more is None else context.more.get(message["id"], 0))
    parts = [
        view
        for number, part in enumerate(message.get("parts") or [])
        if (view := part_view(f"{message['id']}:{number}", part, context)) is not None
    ]
    vote = context.votes.get(f"{VOTE}{message['id']}")
    return MessageView(
        id=message["id"],
        role=message["role"],
        parts=parts,
        vote=vote if vote in ("up", "down") else "",
        **_versions(message),
    )


def _versions(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the position of a message among its versions, and the ids of the versions next to it."""
    branches: list[str] = list(message.get("branches") or ())
    if message["id"] not in branches:
        return {}
    at = branches.index(message["id"])
    before, after = branches[:at], branches[at + 1 :]
    return {
        "place": at + 1,
        "count": len(branches),
        "previous": before[-1] if before else "",
        "next": after[0] if after else "",
    }


def _prompt_view(message: Mapping[str, Any], more: int | None) -> MessageView:
    text = "\n\n".join(
        part.get("text") or "" for part in message.get("parts") or [] if part["type"] == "text"
    )
    shown = text if more is None else text[: MAX_PROMPT_SHOWN + more * MORE_PROMPT_SHOWN]
    return MessageView(
        id=message["id"],
        role=message["role"],
        text=clean_text(shown),
        hidden=len(text) - len(shown),
        files=[_file_view(message, part) for part in message.get("parts") or [] if part["type"] == "file"],
        **_versions(message),
    )


def _file_view(message: Mapping[str, Any], part: Mapping[str, Any]) -> FileView:
    name = clean_text(shorten(str(part.get("filename") or part.get("mediaType") or "file"), 120))
    file_id = attachment_id(str(part.get("url")))
    if file_id is None:
        return FileView(name, url=_safe_url(part.get("url")))
    path = f"/files/{quote(str(message.get('thread_id')), safe='')}/{file_id}/{quote(name, safe='')}"
    is_converted = part.get("mediaType") == HEIC
    shown = f"{path}?{SHOWN}" if is_converted else ""
    return FileView(name, path, picture=is_converted or part.get("mediaType") in PICTURES, shown=shown)


def part_view(key: str, part: Mapping[str, Any], context: MessageContext) -> PartView | None:
    """Return the row of one part; None for a part that is not shown."""
    kind = part["type"]
    if kind in ("text", "reasoning"):
        live = key == context.live_key
        text = "" if live else clean_text(part.get("text") or "")
        return PartView(key, kind, text, live, context.run(key)) if live or text.strip() else None
    if is_tool_part(dict(part)):
        return PartView(key, "tool", tool=tool_view(part, context))
    if kind == "source-url":
        name = part.get("title") or part.get("url") or kind
        return PartView(key, "source", clean_text(shorten(str(name), 200)), url=_safe_url(part.get("url")))
    if kind == "data-context" and isinstance(data := part.get("data"), Mapping):
        return _note_view(key, data)
    return None


def _note_view(key: str, data: Mapping[str, Any]) -> PartView:
    """Return the note that a thread exceeds the model's context, and how many turns were not sent to it."""
    turns = data.get("dropped_turns")
    if not isinstance(turns, int) or turns < 1:
        return PartView(key, "note", "shortened")
    return PartView(key, "note", "summed_up" if data.get("summarised") else "left_out", turns=turns)


def _safe_url(url: object) -> str:
    return url if isinstance(url, str) and url.lower().startswith(("https://", "http://")) else ""


def tool_view(part: Mapping[str, Any], context: MessageContext) -> ToolCallView:
    """Return the row of a tool call."""
    name, call_id = tool_name(dict(part)), str(part.get("toolCallId"))
    state = _tool_state(part, name, context)
    run = context.runs.get(call_id) or {}
    progress, percent = _progress(context.progress.get(call_id)) if state == "running" else ("", -1)
    if state == "retrying":
        progress = clean_text(shorten(str(run.get("error") or ""), 200))
    question = _question(part.get("input")) if state == "answer" else ""
    took, attempts = context.took.get(call_id, (-1, 1)) if state in ("done", "failed") else (-1, 1)
    return ToolCallView(
        id=call_id,
        name=name,
        title=_title(name),
        icon=_icon(name),
        state=state,
        brief=_brief(part.get("input")),
        arguments="" if question else _pretty(part.get("input")),
        result=_pretty(part.get("output")) if state == "done" else "",
        error=_error(part, state),
        error_info=context.error_info.get(call_id, {}) if state == "failed" else {},
        progress=progress,
        progress_info=(run.get("error_info") or {}) if state == "retrying" else {},
        percent=percent,
        since=float(run.get("started_at") or 0) if state == "running" else 0,
        took=took,
        attempt=int(run.get("attempt") or attempts) + (state == "retrying"),
        wait=context.waits.get(call_id, 0) if state == "retrying" else 0,
        approval_id=str((part.get("approval") or {}).get("id") or ""),
        question=question,
        options=_options(part.get("input")) if state == "answer" else [],
        opened=state in ("approval", "answer", "failed"),
        **_own_view(part, name),
    )


def _own_view(part: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return input and output for a registered tool view; the default row omits them, as they are long."""
    if name not in TOOL_VIEWS:
        return {}
    both = {"input": part.get("input"), "output": part.get("output")}
    return {
        key: value if isinstance(value, dict) else {"value": value}
        for key, value in both.items()
        if value is not None
    }


def _tool_state(part: Mapping[str, Any], name: str, context: MessageContext) -> str:
    state = _TOOL_STATES.get(str(part.get("state")), "running")
    if state == "failed" and context.end_reasons.get(part.get("toolCallId", "")) == EndReason.STOPPED:
        return "stopped"
    run = (context.runs.get(part.get("toolCallId", "")) or {}).get("status")
    if state == "running" and run == "retrying":
        return "retrying"
    waits = context.is_async(name) or run == "waiting"  # as the call of a tool that an OpenAI client runs
    return "answer" if part.get("state") == "input-available" and waits else state


def _error(part: Mapping[str, Any], state: str) -> str:
    if state == "denied":
        return clean_text(str((part.get("approval") or {}).get("reason") or ""))
    return clean_text(shorten(str(part.get("errorText") or ""), MAX_FIELD_SHOWN)) if state == "failed" else ""


def _title(name: str) -> str:
    words = name.replace("_", " ").replace("-", " ").strip()
    return words[:1].upper() + words[1:]


def _icon(name: str) -> str:
    parts = "".join(f" {letter}" if letter.isupper() else letter for letter in _title(name)).lower().split()
    return next((icon for icon, words in _ICONS.items() if any(p.startswith(words) for p in parts)), "tool")


def _brief(arguments: object) -> str:
    if not isinstance(arguments, Mapping):
        return ""
    values = [str(value) for value in arguments.values() if isinstance(value, str | int | float)]
    return clean_text(shorten(" · ".join(values).replace("\n", " "), 120))


def _question(arguments: object) -> str:
    if not isinstance(arguments, Mapping):
        return ""
    return next(
        (clean_text(str(arguments[key])) for key in ("question", "prompt", "message") if arguments.get(key)),
        "",
    )


def _options(arguments: object) -> list[str]:
    given = arguments.get("options") if isinstance(arguments, Mapping) else None
    return [clean_text(shorten(str(option), 200)) for option in given] if isinstance(given, list) else []


def _progress(data: object) -> tuple[str, int]:
    """Return text and percentage of a progress report: text, or a dict with a message and a number.

    The number is done and total, percent, or fraction; the percentage is -1 without one.
    """
    if isinstance(data, str):
        return clean_text(shorten(data, 200)), -1
    if not isinstance(data, Mapping):
        return ("", -1) if data is None else (shorten(_pretty(data), 200), -1)
    words = next(
        (data[key] for key in ("message", "text", "note", "step") if isinstance(data.get(key), str)), ""
    )
    return clean_text(shorten(words, 200)), _percent(data)


def _percent(data: Mapping[str, Any]) -> int:
    def number(key: str) -> float | None:
        value = data.get(key)
        return float(value) if isinstance(value, int | float) else None

    done, total = number("done"), number("total")
    if done is not None and total:
        share = 100 * done / total
    elif (percent := number("percent")) is not None:
        share = percent
    elif (fraction := number("fraction") or number("progress")) is not None:
        share = 100 * fraction
    else:
        return -1
    return round(min(100, max(0, share)))


def _pretty(value: object) -> str:
    """Return a value in readable form: text unchanged, any other value as indented JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return clean_text(shorten(text, MAX_FIELD_SHOWN))
