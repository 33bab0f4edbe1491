"""Errors of providers: whether to retry, whose words are shown, and which secrets are hidden."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from agent_core.errors import ModelError
from agent_core.llm import LitellmModel
from agent_core.llm.errors.model_errors import to_model_error
from tests.providers.loopback import Answer, Hang, provider
from tests.support.providers.provider_calls import KEY, ask, error, failure, model

pytestmark = pytest.mark.usefixtures("both_paths")


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, "invalid_request", False),
        (401, "auth", False),
        (402, "insufficient_credits", False),
        (403, "auth", False),
        (404, "invalid_request", False),
        (408, "network", True),
        (413, "invalid_request", False),
        (422, "invalid_request", False),
        (429, "rate_limited", True),
        (500, "provider_5xx", True),
        (502, "provider_5xx", True),
        (503, "provider_5xx", True),
        (529, "provider_5xx", True),
    ],
)
async def test_a_status_decides_whether_to_try_again(status: int, kind: str, retryable: bool):
    found = await failure(Answer(status, error("These are the provider's words")))
    assert (found.kind, found.retryable, found.status) == (kind, retryable, status)
    assert "These are the provider's words." in str(found)
    assert "litellm" not in str(found).lower()
    assert "Exception" not in str(found)


async def test_failed_request_is_made_exactly_once():
    async with provider(Answer(500, error("no"))) as server:
        with pytest.raises(ModelError):
            await ask(model(server))
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            error("This model's maximum context length is 8192 tokens.", code="context_length_exceeded"),
            "context_window_exceeded",
        ),
        (429, error("You exceeded your current quota.", code="insufficient_quota"), "insufficient_credits"),
        (400, error("Your credit balance is too low to access the API."), "insufficient_credits"),
        (400, error("API key not valid. Please pass a valid API key."), "auth"),
    ],
)
async def test_the_providers_words_decide_where_the_status_does_not(status: int, body: Any, kind: str):
    found = await failure(Answer(status, body))
    assert (found.kind, found.retryable) == (kind, False)
    assert str(found) == body["error"]["message"]
    assert found.__notes__, "a traceback does not say what to do"


async def test_retry_after_is_read_as_seconds_as_milliseconds_and_as_a_date():
    slow = error("Rate limit reached")
    assert (await failure(Answer(429, slow, {"retry-after": "7"}))).retry_after == 7.0
    assert (
        await failure(Answer(429, slow, {"retry-after-ms": "250", "retry-after": "1"}))
    ).retry_after == 0.25
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=300), usegmt=True)
    found = await failure(Answer(503, slow, {"retry-after": date}))
    assert found.retry_after == pytest.approx(300, abs=60)
    assert (await failure(Answer(429, slow, {"retry-after": "soon"}))).retry_after is None
    assert (await failure(Answer(429, slow))).retry_after is None


async def test_unreachable_and_silent_servers_are_network_errors():
    async with provider(Hang()) as server:
        url = server.url
        with pytest.raises(ModelError, match="did not answer in time") as caught:
            await ask(model(server, timeout=0.3))
        assert (caught.value.kind, caught.value.retryable) == ("network", True)
    with pytest.raises(ModelError, match="could not be reached") as caught:
        await ask(LitellmModel("openai/x", api_base=url, api_key=KEY))
    assert caught.value.__notes__ == ["Check the connection and the server's address."]
    assert (caught.value.kind, caught.value.retryable) == ("network", True)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("openai/gpt-5-mini", "auth", "OPENAI_API_KEY"),
        ("anthropic/claude-sonnet-5", "auth", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-flash-latest", "auth", "GEMINI_API_KEY"),
        ("nonsense", "invalid_request", "'nonsense' names no known provider"),
        ("nobody/nothing", "invalid_request", "provider/model"),
    ],
)
async def test_a_missing_key_or_a_wrong_name_says_what_to_do(name: str, kind: str, words: str):
    with pytest.raises(ModelError, match=words) as caught:
        await ask(LitellmModel(name))
    assert (caught.value.kind, caught.value.retryable) == (kind, False)
    assert "Traceback" not in str(caught.value)


async def test_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOME_API_KEY", "hunter2-hunter2")
    body = error(
        f"Incorrect API key provided: {KEY}, or was it hunter2-hunter2? https://x/?key=AIzaSyD123456"
    )
    found = await failure(Answer(401, body))
    assert str(found).startswith("Incorrect API key provided: [hidden], or was it [hidden]?")
    assert "AIzaSyD" not in str(found)


async def test_anthropics_form_of_an_error_is_read_too():
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    async with provider(Answer(529, body, {"retry-after": "3"})) as server:
        adapter = model(server, "anthropic/claude-sonnet-5", api_base=server.url.removesuffix("/v1"))
        with pytest.raises(ModelError, match=r"^Overloaded\.$") as caught:
            await ask(adapter)
    assert (caught.value.kind, caught.value.retryable, caught.value.retry_after) == (
        "provider_5xx",
        True,
        3.0,
    )


async def test_a_page_instead_of_an_answer_is_put_into_words():
    found = await failure(
        Answer(502, b"<html><head><title>502 Bad Gateway</title></head><body>x</body></html>")
    )
    assert str(found) == "502 Bad Gateway."


def test_a_missing_package_is_never_tried_again():
    """litellm wraps the missing package as a connection error, which looks retryable."""
    try:
        try:
            raise ModuleNotFoundError("No module named 'mcp'")
        except ModuleNotFoundError as missing:
            wrapped = type("APIConnectionError", (Exception,), {"status_code": 500})("No module named 'mcp'")
            raise wrapped from missing
    except Exception as raised:
        found = to_model_error(raised)
    assert (found.retryable, found.kind) == (False, "unknown")
    assert "No module named 'mcp'" in str(found)


def test_a_strict_servers_503_counts_whatever_class_it_comes_in():
    raised = type("BadRequestError", (Exception,), {"status_code": 503})("busy")
    assert to_model_error(raised).retryable
