"""Run a turn and compile every statement on import, so that no child forked afterwards does so again.

Only the fork server imports this; each child would spend 70 ms of CPU, and twice as much on importing Procrastinate.
The threads of the turn have ended by then.
"""

from __future__ import annotations

import gc
import logging
import tempfile
import threading
from pathlib import Path
from typing import Any

import procrastinate as procrastinate
import psycopg_pool as psycopg_pool
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from agent_core.store.database.sql import Statement
from tests.chaos.worker import Plan, work


def _run_turn() -> None:
    with tempfile.TemporaryDirectory() as folder:
        work(Plan(Path(folder), pace=0, send=("first",)))
        for handler in logging.getLogger().handlers[:]:
            logging.getLogger().removeHandler(handler)
            handler.close()


def _compile() -> None:
    dialect: Any = PGDialect_psycopg()
    for each in gc.get_objects():
        if isinstance(each, Statement):
            each.compiled(dialect)


_run_turn()
_compile()
assert threading.enumerate() == [threading.main_thread()], "a thread would not survive a fork"
