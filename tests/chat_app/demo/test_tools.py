"""Test the demo's tools, which have real effects: they calculate, search, tell the time and write emails."""

from __future__ import annotations

import json
import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent_core.tools import ToolContext
from chat_app.demo import library
from chat_app.demo.calculator import calculate
from chat_app.demo.tools import calculator, demo_tools

# Calculator


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4 =", 20),
        ("2 ^ 10", 1024),
        ("7 // 2 + 7 % 4", 6),
        ("-3 × 2 ÷ 4", -1.5),
        ("sqrt(2) ** 2", pytest.approx(2)),
        ("max(1, 2, 3) + round(2.6) + floor(pi)", 9),
        ("0.1 + 0.2", pytest.approx(0.3)),
        ("2 ** 0.5", pytest.approx(1.41421356)),
    ],
)
def test_calculator_evaluates_arithmetic(expression: str, value: float):
    assert calculate(expression) == value


@pytest.mark.parametrize(
    ("expression", "shown"),
    [("(17.5 + 3) * 248", "5084"), ("1 / 2", "0.5"), ("2.0 ** 60", "1.152921504606847e+18")],
)
def test_calculator_shows_whole_numbers_without_a_fraction(expression: str, shown: str):
    assert json.dumps(calculator.handler(expression=expression)["result"]) == shown


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "two plus two",
        "1 / 0",
        "__import__('os').system('true')",
        "().__class__",
        "open('/etc/passwd')",
        "[x for x in (1,)]",
        "lambda: 1",
        "'a' * 9",
        "True + 1",
        "9 ** 9 ** 9",
        "10 ** 100000",
        "(-1) ** 0.5",
        "sqrt(-1)",
        "1e308 * 10",
        "exp(100000)",
        "max()",
        "round(1, ndigits=2)",
        "1 +" * 120 + "1",
        "(" * 145 + "1",
        "1; 2",
        "abs",
    ],
)
def test_calculator_refuses_at_once_what_is_not_arithmetic(expression: str):
    started = time.thread_time()
    with pytest.raises(ValueError, match=r"\S"):
        calculate(expression)
    assert time.thread_time() - started < 1


# Documentation search


def test_search_finds_sections_and_ignores_code(tmp_path: Path):
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# App\nIt runs.\n## Retries\nA failed step is tried again.\n")
    (tmp_path / "docs" / "deep" / "a.md").write_text("# Code\n```sh\n# retries are no heading\n```\n")
    first, *others = library.search("how do retries work", root=tmp_path)
    assert (first.file, first.heading, first.text) == (
        "README.md",
        "Retries",
        "A failed step is tried again.",
    )
    assert [each.heading for each in others] == ["Code"]
    assert library.search("zebra", root=tmp_path) == []
    assert library.search("the of a", root=tmp_path) == []


def test_the_projects_own_docs_are_found():
    assert any("configuration.md" in found.file for found in library.search("CHAT_DEMO_SPEED"))


# Clock and outbox


def test_the_clock_knows_time_zones():
    clock = demo_tools(Path())["clock"]
    assert clock(timezone="Asia/Tokyo")["timezone"] == "Asia/Tokyo"
    assert ZoneInfo("Asia/Tokyo")
    for zone in ("Mars/Olympus", "../etc/passwd", "", "\0"):
        with pytest.raises(ValueError, match="not a time zone"):
            clock(timezone=zone)


def test_an_email_is_written_once_however_often_it_is_sent(tmp_path: Path):
    send = demo_tools(tmp_path / "data")["send_email"]
    assert isinstance(send.args_model, type)
    arguments = send.args_model(to="a@b.c", subject="s", body="b\nc")
    for attempt in (1, 2):
        context = ToolContext("t", "c", "send_email", attempt=attempt, idempotency_key="same")
        assert send.handler(arguments, context)["status"] == "sent"
    send.handler(arguments, ToolContext("t", "d", "send_email", idempotency_key="other"))
    lines = (tmp_path / "data" / "outbox.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["same", "other"]
