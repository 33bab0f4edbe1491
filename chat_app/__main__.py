"""Serve the app: `python -m chat_app`, which is what `make run` does once everything is installed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from dotenv import load_dotenv

from chat_app.serve import frontend, server
from chat_app.serve.preflight import NotReadyError, require_database, require_port

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Look whether the app can start, build its pages if they changed, say where it is, and serve."""
    arguments = _arguments()
    os.chdir(ROOT)
    load_dotenv(ROOT / ".env")
    try:
        _start(arguments)
    except NotReadyError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _start(arguments: argparse.Namespace) -> None:
    host, port = os.environ.get("CHAT_HOST", "127.0.0.1"), int(os.environ.get("CHAT_PORT", "3000"))
    require_port(host, port)
    require_database("sqlite:///data/agents.db")
    if arguments.dev:
        server.serve_for_development(host, port, port + 5000)
    if not frontend.is_current(port):
        print("Building the pages (only when they changed) …", flush=True)
        frontend.build(port)
    if not arguments.build:
        print(f"Open http://{host}:{port}", flush=True)
        server.serve(host, port)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chat_app", description="Serve the chat app.")
    parser.add_argument("--dev", action="store_true", help="rebuild and reload what changes")
    parser.add_argument("--build", action="store_true", help="build the pages and stop")
    return parser.parse_args()


if __name__ == "__main__":
    main()
