"""Command line `python -m agent_core`: run a worker; migrate, back up, restore or move a database."""

from __future__ import annotations

import argparse
import asyncio
import atexit
import contextlib
import gc
import importlib
import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import make_url

from agent_core.backup import add_backup_commands, run_backup_command
from agent_core.errors import AgentCoreError, ValidationError, words_of
from agent_core.monitoring import serve
from agent_core.runtime import Runtime
from agent_core.store.database.migrate import migrate_database
from agent_core.support.logs import get_logger
from agent_core.support.version import __version__
from agent_core.worker.bridge import create_workpool_bridge
from agent_core.worker.procrastinate import ProcrastinateEngine
from agent_core.worker.workpool import Workpool

URL_VARIABLE = "AGENT_CORE_DATABASE_URL"
_log = get_logger("agent_core.worker")


class _BuildError(Exception):
    """The agents cannot be built; the message is a sentence for the person who started the command."""


def main(
    arguments: list[str] | None = None, *, program: str = "python -m agent_core", epilog: str | None = None
) -> None:
    """Run the command of the arguments; exit with a sentence if it cannot.

    Args:
        arguments: the arguments; by default those of the process.
        program: what the help calls this program.
        epilog: last words of the help.
    """
    atexit.register(gc.freeze)  # else the process ends with a collection of all modules, a fifth of a command
    options = _parser(program, epilog).parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        if options.database_url is None:
            raise ValidationError(f"Give the database's URL, or set {URL_VARIABLE}.")
        options.run(options)
    except (AgentCoreError, _BuildError) as error:
        sys.exit(words_of(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _migrate(options: argparse.Namespace) -> None:
    migrate_database(options.database_url)
    _log.info("%s has this version's schema.", _label(options.database_url))


def _copy(options: argparse.Namespace) -> None:
    _log.info("%s", run_backup_command(options.command, options, options.database_url))


def _work(options: argparse.Namespace) -> None:
    build = _find(options.build)
    asyncio.run(_run_worker(options, build))


async def _run_worker(options: argparse.Namespace, build: Callable[[Runtime], Any]) -> None:
    pool, tools = _workpools(options)
    async with Runtime(options.database_url, pool, tools, work=False) as runtime:
        try:
            result = build(runtime)
            if inspect.isawaitable(result):
                await result
        except AgentCoreError:
            raise
        except Exception as error:
            _log.exception("%s failed.", options.build)
            raise _BuildError(f"{options.build} raised {type(error).__name__}: {error}") from error
        agents = ", ".join(sorted(runtime.store.agents))
        if not agents:
            raise _BuildError(
                f"{options.build} defined no agent, so this worker would run nothing; let it call "
                "define_agent_api(runtime, agent) or runtime.register(agent)."
            )
        async with contextlib.AsyncExitStack() as stack:
            if options.metrics_port is not None:
                address = await stack.enter_async_context(
                    serve(runtime, options.metrics_host, options.metrics_port)
                )
                _log.info("%s/ready and %s/metrics show this worker.", address, address)
            await runtime.begin_work()
            _log.info("Worker %s runs %s on %s.", runtime.store.process, agents, _label(options.database_url))
            await runtime.run_until_signal(options.grace)


def _workpools(options: argparse.Namespace) -> tuple[Workpool, Workpool | None]:
    most = options.max_parallelism
    if options.engine == "procrastinate":
        pool = create_workpool_bridge(ProcrastinateEngine(options.database_url), max_parallelism=most)
    else:
        pool = Workpool(most)
    if options.tool_parallelism is None:
        return pool, None
    tools = Workpool(options.tool_parallelism)
    tools.engine = pool.engine
    return pool, tools


def _find(path: str) -> Callable[[Runtime], Any]:
    """Import `module:build` and return the function.

    Raises:
        _BuildError: there is no such module or function, or the module cannot be imported.
    """
    module, _, name = path.partition(":")
    if not all(word.isidentifier() for word in (*module.split("."), *name.split("."))):
        raise _BuildError(f"{path!r} must be a module and a function in it, such as my_agents:build.")
    try:
        missing = importlib.util.find_spec(module) is None
    except ModuleNotFoundError as error:
        missing = error.name is not None and f"{module}.".startswith(f"{error.name}.")
    except Exception:  # of a parent package, which the import below reports
        missing = False
    if missing:
        raise _BuildError(
            f"There is no module {module!r}; it must be a module that Python can import from here."
        )
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        _log.exception("Importing %s failed.", module)
        raise _BuildError(f"Importing {module!r} raised {type(error).__name__}: {error}") from error
    for word in name.split("."):
        found = getattr(found, word, None)
    if not callable(found):
        raise _BuildError(f"{module!r} has no function {name!r}; it takes a Runtime and defines its agents.")
    return found


def _label(database_url: str) -> str:
    """Return a printable name of a database: the path of its file, or its URL without the password."""
    return str(make_url(database_url)).removeprefix("sqlite:///")


def _parser(program: str, epilog: str | None) -> argparse.ArgumentParser:
    description = "Run a worker; migrate, back up, restore or move a database."
    parser = argparse.ArgumentParser(prog=program, description=description, epilog=epilog)
    name = program.removeprefix("python -m ")
    parser.add_argument("--version", action="version", version=f"{name} {__version__}")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND", title="commands")
    environment = os.environ.get(URL_VARIABLE) or None

    worker = commands.add_parser("worker", help="run due work until SIGTERM or SIGINT")
    worker.set_defaults(run=_work)
    worker.add_argument(
        "build", metavar="module:build", help="build(runtime), sync or async, defines the agents"
    )
    _add_database(worker, environment)
    worker.add_argument("--engine", choices=["builtin", "procrastinate"], default="builtin")
    worker.add_argument("--max-parallelism", type=_positive, default=64, metavar="N", help="steps at once")
    worker.add_argument("--tool-parallelism", type=_positive, metavar="N", help="tools at once")
    worker.add_argument(
        *("--grace",),
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long running steps and tools may go on after the signal (30)",
    )
    worker.add_argument(
        *("--metrics-port",),
        type=_port,
        metavar="PORT",
        help="serve /ready and /metrics on this port; 0: a free one",
    )
    worker.add_argument(
        "--metrics-host", default="127.0.0.1", metavar="HOST", help="for other machines: 0.0.0.0"
    )

    migrate = commands.add_parser("migrate", help="upgrade a database to this version's schema")
    migrate.set_defaults(run=_migrate)
    migrate.add_argument("database_url", nargs="?", default=environment, metavar="URL")

    for copying in add_backup_commands(commands):
        copying.set_defaults(run=_copy)
        _add_database(copying, environment)
    return parser


def _add_database(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--database",
        dest="database_url",
        default=default,
        metavar="URL",
        help=f"the database of the threads; by default the value of {URL_VARIABLE}",
    )


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 on")
    return seconds


if __name__ == "__main__":
    main()
