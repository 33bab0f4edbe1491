"""Plain titles: one line, without Markdown and without the escape sequences of terminals."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.context.thread_title import title_in
from agent_core.store.threads.messages import title_of
from agent_core.text.plain_text import plain_line, strip_escapes


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("**Beans** and *peas*", "Beans and peas"),
        ("***Both*** and __bold__ words", "Both and __bold__ words"),
        ("__Two words__ and _one_", "Two words and one"),
        ("**Bold with _more_ inside**", "Bold with more inside"),
        ("# A heading\n\nand text", "A heading and text"),
        ("- one\n- two\n3. three\n> quoted", "one two three quoted"),
        ("```python\nprint(1)\n```", "print(1)"),
        ("Run `make test` now", "Run make test now"),
        ("See [the docs](https://example.org/a_b) and ![a cat](cat.png)", "See the docs and a cat"),
        ("~~Old~~ new", "Old new"),
        ("これは**「締切」**です", "これは「締切」です"),
        ("\x1b[1;31mError:\x1b[0m it \x1b]8;;http://x\x07broke\x1b]8;;\x07", "Error: it broke"),
        ("a\u009b31mb\x00c\x07", "abc"),
        ("A title\n=====\nand text", "A title and text"),
        ("- [ ] buy milk\n* [x] eat", "buy milk eat"),
        ("\ufeffBill \u202egpj.exe\u202c and\u200b more", "Bill gpj.exe and more"),
        ("one\r\n\ttwo", "one two"),
    ],
)
def test_plain_line_removes_marks(text: str, line: str) -> None:
    assert plain_line(text) == line


@pytest.mark.parametrize(
    "text",
    [
        "What does __init__ do?",
        "snake_case and _private names",
        "2 * 3 * 4 = 24",
        "a*b*c",
        "Is 5 > 3 and 2 < 4?",
        "C:\\temp\\*.txt and src/**/*.py",
        "x[0](y) where $\\ce{H2O}$",
        "#hashtag and C#",
        r"\*not\* emphasised",
        "a == b, [x] and -1",
        "It takes 2~4 days or 7~9 days",
        "1.5 apples, 10) and -3",
        "[1, 2, 3] (a list)",
        "emoji 👩‍👩‍👧 and שלום",
    ],
)
def test_plain_line_keeps_what_is_no_mark(text: str) -> None:
    assert plain_line(text) == text


def test_titles_are_plain_from_a_prompt_and_from_a_model() -> None:
    assert title_of([{"type": "text", "text": "**Beans** and *peas*"}]) == "Beans and peas"
    assert title_in('Title: "**Beans** and *peas*"') == "Beans and peas"
    assert title_of([{"type": "text", "text": "****"}, {"type": "file", "filename": "a.txt"}]) == "a.txt"
    assert title_of([{"type": "text", "text": "\n---\n"}]) == "---"


@given(st.text(max_size=400))
def test_plain_line_is_one_line_without_controls(text: str) -> None:
    line = plain_line(text)
    assert line == " ".join(line.split())
    assert strip_escapes(line) == line


@pytest.mark.parametrize("piece", ["*", "**a", "_a", "`", "[", "[a](", "~~a", "\x1b]", "# ", ">", "- - "])
def test_plain_line_takes_no_time_on_hostile_text(piece: str) -> None:
    started = time.process_time()
    plain_line(piece * 500_000)
    assert time.process_time() - started < 1
