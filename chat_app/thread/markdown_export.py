"""Export of a thread as Markdown: pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from agent_core.domain.messages import Message, Thread, is_tool_part, tool_name
from chat_app.plain_text import thread_title

_TICKS = re.compile(r"`{3,}")


def to_markdown(thread: Thread, messages: Sequence[Message], names: Mapping[str, str]) -> str:
    """Return messages as Markdown: texts unchanged, reasoning as quotes, tool calls as code blocks.

    Args:
        thread: the thread.
        messages: the messages of its shown branch.
        names: the label of each role; a role without a label appears unchanged.
    """
    blocks = [f"# {thread_title(thread.title)}"]
    for message in messages:
        when = message.created_at.strftime("%Y-%m-%d %H:%M UTC")
        blocks.append(f"## {names.get(message.role, message.role)} · {when}")
        blocks += filter(None, map(_part, message.parts))
    return "\n\n".join(blocks) + "\n"


def _part(part: Mapping[str, Any]) -> str:
    kind = part["type"]
    if kind == "text":
        return str(part.get("text") or "")
    if kind == "reasoning":
        lines = str(part.get("text") or "").splitlines()
        return "\n".join(f"> {line}".rstrip() for line in lines)
    if is_tool_part(dict(part)):
        return _tool(part)
    if kind == "file":
        return f"📎 {part.get('filename') or part.get('mediaType') or 'file'}"
    if kind == "source-url":
        return f"<{part.get('url')}>"
    return ""


def _tool(part: Mapping[str, Any]) -> str:
    blocks = [f"**{tool_name(dict(part))}**", _fenced(part.get("input"))]
    if "output" in part:
        blocks.append(_fenced(part["output"]))
    reason = part.get("errorText") or (part.get("approval") or {}).get("reason")
    if reason:
        blocks.append(_fenced(reason))
    return "\n\n".join(blocks)


def _fenced(value: object) -> str:
    """Return a value in a code fence that is longer than any fence inside of the value."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    fence = "`" * (1 + max((len(found) for found in _TICKS.findall(text)), default=2))
    return f"{fence}{'' if isinstance(value, str) else 'json'}\n{text}\n{fence}"
