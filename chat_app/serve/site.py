"""The app as the web sees it: Reflex's, and what stands between it and everybody."""

from __future__ import annotations

import reflex as rx
from reflex.config import get_config
from reflex_base import constants
from reflex_base.environment import environment
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from chat_app.serve.guard import Guard
from chat_app.settings import load_settings


class Site(rx.App):
    """Reflex's app behind the guard.

    What is given to Reflex as an `api_transformer` stays inside of its CORS middleware and its lifespan,
    so the guard is put before all that Reflex returns.
    """

    def __call__(self) -> ASGIApp:
        """Return what the server runs; called once in each of its processes."""
        settings = load_settings()
        in_development = environment.REFLEX_ENV_MODE.get() == constants.Env.DEV
        readable = CORSMiddleware(
            super().__call__(),
            # In development the pages come from another port. The guard has let in nobody else.
            allow_origin_regex=".*" if in_development else None,
            allow_origins=[str(origin) for origin in settings.origins],
            allow_credentials=True,
            allow_methods=["*"],
            allow_headers=["*"],
        )
        pages_port = get_config().frontend_port if in_development else None
        return Guard(readable, settings.host, settings.origins, pages_port)
