"""The app as the web sees it: Reflex's, and what stands between it and everybody."""

from __future__ import annotations

import reflex as rx
from reflex.config import get_config
from reflex.utils.prerequisites import get_web_dir
from reflex_base import constants
from reflex_base.environment import environment
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from chat_app.server.base_path import BasePath
from chat_app.server.pages import content_policy
from chat_app.server.settings import Settings, load_settings
from chat_app.web.guard import Guard
from chat_app.web.headers import AnswerHeaders
from chat_app.web.socket import SocketBounds


class Site(rx.App):
    """Reflex's app behind the guard.

    What is given to Reflex as an `api_transformer` stays inside of its CORS middleware and its lifespan,
    so the guard is put before all that Reflex returns.
    """

    def __call__(self) -> ASGIApp:
        """Return what the server runs; called once in each of its processes."""
        app, settings = SocketBounds(super().__call__()), load_settings()
        if environment.REFLEX_ENV_MODE.get() == constants.Env.DEV:
            return _in_development(app, settings)
        guarded = Guard(_readable(app, settings), settings.host, settings.origins)
        policy = content_policy(get_web_dir() / constants.Dirs.STATIC)
        hardened = AnswerHeaders(guarded, policy, assets=f"{settings.base_path}/assets/")
        return BasePath(hardened, settings.base_path)


def _in_development(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Return the app for pages that Vite serves from another port, without a path and with its own headers."""
    port = get_config().frontend_port
    return Guard(_readable(app, settings, allow_origin_regex=".*"), settings.host, settings.origins, port)


def _readable(app: ASGIApp, settings: Settings, allow_origin_regex: str | None = None) -> ASGIApp:
    """Let pages of listed origins read answers; the guard has let in nobody else, nor the regex then."""
    return CORSMiddleware(
        app,
        allow_origin_regex=allow_origin_regex,
        allow_origins=[str(origin) for origin in settings.origins],
        allow_credentials=True,
        allow_methods=["*"],
        allow_headers=["*"],
    )
