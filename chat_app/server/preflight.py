"""Checks before the server starts, whose errors say what to do.

Inside a worker, the same problems would result in a stack trace and a server that seems to run.
"""

from __future__ import annotations

import errno
import importlib.util
import socket

from agent_core import migrate_database
from agent_core.errors import AgentCoreError, words_of
from agent_core.store.database.app_database import migrate_app
from chat_app import extension_modules, extensions
from chat_app.database import MIGRATIONS
from chat_app.server.setting_values import redis_label
from chat_app.server.settings import Settings
from chat_app.server.sign_in import is_loopback

_REDIS_TIMEOUT = 5.0  # seconds


class NotReadyError(Exception):
    """The app cannot start; the message says why and what to do."""


def require_port(host: str, port: int) -> None:
    """Check that the server can listen on `host` and `port`.

    Raises:
        NotReadyError: the server cannot.
    """
    problem = _bind_error(host, port)
    if problem is None:
        return
    if problem.errno == errno.EADDRINUSE:
        raise NotReadyError(
            f"Port {port} is already in use. "
            f"Stop the program that uses it, or choose another port: CHAT_PORT={free_port(host, port + 1)} make run"
        )
    if problem.errno == errno.EACCES:
        raise NotReadyError(
            f"Port {port} needs administrator rights. Choose a port above 1023: CHAT_PORT=3000 make run"
        )
    raise NotReadyError(
        f"The server cannot listen on {host} ({problem.strerror or problem}). "
        "Choose a local address: CHAT_HOST=127.0.0.1 make run"
    )


def require_sign_in(settings: Settings) -> None:
    """Check that other machines reach the app only if people sign in, or if that is meant; loads the extensions.

    Raises:
        NotReadyError: everybody in the network would see every chat.
    """
    sign_in = settings.sign_in
    if is_loopback(settings.host) or sign_in.is_on or sign_in.is_open:
        return
    extension_modules.load(settings.extensions)
    if not extensions.IDENTITY:
        raise NotReadyError(
            f"CHAT_HOST is {settings.host}, where everybody in the network would see every chat, because nobody "
            "signs in. Set CHAT_SIGN_IN=local for accounts of the app, CHAT_OIDC_ISSUER for an OpenID provider, CHAT_USER_HEADER if a proxy signs people in, "
            "CHAT_HOST=127.0.0.1 for this machine alone, or CHAT_OPEN=1 if everybody may."
        )


def require_engine(engine: str) -> None:
    """Check that the package of an engine is installed.

    Raises:
        NotReadyError: it is not.
    """
    if engine != "builtin" and importlib.util.find_spec(engine) is None:
        raise NotReadyError(
            f'CHAT_ENGINE is {engine}, which is not installed. Install it (pip install "reflex-durable-agents[{engine}]", '
            f"or pip install {engine} in a clone), or set CHAT_ENGINE=builtin."
        )


def require_database(url: str) -> None:
    """Check that the database is usable, and migrate its tables, the app's too, to this version's schema.

    Raises:
        NotReadyError: the database is locked, read-only, damaged, from a newer version or unreachable.
    """
    try:
        migrate_database(url)
        migrate_app(url, MIGRATIONS)
    except AgentCoreError as error:
        raise NotReadyError(words_of(error)) from error


def require_redis(url: str | None) -> None:
    """Check that Redis answers, unless there is no URL because the app does not use it.

    Raises:
        NotReadyError: it does not; the message names the server, never its password.
    """
    if url is None:
        return
    # Here, because the library takes a tenth of a second.
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(
            url, socket_timeout=_REDIS_TIMEOUT, socket_connect_timeout=_REDIS_TIMEOUT
        ) as redis:
            redis.ping()
    except (RedisError, ValueError) as error:  # ValueError: an option in the URL's query
        reason = str(error).rstrip(".")
        raise NotReadyError(
            f"Redis at {redis_label(url)} cannot be used ({reason}). Start it, or correct CHAT_REDIS_URL."
        ) from error


def free_port(host: str, first: int) -> int:
    """Return the first free port from `first` on.

    Raises:
        NotReadyError: none of the first hundred ports is free.
    """
    for port in range(first, min(first + 100, 65536)):
        if _bind_error(host, port) is None:
            return port
    raise NotReadyError(f"No free port found from {first} on. Choose one: CHAT_PORT=4000 make run")


def _bind_error(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # The server sets it, too, so a port whose last owner has just died counts as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    except UnicodeError as error:  # not a valid DNS name
        return OSError(errno.EINVAL, str(error))
    return None
