"""The library's loggers: standard ones whose records contain no secrets and cannot forge lines."""

from __future__ import annotations

import importlib
import logging
import pkgutil

import pytest

import agent_core
from agent_core.support.logs import escape, get_logger

log = get_logger("agent_core.test_logs")


def test_every_module_of_the_library_logs_through_a_cleaned_logger() -> None:
    found: list[str] = []
    for module in pkgutil.walk_packages(agent_core.__path__, "agent_core."):
        if ".migrations" in module.name or module.name == "agent_core.worker.procrastinate":
            continue
        loaded = importlib.import_module(module.name)
        for value in vars(loaded).values():
            if isinstance(value, logging.Logger) and value.name.startswith("agent_core"):
                assert value.filters, f"{module.name} has a logger that cleans nothing"
                assert value.level == logging.NOTSET
                assert not value.handlers
                found.append(module.name)
    assert {"agent_core.worker.scheduler", "agent_core.store.database.writer"} <= set(found)


FORGED = (
    "a\nERROR root: forged",
    "a\r\nb",
    "a\x1b[31mred\x1b[0m",
    "a\u2028b",
    "a\u2029b",
    "a\x85b",
    "a\u202eb\u2066c",
    "a\x00b\x07\x08",
    "a\ud800b",
    "a\u200bb\ufeff",
    "a\U000e0041b\u3164",
)


@pytest.mark.parametrize("text", FORGED)
def test_a_value_cannot_forge_a_line(text: str, caplog: pytest.LogCaptureFixture) -> None:
    log.warning("The thread %s is %d", text, 3)
    (record,) = caplog.records
    message = record.getMessage()
    assert message.startswith("The thread a")
    assert message.endswith(" is 3")
    assert message.isprintable()
    assert len(message.splitlines()) == 1
    assert message.encode()


def test_ordinary_letters_are_not_escaped() -> None:
    text = "Grüße, 你好, עברית, C:\\new 👩‍🔬"
    assert escape(text.replace("\u200d", "")) == text.replace("\u200d", "")


def test_a_traceback_hides_what_the_error_says(caplog: pytest.LogCaptureFixture) -> None:
    try:
        try:
            raise ValueError("password=hunter2")
        except ValueError as cause:
            raise RuntimeError("Bearer abcd1234efgh\r\x1b[31m\u202e") from cause
    except RuntimeError:
        log.exception("It failed")
    assert "hunter2" not in caplog.text
    assert "abcd1234efgh" not in caplog.text
    assert "RuntimeError: Bearer [hidden]\\r\\x1b[31m\\u202e" in caplog.text
    assert "ValueError: password=[hidden]" in caplog.text
    assert "test_logs.py" in caplog.text, "the traceback itself stays"


def test_a_value_whose_words_fail_is_named(caplog: pytest.LogCaptureFixture) -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    log.warning("It said %s", SilentError())
    assert caplog.messages == ["It said SilentError"]


SHOP = "postgresql://shop:hunter2@db/stock"  # this line of source appears in tracebacks


def failed() -> None:
    try:
        try:
            raise ValueError("password=hunter2")
        except ValueError as error:
            error.add_note("Authorization: Bearer hunter2hunter2hunter2")
            raise ExceptionGroup("token=hunter2", [KeyError("ok"), OSError("api_key=hunter2")]) from error
    except ExceptionGroup as error:
        raise ConnectionError(SHOP) from error


def test_handler_that_formats_exceptions_itself_gets_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """JSON formatters, rich's handler and error trackers format exceptions themselves."""
    try:
        failed()
    except ConnectionError:
        log.exception("It failed")
    (record,) = caplog.records
    assert record.exc_info
    words = logging.Formatter().formatException(record.exc_info)
    assert "hunter2@" not in words
    assert "ValueError: password=[hidden]" in words
    assert "Authorization: [hidden]" in words
    assert "ExceptionGroup: token=[hidden]" in words
    assert "OSError: api_key=[hidden]" in words
    assert "ConnectionError: postgresql://shop:[hidden]@db/stock" in words
    assert words.count("The above exception was the direct cause") == 2
    assert "in failed" in words


def test_error_without_secrets_reaches_the_handler_itself(caplog: pytest.LogCaptureFixture) -> None:
    error = ValueError("plain")
    log.error("It failed", exc_info=error)
    assert caplog.records[0].exc_info
    assert caplog.records[0].exc_info[1] is error
