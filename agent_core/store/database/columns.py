"""Name the tables for statements, encode their JSON, and name the feeds that transactions touch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import BindParameter, Table, bindparam

from agent_core.sentences import Sentence
from agent_core.store.database import tables

THREAD: Table = tables.metadata.tables["agent_thread"]
MESSAGE: Table = tables.metadata.tables["agent_message"]
STREAM: Table = tables.metadata.tables["agent_stream"]
DELTA: Table = tables.metadata.tables["agent_delta"]
CALL: Table = tables.metadata.tables["agent_tool_call"]
FILE: Table = tables.metadata.tables["agent_file"]
REFUSED_FILE: Table = tables.metadata.tables["agent_refused_file"]
WINDOW: Table = tables.metadata.tables["agent_window"]
PERSON: Table = tables.metadata.tables["agent_person"]
SCHEDULE: Table = tables.metadata.tables["agent_schedule"]
WAKE_UP: Table = tables.metadata.tables["agent_wake_up"]

P: Callable[[str], BindParameter[Any]] = bindparam
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(value: Any) -> str:
    """Return `value` as compact JSON."""
    return _encoder.encode(value)


def load(text: str | None) -> Any:
    """Decode JSON; None stays None."""
    return None if text is None else json.loads(text)


def dump_info(text: str | None) -> str | None:
    """Return a sentence with its code and params as JSON, for the column `error_info`; None for other text."""
    return dump(text.to_dict()) if isinstance(text, Sentence) else None


def load_info(text: str | None, info: str | None) -> dict[str, Any] | None:
    """Return the code and the params of a row's error; None if it has none.

    They are valid only with the text they were written with: a version before 0014 on the same database writes
    another error and leaves them unchanged.
    """
    known = load(info)
    if known is None or known["text"] != text:
        return None
    return {"code": known["code"], "params": known["params"]}


LIST_FEED = "threads"
"""The feed of the thread list."""

WORK_FEED = "work"
"""The feed of workers: work is due that any of them may take."""


def idle_feed(thread_id: str) -> str:
    """Return the name of the feed that is touched when a thread becomes idle or is deleted."""
    return f"idle:{thread_id}"


def person_feed(name: str) -> str:
    """Return the name of the feed that is touched when a person's preferences change."""
    return f"person:{name}"
