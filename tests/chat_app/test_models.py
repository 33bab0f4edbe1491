"""Which model answers: the order of the choice, and what is made of servers that are there or not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ValidationError
from chat_app.models import DEMO_MODEL, PROVIDERS, ModelChoice, choose_model
from chat_app.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of these tests answers, however busy the machine is."""
    monkeypatch.setattr("chat_app.models.PROBE_TIMEOUT", 10.0)


def choose(settings: Settings | None = None, ollama: str = NOWHERE, **environ: str) -> ModelChoice:
    return choose_model(settings or Settings(), environ, ollama_url=ollama)


@contextmanager
def server(models: Any, capabilities: dict[str, list[str]] | None = None, status: int = 200) -> Iterator[str]:
    """A model server on loopback: lists models, and tells their capabilities as Ollama does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"object": "list", "data": models} if self.path == "/v1/models" else {})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self._send({"capabilities": (capabilities or {}).get(asked["model"], [])})

        def _send(self, body: Any) -> None:
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def named(*names: str) -> list[dict[str, str]]:
    return [{"id": name} for name in names]


def test_nothing_at_hand_is_the_demo_model():
    choice = choose()
    assert choice.name == DEMO_MODEL
    assert choice.is_demo
    assert "no key is set" in choice.reason


def test_chat_model_comes_first():
    choice = choose(Settings(model="mistral/mistral-large-latest"), OPENAI_API_KEY="k")
    assert choice.name == "mistral/mistral-large-latest"
    assert "CHAT_MODEL" in choice.reason
    assert choose(Settings(model="demo"), OPENAI_API_KEY="k").is_demo


@pytest.mark.parametrize("name", ["two words", "/x", "x/"])
def test_a_name_that_cannot_be_one_is_refused(name: str):
    with pytest.raises(ValidationError, match="CHAT_MODEL"):
        choose(Settings(model=name))


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.keys[0])
def test_a_key_chooses_its_providers_model(provider: Any):
    for key in provider.keys:
        choice = choose(None, NOWHERE, **{key: "secret-value"})
        assert choice.name == provider.model
        assert key in choice.reason
        assert "secret-value" not in repr(choice)


def test_keys_come_in_order_and_empty_ones_do_not_count():
    assert choose(GROQ_API_KEY="k", ANTHROPIC_API_KEY="k").name.startswith("anthropic/")
    assert choose(GROQ_API_KEY="k", ANTHROPIC_API_KEY=" ").name.startswith("groq/")


def test_a_server_that_answers_is_asked_for_its_models():
    with server(named("text-embedding-small", "qwen3-4b", "other")) as url:
        choice = choose(Settings(openai_base_url=url), OPENAI_API_KEY="local-key")
    assert choice.name == "openai/qwen3-4b"
    assert choice.options == {"api_base": url, "api_key": "local-key"}
    assert url in choice.reason
    assert "local-key" not in repr(choice)


def test_a_key_of_another_provider_comes_before_the_server():
    with server(named("qwen3-4b")) as url:
        assert choose(Settings(openai_base_url=url), GROQ_API_KEY="k").name.startswith("groq/")


def test_chat_model_is_asked_of_the_server_too():
    choice = choose(Settings(model="openai/mine", openai_base_url=NOWHERE))
    assert choice.options == {"api_base": NOWHERE, "api_key": "none"}


def test_ollama_is_found_and_a_model_with_tools_preferred():
    models, abilities = named("nomic-embed-text", "gemma2", "llama3.2"), {"llama3.2": ["completion", "tools"]}
    with server(models, abilities) as url:
        choice = choose(ollama=url)
        assert (choice.name, choice.calls_tools) == ("openai/llama3.2", True)
        assert choice.options["api_base"] == url
    with server(models, {"gemma2": ["completion"]}) as url:
        choice = choose(ollama=url)
        assert (choice.name, choice.calls_tools) == ("openai/gemma2", False)
        assert "cannot call tools" in choice.reason


def test_the_small_local_model_gets_no_tools():
    choice = choose(Settings(model="openai/SmolLM2-135M", openai_base_url=NOWHERE))
    assert not choice.calls_tools
    with server(named("SmolLM2-135M")) as url:
        assert not choose(Settings(openai_base_url=url)).calls_tools


@pytest.mark.parametrize(
    ("models", "status"),
    [
        ([], 200),
        (None, 200),
        ("x", 200),
        ([{"id": 1}, {}, "x"], 200),
        (named("only-embeddings"), 200),
        (named("a"), 500),
    ],
)
def test_a_server_that_has_nothing_to_offer_is_passed_over(models: Any, status: int):
    with server(models, status=status) as url:
        assert choose(Settings(openai_base_url=url), ollama=url).is_demo


def test_nothing_of_litellm_is_imported():
    script = (
        "import sys; from chat_app.models import *; from chat_app.settings import *\n"
        f"choose_model(Settings(), {{}}, ollama_url={NOWHERE!r})\n"
        "assert not [name for name in sys.modules if name.startswith('litellm')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_litellm_knows_every_model_that_is_chosen():
    import litellm

    for provider in PROVIDERS:
        name = provider.model
        known = litellm.model_cost.get(name) or litellm.model_cost.get(name.split("/", 1)[1])
        assert known is not None, name


def test_the_table_in_the_docs_is_the_one_in_the_code():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^ +\| (`.+?_KEY`) \| (\S+) \|$", page, re.M)
    assert rows == [(", ".join(f"`{key}`" for key in each.keys), each.model) for each in PROVIDERS]
