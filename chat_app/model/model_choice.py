"""Choice of the model that answers: the configured one, else the first available one, else the demo model.

This module does not import litellm, so the page can show the model's name while litellm is still loading.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from agent_core.errors import ValidationError
from agent_core.llm import check_model_name
from chat_app.server.setting_values import is_one_word
from chat_app.server.settings import Settings

DEMO_MODEL = "demo/assistant"
_OLLAMA_URL = "http://127.0.0.1:11434/v1"
PROBE_TIMEOUT = 0.6
"""Seconds in which a local server must answer; the page must not wait for a server that is not running."""

_PIECEMEAL = 5
"""Multiple of PROBE_TIMEOUT within which a server that answers piece by piece must finish."""

_MAX_OFFERED = 40
"""Maximum number of models to choose from."""

_NOT_FOR_CHAT = ("embed", "whisper", "tts", "rerank", "moderation", "dall-e", "bge-", "clip", "transcribe")
_WITHOUT_TOOLS = ("smollm",)
"""Words in the names of models that are known to be unable to call tools."""


@dataclass(frozen=True, slots=True)
class _Provider:
    """Provider that is recognized by its key: the variables that may hold the key, and the model to use."""

    keys: tuple[str, ...]
    model: str


PROVIDERS = (
    _Provider(("OPENAI_API_KEY",), "openai/gpt-5-mini"),
    _Provider(("ANTHROPIC_API_KEY",), "anthropic/claude-sonnet-5"),
    _Provider(("GEMINI_API_KEY", "GOOGLE_API_KEY"), "gemini/gemini-flash-latest"),
    _Provider(("GROQ_API_KEY",), "groq/openai/gpt-oss-20b"),
    _Provider(("MISTRAL_API_KEY",), "mistral/mistral-small-latest"),
    _Provider(("OPENROUTER_API_KEY",), "openrouter/openai/gpt-5-mini"),
    _Provider(("DEEPSEEK_API_KEY",), "deepseek/deepseek-chat"),
    _Provider(("XAI_API_KEY",), "xai/grok-4.20-non-reasoning"),
    _Provider(("CEREBRAS_API_KEY",), "cerebras/gpt-oss-120b"),
    _Provider(("TOGETHERAI_API_KEY",), "together_ai/openai/gpt-oss-20b"),
)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Model that answers.

    Attributes:
        name: litellm model name.
        reason: sentence for the user who started the app: which model was chosen, and why.
        options: options of every request, such as the address and key of the model's server.
        calls_tools: False for models that are known to refuse requests with tools.
        problem: sentence about the server at OPENAI_BASE_URL if that server could not be used, else "".
    """

    name: str
    reason: str
    options: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    calls_tools: bool = True
    problem: str = ""

    @property
    def is_demo(self) -> bool:
        """Return whether the model is the built-in demo model, which the page points out."""
        return self.name == DEMO_MODEL


def choose_model(
    settings: Settings, environ: Mapping[str, str], *, ollama_url: str = _OLLAMA_URL
) -> ModelChoice:
    """Choose the first of: CHAT_MODEL, a provider with a key, a local server that answers, the demo model.

    Args:
        settings: `model`, `title_model`, `openai_base_url` and `extensions` are used.
        environ: environment variables, which may hold providers' keys.
        ollama_url: address at which a local Ollama would answer.

    Raises:
        ValidationError: CHAT_MODEL or CHAT_TITLE_MODEL is not a valid model name.
    """
    check_names(settings)
    server = _listing(settings, environ)
    if settings.model:
        choice = _named(settings.model, settings, environ)
    else:
        choice = next(_at_hand(settings, environ, ollama_url, server), None) or ModelChoice(
            DEMO_MODEL,
            "The built-in demo model: no key is set and no local model server answers."
            if not server.problem
            else "The built-in demo model, because nothing else is at hand.",
        )
    return replace(choice, problem=server.problem)


def check_names(settings: Settings) -> None:
    """Check the configured model names, without a request to any server.

    Raises:
        ValidationError: CHAT_MODEL or CHAT_TITLE_MODEL is not a valid model name.
    """
    for variable, name in (("CHAT_MODEL", settings.model), ("CHAT_TITLE_MODEL", settings.title_model)):
        if name and name not in ("own", "none"):
            _check_name(variable, name, settings)


