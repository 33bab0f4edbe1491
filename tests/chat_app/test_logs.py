"""Test the app's log: one escaped line for each record, libraries at WARNING, and a checked level."""

from __future__ import annotations

import logging
import re
import subprocess
import sys

import pytest
from redis.exceptions import RedisError

from agent_core.errors import ValidationError
from chat_app.logs import LEVELS, MAX_REPEATS, OneLineFormatter, RepeatFilter, log_exception
from chat_app.server.settings import read_settings

LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) \S+ .*"
)


def record(message: object, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("reflex.app", logging.ERROR, "app.py", 1, message, args, info)


def raised() -> Exception:
    try:
        raise ValueError("password=hunter2\n2026-01-01 CRITICAL root forged\x1b[31m\u2028\u202e")
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    "given",
    [
        record(
            "[Reflex Frontend Exception]\n %s\n", "Error: a\nERROR root forged\x1b[2J\r\u2028\u2029\x85\u202e"
        ),
        record("[Reflex Frontend Exception]\n a\nb\x00\ud800\n"),
        record("It failed", error=raised()),
        record("%d of %s", "not a number"),
        record({"a": "b\nc"}),
    ],
)
def test_a_record_is_one_line(given: logging.LogRecord) -> None:
    line = OneLineFormatter().format(given)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert LINE.fullmatch(line), line
    assert "hunter2" not in line
    assert line.encode()


def test_a_logged_traceback_can_be_restored() -> None:
    line = OneLineFormatter().format(record("It failed", error=raised()))
    assert "\\nTraceback (most recent call last):\\n" in line
    assert "in raised" in line


def test_similar_records_are_counted_instead_of_written() -> None:
    alike = RepeatFilter(["chat_app"])
    again = [record("Error processing event") for _ in range(MAX_REPEATS + 5)]
    assert [alike.filter(each) for each in again] == [True] * MAX_REPEATS + [False] * 5
    other, own, later = record("Another"), record("Ours"), record("Error processing event")
    other.lineno, own.name, later.created = 2, "chat_app.thread", later.created + 61
    assert [alike.filter(each) for each in (other, own, later)] == [True, True, True]
    assert (
        OneLineFormatter().format(later).endswith("Error processing event (5 similar records were dropped)")
    )


def test_library_of_the_socket_writes_through_the_app_log() -> None:
    script = """
from chat_app import logs
logs.configure("INFO")
import socketio
server = socketio.AsyncServer(async_mode="asgi")
server.eio.logger.error("a\\nERROR root forged")
server.logger.error("b\\nERROR root forged")
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stderr
    lines = said.splitlines()
    assert len(lines) == 2, said
    assert all(LINE.fullmatch(line) for line in lines), said


SCRIPT = """
import logging, sys
from chat_app import logs
logs.configure("INFO", ["shop"])
logs.configure({level!r}, ["shop"])
for name in ("agent_core.runners", "chat_app.thread", "shop.tools", "apscheduler.x", "alembic", "httpx", "reflex.app"):
    logging.getLogger(name).debug("d")
    logging.getLogger(name).info("i")
    logging.getLogger(name).warning("w\\nforged")
    logging.getLogger(name).error("e")
"""


@pytest.mark.parametrize(
    ("level", "ours", "others"), [("INFO", "iwe", "we"), ("DEBUG", "diwe", "we"), ("ERROR", "e", "e")]
)
def test_the_level_applies_to_the_app_and_libraries_log_warnings(level: str, ours: str, others: str) -> None:
    script = SCRIPT.format(level=level)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = run.stderr.splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    said = {
        name: "".join(line.split(" ")[3][0] for line in lines if f" {name} " in line)
        for name in (
            "agent_core.runners",
            "chat_app.thread",
            "shop.tools",
            "apscheduler.x",
            "alembic",
            "httpx",
            "reflex.app",
        )
    }
    assert set(said.values()) <= {ours, others}
    assert [said[name] for name in ("agent_core.runners", "chat_app.thread", "shop.tools")] == [ours] * 3
    assert [said[name] for name in ("apscheduler.x", "alembic", "httpx", "reflex.app")] == [others] * 4


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_is_taken_in_either_case(level: str) -> None:
    assert read_settings({"CHAT_LOG_LEVEL": level.lower()}).log_level == level


@pytest.mark.parametrize("level", ["loud", "10", "NOTSET", "WARN ING"])
def test_another_level_is_refused_with_a_sentence(level: str) -> None:
    with pytest.raises(ValidationError, match=r"CHAT_LOG_LEVEL is .*; it must be one of: DEBUG, INFO"):
        read_settings({"CHAT_LOG_LEVEL": level})


def test_exception_of_an_event_is_logged_with_its_traceback_unless_redis_is_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for error in (raised(), RedisError("Error 111 connecting to 127.0.0.1:6379.")):
        log_exception(error)
    bug, outage = caplog.records
    assert bug.exc_info is not None
    assert outage.exc_info is None
    assert outage.getMessage().endswith("was not handled: Error 111 connecting to 127.0.0.1:6379.")
