"""Command line `python -m chat_app`, which `make run` calls after the installation; workers; migrations."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from sqlalchemy.engine import make_url

from agent_core import __version__
from agent_core.errors import AgentCoreError, words_of
from chat_app import extensions, logs
from chat_app.accounts.command import first_link
from chat_app.keys import command as keys
from chat_app.model.model_choice import check_names, choose_model
from chat_app.operations import commands as operations
from chat_app.server import frontend, home, pages, processes
from chat_app.server.local import use_local_model
from chat_app.server.mcp_servers import read_servers
from chat_app.server.preflight import (
    NotReadyError,
    free_port,
    require_database,
    require_engine,
    require_port,
    require_redis,
    require_sign_in,
)
from chat_app.server.settings import Settings, load_settings
from chat_app.server.telemetry import require_tracing

_TOOLS = {**dict.fromkeys(operations.COMMANDS, operations.run), "key": keys.main}
"""Commands that serve nothing, each with a parser of its own."""


def main(given: list[str] | None = None, *, program: str = "python -m chat_app") -> None:
    """Run the command of the arguments; without one, check that the app can start, build its pages and serve it.

    Args:
        given: the arguments; by default those of the process.
        program: what the help calls this program.
    """
    words = sys.argv[1:] if given is None else given
    if words and words[0] in _TOOLS:
        _TOOLS[words[0]](words, program)
        return
    arguments = _arguments(words, program)
    try:
        home.enter(Path.cwd())
        if arguments.local:
            use_local_model()
        settings = load_settings()
        if arguments.build:
            _build(settings)
            return
        if arguments.command == "migrate":
            require_database(settings.database_url)
            print(f"{database_label(settings.database_url)} has this version's schema.")
            return
        processes.stay_with_supervisor()
        extensions.require(settings.extensions)
        read_servers(settings.mcp_servers, os.environ)
        check_names(settings)
        require_engine(settings.engine)
        require_tracing(os.environ)
        if arguments.command != "worker":
            require_port(settings.host, settings.port)
            require_sign_in(settings)
            require_redis(settings.redis_url)
        require_database(settings.database_url)
        if arguments.demo:
            _build(settings)
            processes.supervise(settings.data_dir)
        if arguments.command == "worker":
            _work(settings, arguments)
        else:
            _serve(settings, development=arguments.dev)
    except (AgentCoreError, NotReadyError) as error:
        sys.exit(words_of(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _work(settings: Settings, arguments: argparse.Namespace) -> None:
    from chat_app.session.app_runtime import run_worker  # here, because the server's parent does not need it

    logs.configure(settings.log_level, settings.extensions)
    port = arguments.metrics_port
    asyncio.run(run_worker(settings, None if port is None else (arguments.metrics_host, port)))


def _serve(settings: Settings, *, development: bool) -> None:
    folder = None if development else _build(settings)
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    choice = choose_model(settings, os.environ)
    print(f"  Model    {choice.reason}")
    if choice.problem:
        print(f"  Problem  {choice.problem}")
    print(f"  Data     {database_label(settings.database_url)}")
    if settings.sign_in.local and (link := first_link(settings)):
        print(f"  Admin    {link} (works once, for three days)")
    addresses = settings.origins or (f"http://{host}:{settings.port}",)
    print(f"  Address  {', '.join(f'{address}{settings.base_path}' for address in addresses)}", flush=True)
    if folder is None:
        backend_port = free_port(settings.host, settings.port + 1)
        processes.serve_for_development(settings.host, settings.port, backend_port)
    processes.serve(settings.host, settings.port, folder, settings.web_workers)


def database_label(database_url: str) -> str:
    """Return a printable name of a database: the path of its file, or its URL without the password."""
    return str(make_url(database_url)).removeprefix("sqlite:///")


def _build(settings: Settings) -> Path:
    files = list(extensions.sources(settings.extensions))
    try:
        with frontend.alone():
            if not frontend.is_current(files):
                print("Building the pages. This happens once after each change…", flush=True)
                frontend.build(files)
            return pages.place(settings.base_path, settings.branding)
    except OSError as error:  # a read-only folder, such as that of an image
        raise NotReadyError(
            f"The pages for these settings are not built, and cannot be: {error}. Build them where the sources can be "
            "written to (`python -m chat_app --build`), with the same CHAT_EXTENSIONS."
        ) from error


def _arguments(given: list[str], program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve the chat app.",
        epilog=f"{', '.join(operations.COMMANDS)}: see the --help of each.",
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=["worker", "migrate", "user"],
        help="worker: run the app's agents without pages, until SIGTERM or SIGINT; "
        "migrate: upgrade the database to this version's schema; user: list, invite and remove people (user --help)",
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="PORT",
        help="worker: serve /ready and /metrics on this port; 0: a free one",
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="worker: for other machines: 0.0.0.0"
    )
    parser.add_argument("--version", action="version", version=f"durable-agents {__version__}")
    parser.add_argument("--dev", action="store_true", help="reload on changes")
    parser.add_argument("--local", action="store_true", help="run a small local model")
    parser.add_argument(
        "--demo", action="store_true", help="run under a supervisor, with a button that kills the server"
    )
    parser.add_argument("--build", action="store_true", help="build the pages and exit")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