def offered_models(
    settings: Settings, environ: Mapping[str, str], choice: ModelChoice, *, ollama_url: str = _OLLAMA_URL
) -> list[ModelChoice]:
    """Return the models that a user may choose: `choice` first, then all available ones, the demo model last.

    Each call queries the local servers again and waits for their answers.
    """
    found = islice(_at_hand(settings, environ, ollama_url), _MAX_OFFERED)
    offered: dict[str, ModelChoice] = {}
    for model in (choice, *found, ModelChoice(DEMO_MODEL, "The built-in demo model.")):
        offered.setdefault(model.name, model)
    return list(offered.values())


def _at_hand(
    settings: Settings, environ: Mapping[str, str], ollama_url: str, server: _Listing | None = None
) -> Iterator[ModelChoice]:
    """Yield the available models; servers are queried only when the models of the keys are used up."""
    yield from _by_key(settings, environ)
    yield from _by_server(server or _listing(settings, environ), _key(environ))
    yield from _by_ollama(ollama_url)


def _named(name: str, settings: Settings, environ: Mapping[str, str]) -> ModelChoice:
    if name in ("demo", DEMO_MODEL):
        return ModelChoice(DEMO_MODEL, "The built-in demo model, as CHAT_MODEL says.")
    options: dict[str, Any] = {}
    if settings.openai_base_url and name.startswith("openai/"):
        options = _server_options(settings.openai_base_url, _key(environ))
    return ModelChoice(name, f"{name}, as CHAT_MODEL says.", options, _may_call_tools(name))


def _check_name(variable: str, name: str, settings: Settings) -> None:
    if name in ("demo", DEMO_MODEL):
        return
    if not is_one_word(name) or name.startswith("/") or name.endswith("/"):
        raise ValidationError(
            f"{variable} is {name!r}; it must be a litellm model name, such as openai/gpt-5-mini, or demo."
        )
    check_model_name(name, variable, open_ended=bool(settings.extensions))  # extensions may register one


def _may_call_tools(name: str) -> bool:
    return not any(word in name.lower() for word in _WITHOUT_TOOLS)


def _by_key(settings: Settings, environ: Mapping[str, str]) -> Iterator[ModelChoice]:
    for provider in PROVIDERS:
        for key in provider.keys:
            # With OPENAI_BASE_URL, the key belongs to that server, whose models have other names.
            elsewhere = key == "OPENAI_API_KEY" and settings.openai_base_url
            if environ.get(key, "").strip() and not elsewhere:
                yield ModelChoice(provider.model, f"{provider.model}, because {key} is set.")
                break


@dataclass(frozen=True, slots=True)
class _Listing:
    """Answer of the server at OPENAI_BASE_URL to the request for its models."""

    url: str
    names: tuple[str, ...] = ()
    problem: str = ""


def _listing(settings: Settings, environ: Mapping[str, str]) -> _Listing:
    """Request the models of the server at OPENAI_BASE_URL if it is set and may serve the configured model."""
    url, named = settings.openai_base_url, settings.model
    if not url or (named and not named.startswith("openai/")):
        return _Listing("")
    place = f"The server at {without_credentials(url)} (OPENAI_BASE_URL)"
    key = _key(environ)
    if key and not (key.isascii() and key.isprintable()):
        return _Listing(
            url, (), f"{place} cannot be asked: OPENAI_API_KEY has letters that no key has. {_CORRECT_KEY}"
        )
    try:
        names = tuple(_listed_models(url, key))
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        problem = f"{place} answered {status} to the request for its models. {_advice(status)}"
        return _Listing(url, (), "" if named else problem)  # a server need not list its models
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        return _Listing(url, (), f"{place} does not answer: {_why(error)}. {_START_IT}")
    except ValueError:
        return _Listing(
            url, (), f"{place} did not answer with JSON. Check that this is the address of its API."
        )
    return _Listing(url, names, "" if names or named else f"{place} lists no chat models.")


_START_IT = "Start that server or correct OPENAI_BASE_URL, then restart the app."
_CORRECT_KEY = "Correct it, then restart."
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER", "PACKET_LENGTH", "record layer")


