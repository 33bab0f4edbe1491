"""Test the choice of the model: its order of precedence, and servers that answer or fail."""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ValidationError
from agent_core.llm.model_names import models_by_name, providers_by_name
from chat_app.model.model_choice import DEMO_MODEL, PROVIDERS, ModelChoice, choose_model
from chat_app.server.settings import Settings
from chat_app.session.service import lifespan, open_service
from tests.chat_app.support import Tab

ROOT = Path(__file__).resolve().parents[3]
NOWHERE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts long enough for a server on a busy machine."""
    monkeypatch.setattr("chat_app.model.model_choice.PROBE_TIMEOUT", 10.0)


def choose(settings: Settings | None = None, ollama: str = NOWHERE, **environ: str) -> ModelChoice:
    return choose_model(settings or Settings(), environ, ollama_url=ollama)


@contextmanager
def server(models: Any, capabilities: dict[str, list[str]] | None = None, status: int = 200) -> Iterator[str]:
    """Run a model server on loopback that lists models, and their capabilities as Ollama does."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            listed = models if isinstance(models, bytes) else {"object": "list", "data": models}
            self._send(listed if self.path == "/v1/models" else {})

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
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/v1"
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def named(*names: str) -> list[dict[str, str]]:
    return [{"id": name} for name in names]


def test_demo_model_is_chosen_where_no_other_is_at_hand():
    choice = choose()
    assert choice.name == DEMO_MODEL
    assert choice.is_demo
    assert "no key is set" in choice.reason


def test_chat_model_comes_first():
    choice = choose(Settings(model="mistral/mistral-large-latest"), OPENAI_API_KEY="k")
    assert choice.name == "mistral/mistral-large-latest"
    assert "CHAT_MODEL" in choice.reason
    assert choose(Settings(model="demo"), OPENAI_API_KEY="k").is_demo


@pytest.mark.parametrize("name", ["two words", "/x", "x/", "openai/\u200bgpt-5", "openai/gpt\u00ad-5"])
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


@pytest.mark.parametrize(
    ("models", "status", "words"),
    [
        ([], 200, "lists no chat models"),
        (named("text-embedding-3-small"), 200, "lists no chat models"),
        (named("a"), 401, "answered 401 to the request for its models. Set OPENAI_API_KEY"),
        (named("a"), 404, "answered 404 to the request for its models. Correct OPENAI_BASE_URL"),
        (named("a"), 503, "answered 503 to the request for its models. Start that server"),
        (b"<html>Sign in</html>", 200, "did not answer with JSON"),
    ],
)
def test_server_that_was_named_and_gives_no_model_is_a_problem(models: Any, status: int, words: str):
    with server(models, status=status) as url:
        choice = choose(Settings(openai_base_url=url))
    assert choice.is_demo
    assert "no local model server answers" not in choice.reason
    assert words in choice.problem
    assert url in choice.problem
    assert "OPENAI_BASE_URL" in choice.problem


@pytest.mark.parametrize("environ", [{}, {"GROQ_API_KEY": "k"}])
def test_server_that_does_not_answer_is_a_problem_whatever_answers_instead(environ: dict[str, str]):
    choice = choose(Settings(openai_base_url=NOWHERE), **environ)
    assert choice.name == ("groq/openai/gpt-oss-20b" if environ else DEMO_MODEL)
    assert choice.problem.startswith(f"The server at {NOWHERE} (OPENAI_BASE_URL) does not answer: ")
    assert choice.problem.endswith("Start that server or correct OPENAI_BASE_URL, then restart the app.")


