"""Diagnosis of a set-up: what is configured, reachable, writable and behind. It changes nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values

from agent_core.errors import AgentCoreError, words_of
from agent_core.text.redaction import HIDDEN, hide_secrets
from chat_app.model.model_choice import PROVIDERS
from chat_app.operations.addresses import check_addresses, check_port
from chat_app.operations.findings import Finding, SettingSource
from chat_app.operations.installation import check_pages, check_requirements
from chat_app.operations.services import check_database, check_model, check_redis
from chat_app.operations.storage import check_folders
from chat_app.server import home
from chat_app.server.preflight import NotReadyError, require_engine, require_sign_in
from chat_app.server.settings import VARIABLES, Settings, load_settings
from chat_app.server.telemetry import require_tracing

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_OTHERS = ("XDG_CACHE_HOME", "OTEL_EXPORTER_OTLP_ENDPOINT")

Check = Callable[[Settings], Iterator[Finding]]


def diagnose(start: Path) -> tuple[list[SettingSource], list[Finding]]:
    """Return the settings that have a value, and what the checks have found.

    Args:
        start: the folder in which the command was called; see `home.enter`.
    """
    environment, sources = dict(os.environ), list[SettingSource]()
    try:
        home.enter(start)
        file = (Path() if home.packages() == Path() else start) / ".env"
        sources = list(_sources(environment, file))
        settings = load_settings()
    except (AgentCoreError, NotReadyError) as error:
        return sources, [Finding("settings", "problem", words_of(error))]
    findings = [Finding("settings", "ok", "All are valid.")]
    for check in CHECKS:
        findings += check(settings)
    return sources, findings


def _sources(environment: Mapping[str, str], file: Path) -> Iterator[SettingSource]:
    """Yield the variables of the app and of its providers that have a value; the environment wins."""
    in_file = dotenv_values(file) if file.is_file() else {}
    keys = [key for provider in PROVIDERS for key in provider.keys]
    for name in dict.fromkeys([*(variable.name for variable in VARIABLES), *keys, *_OTHERS]):
        for values, source in ((environment, "environment"), (in_file, str(file.resolve()))):
            if value := (values.get(name) or "").strip():
                yield SettingSource(name, HIDDEN if _SECRET.search(name) else hide_secrets(value), source)
                break


def _check_start(settings: Settings) -> Iterator[Finding]:
    """Yield what would keep the app from starting, beside what has a check of its own."""
    for area, require in (
        ("engine", lambda: require_engine(settings.engine)),
        ("sign-in", lambda: require_sign_in(settings)),
        ("tracing", lambda: require_tracing(os.environ)),
    ):
        try:
            require()
        except (AgentCoreError, NotReadyError) as error:
            yield Finding(area, "problem", words_of(error))


CHECKS: tuple[Check, ...] = (
    check_folders,
    check_database,
    check_redis,
    check_model,
    _check_start,
    check_port,
    check_addresses,
    check_requirements,
    check_pages,
)
"""The checks, in the order in which they are printed."""
