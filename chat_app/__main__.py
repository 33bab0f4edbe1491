"""Command line `python -m chat_app`: serve the app, run workers, and operate both."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import gc
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from agent_core import __version__
from agent_core.errors import AgentCoreError, words_of
from chat_app import extension_modules, logs
from chat_app.accounts import command as people
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


def main(given: list[str] | None = None, *, program: str = "python -m chat_app") -> None:
    """Run the command of the arguments; without one, serve the app.

    Args:
        given: the arguments; by default those of the process.
        program: what the help calls this program.
    """
    atexit.register(gc.freeze)  # else the process ends with a collection of all modules, a fifth of a command
    options = _parser(program).parse_args(_with_command(sys.argv[1:] if given is None else given))
    try:
        options.run(options)
    except (AgentCoreError, NotReadyError) as error:
        sys.exit(words_of(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _with_command(words: list[str]) -> list[str]:
    is_named = words and (not words[0].startswith("-") or words[0] in ("-h", "--help", "--version"))
    return words if is_named else ["run", *words]


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve the chat app, and operate it.",
        epilog=f"`{program} COMMAND --help` shows the options of a command.",
    )
    parser.add_argument("--version", action="version", version=f"durable-agents {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    _add_run(commands)
    _add_worker(commands)
    meaning = "upgrade the app's database to this version's schema, as a start does"
    commands.add_parser("migrate", help=meaning, description=f"{meaning.capitalize()}.").set_defaults(
        run=_migrate
    )
    operations.add_commands(commands)
    people.add_command(commands)
    keys.add_command(commands)
    return parser


def _add_run(commands: Any) -> None:
    meaning = "serve the app, as `python -m chat_app` does without a command"
    parser = commands.add_parser(
        "run", help=meaning, description="Check the settings, build the pages, and serve the app."
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--dev", action="store_true", help="reload on changes")
    ways.add_argument(
        "--demo", action="store_true", help="run under a supervisor, with a button that kills the server"
    )
    ways.add_argument("--build", action="store_true", help="build the pages and exit")
    parser.add_argument("--local", action="store_true", help="run a small local model")
    parser.set_defaults(run=_run)


def _add_worker(commands: Any) -> None:
    parser = commands.add_parser(
        "worker",
        help="run the app's agents without pages, until SIGTERM or SIGINT",
        description="Run the agents of the app and its extensions without pages, until SIGTERM or SIGINT.",
        epilog="For the agents of a program of yours: `python -m agent_core worker module:build`.",
    )
    parser.add_argument(
        "--metrics-port",
        type=int,
        metavar="PORT",
        help="serve /ready and /metrics on this port; 0: a free one",
    )
    parser.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="for other machines: 0.0.0.0"
    )
    parser.set_defaults(run=_work)


def _run(options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    if options.local:
        use_local_model()
    settings = load_settings()
    if options.build:
        _build(settings)
        print("The pages are built.")
        return
    processes.stay_with_supervisor()
    _require_agents(settings)
    require_port(settings.host, settings.port)
    require_sign_in(settings)
    require_redis(settings.redis_url)
    require_database(settings.database_url)
    if options.demo:
        _build(settings)
        processes.supervise(settings.data_dir)
    _serve(settings, development=options.dev)


def _work(options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    settings = load_settings()
    processes.stay_with_supervisor()
    _require_agents(settings)
    require_database(settings.database_url)
    from chat_app.session.app_runtime import run_worker  # here, because the server's parent does not need it

    logs.configure(settings.log_level, settings.extensions)
    port = options.metrics_port
    asyncio.run(run_worker(settings, None if port is None else (options.metrics_host, port)))


def _migrate(_options: argparse.Namespace) -> None:
    home.enter(Path.cwd())
    database_url = load_settings().database_url
    require_database(database_url)
    print(f"{database_label(database_url)} has this version's schema.")


def _require_agents(settings: Settings) -> None:
    """Check what the agents of a server or a worker need.

    Raises:
        NotReadyError: it is missing, or a setting is wrong.
    """
    extension_modules.require(settings.extensions)
    read_servers(settings.mcp_servers, os.environ)
    check_names(settings)
    require_engine(settings.engine)
    require_tracing(os.environ)


def _serve(settings: Settings, *, development: bool) -> None:
    folder = None if development else _build(settings)
    host = "localhost" if settings.host in ("127.0.0.1", "0.0.0.0", "::", "::1") else settings.host
    choice = choose_model(settings, os.environ)
    print(f"  Model    {choice.reason}")
    if choice.problem:
        print(f"  Problem  {choice.problem}")
    print(f"  Data     {database_label(settings.database_url)}")
    # In development the sign-in has another port than the pages.
    port = free_port(settings.host, settings.port + 1) if development else settings.port
    if settings.sign_in.local and (link := people.first_link(replace(settings, port=port))):
        print(f"  Admin    {link} (works once, for three days)")
    addresses = settings.origins or (f"http://{host}:{settings.port}",)
    print(f"  Address  {', '.join(f'{address}{settings.base_path}' for address in addresses)}", flush=True)
    if folder is None:
        processes.serve_for_development(settings.host, settings.port, port)
    processes.serve(settings.host, settings.port, folder, settings.web_workers)


def database_label(database_url: str) -> str:
    """Return a printable name of a database: the path of its file, or its URL without the password."""
    return str(make_url(database_url)).removeprefix("sqlite:///")


def _build(settings: Settings) -> Path:
    files = list(extension_modules.sources(settings.extensions))
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


if __name__ == "__main__":
    main()
