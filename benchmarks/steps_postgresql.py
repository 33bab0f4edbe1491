"""Durable steps per second on PostgreSQL: the work of `steps`, on a server of its own.

The server has PostgreSQL's default settings (fsync, synchronous_commit and full_page_writes are on), keeps
its data in a temporary folder and listens on a Unix socket. For comparison, the same run lets LangGraph's
AsyncPostgresSaver with `durability="sync"` do the same work, and bare psycopg write the rows of this
library's run, with one commit per step and one caller per thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.report import Figures, heading, interleaved
from benchmarks.steps import ROUNDS, STEPS, THREADS, converse, langgraph_figures, print_steps
from tests.tools.postgresql import PostgreSQL

TIMES = 5
_names = (f"run{number}" for number in itertools.count())


def fresh(server: PostgreSQL, template: str = "template0") -> str:
    """Create a database and return its name."""
    name = next(_names)
    server.execute(f"create database {name} template {template}", "checkpoint")
    return name


def ours(server: PostgreSQL) -> Figures:
    """Return this library's seconds and CPU seconds on PostgreSQL."""
    return asyncio.run(converse(server.url(fresh(server))))


def bare_psycopg(server: PostgreSQL, source: str) -> Figures:
    """Return the seconds of writing the rows of `source` into empty copies in `STEPS` commits."""
    with psycopg.connect(plain(server, source)) as old:
        tables = [
            name for (name,) in old.execute("select tablename from pg_tables where schemaname = 'public'")
        ]
        rows = [(table, values) for table in tables for values in old.execute(f'select * from "{table}"')]  # type: ignore[arg-type]
    empty = fresh(server, source)
    server.execute(f"truncate {', '.join(tables)}", database=empty)
    share = -(-len(rows) // STEPS)
    commits = [rows[at : at + share] for at in range(0, len(rows), share)]

    def write(mine: list[list[tuple[str, Any]]]) -> None:
        with psycopg.connect(plain(server, empty), autocommit=True, prepare_threshold=0) as new:
            for commit in mine:
                with new.transaction():
                    for table, values in commit:
                        holes = sql.SQL(", ").join(sql.Placeholder() * len(values))
                        insert = sql.SQL("insert into {} values ({})").format(sql.Identifier(table), holes)
                        new.execute(insert, values)

    writers = [threading.Thread(target=write, args=(commits[n::THREADS],)) for n in range(THREADS)]
    began, worked = time.perf_counter(), time.process_time()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    return time.perf_counter() - began, time.process_time() - worked


def langgraph(server: PostgreSQL) -> Figures:
    """Return LangGraph's seconds and CPU seconds, or NaN where it could not be installed."""
    return langgraph_figures(url=plain(server, fresh(server)))


def plain(server: PostgreSQL, database: str) -> str:
    """Return the database's URL in the form that libpq reads."""
    return server.url(database).replace("+psycopg", "")


def main() -> None:
    """Print steps per second, and per second of this process's CPU."""
    heading(f"Durable steps: {THREADS} threads x {ROUNDS} rounds of model and tool, PostgreSQL")
    with contextlib.closing(PostgreSQL()) as server:
        kept = fresh(server)
        asyncio.run(converse(server.url(kept)))
        runs = [lambda: ours(server), lambda: bare_psycopg(server, kept), lambda: langgraph(server)]
        figures = interleaved(runs, TIMES)
    print_steps(figures, "psycopg", "LangGraph, AsyncPostgresSaver, sync")


if __name__ == "__main__":
    main()
