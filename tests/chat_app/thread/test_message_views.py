"""Test the rows of messages: every state of a tool call, and unusual text of models and users."""

from __future__ import annotations

from typing import Any

import pytest

from chat_app.plain_text import UNTITLED, thread_title
from chat_app.thread.message_views import (
    MAX_FIELD_SHOWN,
    MAX_PROMPT_SHOWN,
    MORE_PROMPT_SHOWN,
    MessageContext,
    message_view,
    part_view,
    tool_view,
)


def call(**part: Any) -> dict[str, Any]:
    return {"type": "tool-get_weather", "toolCallId": "c", "input": {"city": "Kyoto"}, **part}


@pytest.mark.parametrize(
    ("state", "shown", "opened"),
    [
        ("input-streaming", "preparing", False),
        ("input-available", "running", False),
        ("approval-requested", "approval", True),
        ("approval-responded", "running", False),
        ("output-available", "done", False),
        ("output-error", "failed", True),
        ("output-denied", "denied", False),
    ],
)
def test_each_state_of_a_call_has_its_row(state: str, shown: str, opened: bool) -> None:
    row = tool_view(call(state=state, output="x", errorText="no"), MessageContext())
    assert (row.state, row.opened, row.title, row.brief) == (shown, opened, "Get weather", "Kyoto")


def test_a_call_that_was_stopped_did_not_fail() -> None:
    row = tool_view(
        call(state="output-error", errorText="stopped"), MessageContext(end_reasons={"c": "stopped"})
    )
    assert (row.state, row.error, row.opened) == ("stopped", "", False)


def test_a_call_whose_error_reads_stopped_failed() -> None:
    row = tool_view(
        call(state="output-error", errorText="stopped"), MessageContext(end_reasons={"c": "error"})
    )
    assert (row.state, row.error, row.opened) == ("failed", "stopped", True)


def test_an_async_tool_waits_for_a_person() -> None:
    part = call(state="input-available", input={"question": "Which?", "options": ["a", "b"]})
    of_a_client = MessageContext(runs={"c": {"status": "waiting"}})
    for context in (MessageContext(is_async=lambda name: name == "get_weather"), of_a_client):
        row = tool_view(part, context)
        assert (row.state, row.question, row.options, row.opened) == ("answer", "Which?", ["a", "b"], True)


@pytest.mark.parametrize(
    ("progress", "words", "percent"),
    [
        (None, "", -1),
        ("half way", "half way", -1),
        ({"done": 1, "total": 4, "text": "one"}, "one", 25),
        ({"percent": 120}, "", 100),
        ({"fraction": 0.5, "message": "half"}, "half", 50),
        ({"done": 1, "total": 0}, "", -1),
        ([1, 2], "[\n  1,\n  2\n]", -1),
    ],
)
def test_progress_of_any_form_has_words_and_a_percentage(progress: Any, words: str, percent: int) -> None:
    row = tool_view(call(state="input-available"), MessageContext(progress={"c": progress}))
    assert (row.progress, row.percent) == (words, percent)


def test_a_very_long_result_is_cut() -> None:
    row = tool_view(call(state="output-available", output="x" * 10**6), MessageContext())
    assert len(row.result) == MAX_FIELD_SHOWN


def test_a_very_long_prompt_comes_in_pieces() -> None:
    message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": "x" * 10**6}]}
    row = message_view(message, MessageContext())
    assert (len(row.text), row.hidden) == (MAX_PROMPT_SHOWN, 10**6 - MAX_PROMPT_SHOWN)
    more = message_view(message, MessageContext(more={"m": 2}))
    assert len(more.text) == MAX_PROMPT_SHOWN + 2 * MORE_PROMPT_SHOWN
    all_of_it = message_view(message, MessageContext(more={"m": 99}))
    assert (len(all_of_it.text), all_of_it.hidden) == (10**6, 0)


def test_text_that_no_browser_can_hold_becomes_text_that_it_can() -> None:
    row = message_view(
        {"id": "m", "role": "user", "parts": [{"type": "text", "text": "a\ud800"}]}, MessageContext()
    )
    row.text.encode()
    part = part_view("k", {"type": "text", "text": "\udfff"}, MessageContext())
    assert part is not None
    part.text.encode()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", None, 7])
def test_a_source_links_only_to_the_web(url: Any) -> None:
    part = part_view("k", {"type": "source-url", "url": url, "title": "A page"}, MessageContext())
    assert part is not None
    assert (part.url, part.text) == ("", "A page")


@pytest.mark.parametrize(
    "part", [{"type": "step-start"}, {"type": "data-x", "data": 1}, {"type": "text", "text": " "}]
)
def test_parts_that_show_nothing_have_no_row(part: dict[str, Any]) -> None:
    assert part_view("k", part, MessageContext()) is None


@pytest.mark.parametrize(
    ("title", "shown"),
    [(None, UNTITLED), ("  ", UNTITLED), ("a\n b", "a b"), ("\x1b[31mred\x1b[0m beans", "red beans")],
)
def test_a_threads_name_is_one_plain_line_with_a_default(title: str | None, shown: str) -> None:
    assert thread_title(title) == shown


@pytest.mark.parametrize(
    ("data", "said", "turns"),
    [
        ({"dropped_turns": 1}, "left_out", 1),
        ({"dropped_turns": 1200}, "left_out", 1200),
        ({"dropped_turns": 2, "summarised": True}, "summed_up", 2),
        ({"dropped_turns": 0}, "shortened", 0),
        ({"dropped_turns": "many"}, "shortened", 0),
    ],
)
def test_part_of_a_cut_context_says_what_was_not_sent(data: dict[str, Any], said: str, turns: int) -> None:
    part = part_view("k", {"type": "data-context", "data": data}, MessageContext())
    assert part is not None
    assert (part.kind, part.text, part.turns) == ("note", said, turns)
    assert part_view("k", {"type": "data-context", "data": "nonsense"}, MessageContext()) is None


@pytest.mark.parametrize(
    ("name", "icon"),
    [
        ("ask_human", "person"),
        ("slow_task", "tool"),
        ("get_time", "clock"),
        ("update_row", "tool"),
        ("send", "mail"),
        ("webSearch", "search"),
        ("read-docs", "search"),
    ],
)
def test_a_tool_s_icon_goes_by_the_words_of_its_name(name: str, icon: str) -> None:
    part = {"type": f"tool-{name}", "toolCallId": "c", "state": "output-available", "input": {}, "output": 1}
    view = part_view("k", part, MessageContext())
    assert view is not None
    assert view.tool.icon == icon
