"""Checks of the port that the app listens on, and of the addresses at which people reach it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx

from chat_app.operations.findings import Finding
from chat_app.server.preflight import NotReadyError, require_port
from chat_app.server.settings import Settings

_TIMEOUT = 3.0  # seconds
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def check_port(settings: Settings) -> Iterator[Finding]:
    """Yield whether the port is free, or this app has it."""
    try:
        require_port(settings.host, settings.port)
    except NotReadyError as error:
        if _is_running(settings):
            yield Finding("port", "ok", f"The app runs on {settings.host}, port {settings.port}.")
        else:
            yield Finding("port", "problem", str(error))
    else:
        yield Finding(
            "port", "ok", f"Port {settings.port} of {settings.host} is free; the app does not run there."
        )


def check_addresses(settings: Settings) -> Iterator[Finding]:
    """Yield whether the app, if it runs, is reached at each address of CHAT_ORIGINS."""
    if not settings.origins or not _is_running(settings):
        return
    for origin in settings.origins:
        address = f"{origin}{settings.base_path}"
        if (why := _failure(f"{address}/ping")) is None:
            yield Finding("address", "ok", f"{address} leads to the app.")
        else:
            yield Finding(
                "address",
                "problem",
                f"{address} does not lead to the app from here: {why}. Correct the proxy or CHAT_ORIGINS.",
            )


def _is_running(settings: Settings) -> bool:
    name = _EVERYWHERE.get(settings.host, settings.host)
    name = f"[{name}]" if ":" in name and not name.startswith("[") else name
    return _failure(f"http://{name}:{settings.port}{settings.base_path}/ping") is None


def _failure(url: str) -> str | None:
    """Return why an address does not answer as the app does; None if it does."""
    try:
        answer = httpx.get(url, timeout=_TIMEOUT, trust_env=False, verify=_trusted())
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error).rstrip(".") or type(error).__name__
    if answer.status_code == 200 and answer.text.strip() == '"pong"':
        return None
    return f"it answered {answer.status_code}"


def _trusted() -> ssl.SSLContext:
    """Return a context that trusts httpx's authorities, and those that this system's administrator has added."""
    context = httpx.create_ssl_context(trust_env=False)
    context.load_default_certs()
    return context