def test_silent_server_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("chat_app.model.model_choice.PROBE_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        assert "does not answer: the request timed out" in choose(Settings(openai_base_url=url)).problem


def test_server_that_answers_piece_by_piece_has_a_bounded_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("chat_app.model.model_choice.PROBE_TIMEOUT", 0.2)
    ended = threading.Event()

    def trickle(listening: socket.socket) -> None:
        client = listening.accept()[0]
        with contextlib.suppress(OSError), client:
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            while not ended.wait(0.05):
                client.sendall(b"x-more: y\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=trickle, args=(listening,), daemon=True)
        thread.start()
        threading.Timer(8.0, ended.set).start()
        began = time.monotonic()
        problem = choose(
            Settings(openai_base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        ).problem
        took = time.monotonic() - began
        ended.set()
        thread.join()
    assert "does not answer: the request timed out" in problem
    assert took < 6


def test_https_to_a_server_without_tls_says_so():
    with server(named("qwen3-4b")) as url:
        problem = choose(Settings(openai_base_url=url.replace("http:", "https:"))).problem
    assert "the server does not use TLS; try http:// instead of https://. Start" in problem


@pytest.mark.parametrize("body", [b"[" * 200_000, b"1" * 20_000, b"\xff\xfe\xfd", b""])
def test_answer_that_cannot_be_read_is_no_json(body: bytes):
    with server(body) as url:
        assert "did not answer with JSON" in choose(Settings(openai_base_url=url), ollama=url).problem


@pytest.mark.parametrize("key", ["sk-secret\nX-Header: 1", "sk-secret-ключ", "sk-secret\x7f"])
def test_key_that_no_request_can_carry_is_a_problem_and_not_shown(key: str):
    with server(named("qwen3-4b")) as url:
        choice = choose(Settings(openai_base_url=url), OPENAI_API_KEY=key)
    assert "OPENAI_API_KEY has letters that no key has" in choice.problem
    assert "secret" not in choice.problem


def test_blanks_around_a_key_are_not_part_of_it():
    with server(named("qwen3-4b")) as url:
        found = [choose(Settings(openai_base_url=url), OPENAI_API_KEY=key) for key in (" local-key\n", "  ")]
    assert [choice.options["api_key"] for choice in found] == ["local-key", "none"]


@pytest.mark.parametrize("problem", ["", "It does not answer."])
async def test_page_names_the_address_that_gave_no_models(tmp_path: Path, tab: Tab, problem: str):
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/a.db",
        data_dir=tmp_path,
        openai_base_url="http://anna:secret@127.0.0.1:9/v1",
    )
    async with open_service(settings, ModelChoice(DEMO_MODEL, "for a test", problem=problem)):
        tab.threads.open()
        assert tab.threads.demo
        assert tab.threads.unavailable_url == ("http://127.0.0.1:9/v1" if problem else "")


async def test_start_logs_that_the_named_server_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("OPENAI_BASE_URL", NOWHERE)
    monkeypatch.setenv("CHAT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("chat_app.session.app_runtime.warm", lambda: None)
    async with lifespan():
        pass
    [record] = [each for each in caplog.records if NOWHERE in each.getMessage()]
    assert record.levelname == "WARNING"
    assert "does not answer" in record.getMessage()


def test_server_of_the_model_that_is_named_need_only_answer():
    mine = Settings(model="openai/mine", openai_base_url=NOWHERE)
    with server([], status=404) as url:
        assert choose(replace(mine, openai_base_url=url)).problem == ""
    assert "does not answer" in choose(mine).problem
    assert choose(Settings(openai_base_url=NOWHERE, model="demo")).problem == ""
    assert choose().problem == ""


def test_password_in_the_address_is_not_shown():
    url = "http://anna:secret@127.0.0.1:9/v1"
    choice = choose(Settings(openai_base_url=url))
    assert "secret" not in choice.problem
    with server(named("qwen3")) as found:
        told = choose(Settings(openai_base_url=found.replace("http://", "http://anna:secret@")))
    assert "secret" not in told.reason
    assert "secret" in told.options["api_base"]


@pytest.mark.parametrize("variable", ["CHAT_MODEL", "CHAT_TITLE_MODEL"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gpt5", "did you mean gpt-5[?].*openai/gpt5"),
        ("gpt_5_mini", "did you mean gpt-5-mini"),
        ("claude-sonet-5", "did you mean claude-sonnet-5"),
        ("dmo", "did you mean demo"),
        ("zebra", "not a model that litellm knows[.] Write one"),
        ("opnai/gpt-5", "no provider 'opnai'; did you mean openai/gpt-5[?]"),
        ("antropic/claude-sonnet-5", "did you mean anthropic/claude-sonnet-5"),
        ("Openai/gpt-5", "did you mean openai/gpt-5"),
        ("gpt-5:latest/x", "no provider"),
        ("text-embedding-3-small", "not a chat model; its mode is embedding"),
        ("two words", "must be a litellm model name"),
    ],
)
def test_model_that_litellm_would_refuse_is_refused_at_the_start(variable: str, name: str, words: str):
    settings = Settings(model=name) if variable == "CHAT_MODEL" else Settings(title_model=name)
    with pytest.raises(ValidationError, match=f"^{variable} is {name!r}.*{words}"):
        choose(settings)


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-5-mini", "openai/gpt-9-unheard-of", "anthropic/claude-sonnet-5", "gemini/gemini-flash-latest"),
        *("ollama_chat/qwen3", "hosted_vllm/mine", "lm_studio/x", "openrouter/a/b:free", "bedrock/x.y-v1:0"),
        *("litellm_proxy/x", "custom_openai/x", "groq/openai/gpt-oss-20b", "demo", "demo/assistant"),
        *("azure/my-deployment", "together_ai/x/y", "huggingface/org/model", "github_copilot/gpt-4"),
    ],
)
def test_model_of_a_known_provider_is_taken_however_new_it_is(name: str):
    assert choose(Settings(model=name)).name == ("demo/assistant" if name == "demo" else name)


def test_provider_of_an_extension_is_taken():
    with pytest.raises(ValidationError, match="no provider 'nobodys'"):
        choose(Settings(model="nobodys/small"))
    assert choose(Settings(model="nobodys/small", extensions=("mine",))).name == "nobodys/small"
    with pytest.raises(ValidationError, match="did you mean gpt-5"):
        choose(Settings(model="gpt5", extensions=("mine",)))


def test_the_names_are_those_that_litellm_knows():
    litellm: Any = importlib.import_module("litellm")
    theirs = {str(getattr(each, "value", each)) for each in litellm.provider_list}
    assert theirs - set(litellm._custom_providers) <= providers_by_name()
    assert providers_by_name() - theirs <= set(json.loads(read_of_litellm(litellm)))
    assert len(models_by_name()) > 1_000


def read_of_litellm(litellm: Any) -> str:
    return (Path(litellm.__file__).parent / "llms/openai_like/providers.json").read_text()


def test_choosing_a_model_imports_nothing_of_litellm():
    script = (
        "import sys; from chat_app.model.model_choice import *; from chat_app.server.settings import *\n"
        f"choose_model(Settings(), {{}}, ollama_url={NOWHERE!r})\n"
        "choose_model(Settings(model='gpt-5'), {})\n"
        "assert not [name for name in sys.modules if name.startswith('litellm')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def _ends(name: str) -> list[str]:
    words = name.split("/")
    return ["/".join(words[place:]) for place in range(len(words))]


def test_litellm_knows_every_model_that_is_chosen():
    import litellm

    for provider in PROVIDERS:
        name = provider.model
        # Of a gateway's models, litellm may know only the maker's name.
        known = next((found for each in _ends(name) if (found := litellm.model_cost.get(each))), None)
        assert known is not None, name


def test_the_table_in_the_docs_is_the_one_in_the_code():
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    rows = re.findall(r"^ +\| (`.+?_KEY`) \| (\S+) \|$", page, re.M)
    assert rows == [(", ".join(f"`{key}`" for key in each.keys), each.model) for each in PROVIDERS]