def _key(environ: Mapping[str, str]) -> str | None:
    """Return the key of the server at OPENAI_BASE_URL; a key from a file often ends with a line break."""
    return environ.get("OPENAI_API_KEY", "").strip() or None


def _why(error: Exception) -> str:
    """Return the reason why a server does not answer, as the end of a sentence without its full stop."""
    if isinstance(error, httpx.TimeoutException):
        return "the request timed out"
    if any(sign in str(error) for sign in _NO_TLS):
        return "the server does not use TLS; try http:// instead of https://"
    return (str(error) or type(error).__name__).rstrip(".")


def _advice(status: int) -> str:
    """Return what to do about the status with which a server refused to list its models."""
    if status in (401, 403):
        return "Set OPENAI_API_KEY to a key for that server, then restart the app."
    if status == 404:
        return "Correct OPENAI_BASE_URL (it usually ends in /v1), then restart the app."
    return _START_IT


def without_credentials(url: str) -> str:
    """Return a checked URL without its user name and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _by_server(server: _Listing, api_key: str | None) -> Iterator[ModelChoice]:
    for name in server.names:
        reason = f"{name}, from the server at {without_credentials(server.url)} (OPENAI_BASE_URL)."
        options = _server_options(server.url, api_key)
        yield ModelChoice(f"openai/{name}", reason, options, _may_call_tools(name))


def _by_ollama(base_url: str) -> Iterator[ModelChoice]:
    """Yield the models of a local Ollama, first those that can call tools."""
    names, unable = _listed_models_if_any(base_url), list[str]()
    options = _server_options(base_url, "ollama")
    for name in names[:20]:
        if not _ollama_calls_tools(base_url, name):
            unable.append(name)
            continue
        yield ModelChoice(f"openai/{name}", f"{name}, from the local Ollama.", options)
    for name in unable:
        reason = f"{name}, from the local Ollama. It runs without tools because it cannot call tools."
        yield ModelChoice(f"openai/{name}", reason, options, calls_tools=False)


def _server_options(base_url: str, api_key: str | None) -> dict[str, Any]:
    # The OpenAI client requires a key; local servers ignore it.
    return {"api_base": base_url, "api_key": api_key or "none"}


def _listed_models(base_url: str, api_key: str | None) -> list[str]:
    """Return the names of a server's chat models, in its order; raise the errors of `_ask`."""
    headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
    answer = _ask("GET", f"{base_url}/models", headers=headers)
    return [name for name in _names(answer) if not any(word in name.lower() for word in _NOT_FOR_CHAT)]


def _listed_models_if_any(base_url: str) -> list[str]:
    """Return the names of a server's chat models; an empty list if no server answers."""
    try:
        return _listed_models(base_url, None)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return []


def _names(answer: Any) -> Iterator[str]:
    models = answer.get("data") if isinstance(answer, dict) else None
    for model in models if isinstance(models, list) else ():
        if isinstance(model, dict) and isinstance(model.get("id"), str) and model["id"]:
            yield model["id"]


def _ollama_calls_tools(base_url: str, name: str) -> bool:
    try:
        answer = _ask("POST", f"{base_url.removesuffix('/v1')}/api/show", json={"model": name})
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(answer, dict) and "tools" in (answer.get("capabilities") or ())


def _ask(method: str, url: str, **options: Any) -> Any:
    """Return the JSON of a server's answer; raise httpx's errors, or ValueError if the answer is not JSON."""
    answered: list[httpx.Response | Exception] = []

    def ask() -> None:
        try:
            answered.append(client.request(method, url, **options))
        except Exception as error:
            answered.append(error)

    # httpx limits each wait, not the whole request; a thread limits that for sync and async callers alike.
    with httpx.Client(timeout=PROBE_TIMEOUT, trust_env=False) as client:
        asking = threading.Thread(target=ask, name="probe", daemon=True)
        asking.start()
        asking.join(_PIECEMEAL * PROBE_TIMEOUT)
    answer = answered[0] if answered else httpx.ReadTimeout("It answers piece by piece.")
    if isinstance(answer, Exception):
        raise answer
    try:
        return answer.raise_for_status().json()
    except (RecursionError, UnicodeDecodeError) as error:
        raise ValueError("The answer is not JSON.") from error
