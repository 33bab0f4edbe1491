"""Checks of what the app asks: its database, Redis, and the provider of its model."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

from sqlalchemy.engine import make_url

from agent_core.errors import AgentCoreError, words_of
from agent_core.monitoring import DatabaseReport, inspect_database
from chat_app.database import MIGRATIONS
from chat_app.model.model_choice import PROVIDERS, choose_model
from chat_app.operations.findings import Finding
from chat_app.server.preflight import NotReadyError, require_redis
from chat_app.server.settings import Settings

MAX_CLOCK_OFFSET = 2.0  # seconds
_TIMEOUT = 3.0  # seconds until a provider must answer
_HOSTS = {
    "openai": "api.openai.com",
    "anthropic": "api.anthropic.com",
    "gemini": "generativelanguage.googleapis.com",
    "groq": "api.groq.com",
    "mistral": "api.mistral.ai",
    "openrouter": "openrouter.ai",
    "deepseek": "api.deepseek.com",
    "xai": "api.x.ai",
    "cerebras": "api.cerebras.ai",
    "together_ai": "api.together.xyz",
}
"""Addresses of the providers that are recognized by their keys, by the first part of their models' names."""


def check_database(settings: Settings) -> Iterator[Finding]:
    """Yield whether the database can be used, whether its schema is this version's, and who uses it."""
    name = str(make_url(settings.database_url)).removeprefix("sqlite:///")
    try:
        report = inspect_database(settings.database_url, [MIGRATIONS])
    except AgentCoreError as error:
        yield Finding("database", "problem", words_of(error))
        return
    if not report.exists:
        yield Finding("database", "ok", f"{name} is made at the first start.")
        return
    yield Finding("database", "ok", f"{name} answers.")
    yield _schema(report)
    if report.users:
        users = "processes" if name.startswith("/") else "sessions"
        yield Finding("database", "ok", f"In use by {users} {', '.join(map(str, report.users))}.")
    if report.clock_offset is not None and abs(report.clock_offset) > MAX_CLOCK_OFFSET:
        ahead = "ahead of" if report.clock_offset > 0 else "behind"
        yield Finding(
            "clock",
            "note",
            f"The database's clock is {abs(report.clock_offset):.0f} s {ahead} this machine's. Leases follow the "
            "database's; let NTP set both, so that times in the log are right.",
        )


def _schema(report: DatabaseReport) -> Finding:
    found = ", ".join(str(revision) for revision, _ in report.schemas if revision) or "none"
    if any((revision or "") < newest for revision, newest in report.schemas):
        needed = ", ".join(newest for _, newest in report.schemas)
        return Finding(
            "schema",
            "note",
            f"The schema is behind: {found}, and this version's is {needed}. The next start upgrades it, or "
            "`durable-agents migrate`; make a backup first.",
        )
    return Finding("schema", "ok", f"The schema is {found}.")


def check_redis(settings: Settings) -> Iterator[Finding]:
    """Yield whether Redis answers, if it is used."""
    if settings.redis_url is None:
        return
    try:
        require_redis(settings.redis_url)
    except NotReadyError as error:
        yield Finding("redis", "problem", str(error))
    else:
        yield Finding("redis", "ok", "It answers.")


def check_model(settings: Settings) -> Iterator[Finding]:
    """Yield which model answers, and whether its provider has a key and can be reached."""
    try:
        choice = choose_model(settings, os.environ)
    except AgentCoreError as error:
        yield Finding("model", "problem", words_of(error))
        return
    yield Finding("model", "note" if choice.is_demo else "ok", choice.reason)
    if choice.problem:
        yield Finding("model", "problem", choice.problem)
    prefix = choice.name.partition("/")[0]
    host = _HOSTS.get(prefix)
    if host is None or choice.options:  # a server of one's own, which was asked for its models
        return
    keys = next(provider.keys for provider in PROVIDERS if provider.model.startswith(f"{prefix}/"))
    if not any(os.environ.get(key, "").strip() for key in keys):
        yield Finding("model", "problem", f"{choice.name} needs a key: set {' or '.join(keys)}.")
    try:
        socket.create_connection((host, 443), timeout=_TIMEOUT).close()
    except OSError as error:
        yield Finding(
            "model",
            "note",
            f"{host} cannot be reached from here ({error.strerror or error}). Unless requests go through a proxy "
            "(HTTPS_PROXY), every answer will fail.",
        )
