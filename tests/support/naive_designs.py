"""The designs that people complain about, where it takes a process of its own to show them.

Each is as small as it can be and still be what many chat servers are. The others stand in the tests.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from tests.chaos.worker import start
from tests.chaos.world import Effects

WORDS = ("Once ", "upon ", "a ", "time.")


def run(folder: Path, prompt: str | None = None, *, again: bool = False, dies: bool = False) -> int | None:
    """Run `serve` in a process of its own; return how it ended."""
    child = start(serve, folder, prompt, again, dies)
    child.join(60)
    return child.exitcode


def serve(folder: Path, prompt: str | None, again: bool, dies: bool) -> None:
    """Be a chat server: a status column, and the answer in memory until it is whole.

    Args:
        folder: where its database stands, and what its page was shown.
        prompt: what is sent to it; none: it is only started again.
        again: it begins by answering whatever "runs", as often as that takes.
        dies: it is killed after the second word.
    """
    with closing(sqlite3.connect(folder / "naive.db", isolation_level=None)) as rows:
        rows.execute("create table if not exists thread (prompt, status, answer default '')")
        if prompt is not None:
            rows.execute("insert into thread (prompt, status) values (?, 'running')", (prompt,))
        open_threads = rows.execute("select 1 from thread where status = 'running'").fetchall()
        if open_threads and (prompt is not None or again):
            answer = ""
            for word in WORDS:
                answer += word
                Effects(folder / "page.log").note(word)
                if dies and word == WORDS[1]:
                    os.kill(os.getpid(), signal.SIGKILL)
            rows.execute("update thread set status = 'completed', answer = ?", (answer,))


def stored(folder: Path) -> tuple[str, str]:
    """Return the status and the answer that a reload would show."""
    with closing(sqlite3.connect(folder / "naive.db")) as rows:
        return rows.execute("select status, answer from thread").fetchone()


def share_jobstore(folder: Path, name: str) -> None:
    """Be one of several processes with a stock scheduler on one jobstore, until it is killed.

    Each puts the same late jobs into it, as programs do when they start, and looks for due ones at "go".
    """
    store = SQLAlchemyJobStore(
        f"sqlite:///{folder / 'jobs.db'}", engine_options={"connect_args": {"timeout": 30}}
    )
    scheduler = BackgroundScheduler(jobstores={"default": store}, timezone=UTC)
    scheduler.start(paused=True)
    for number in range(30):
        options = {"id": f"{number}", "replace_existing": True, "misfire_grace_time": None}
        scheduler.add_job(note_job, "date", run_date=datetime.now(UTC), args=(str(folder), number), **options)
    (folder / name).touch()
    while not (folder / "go").exists():
        time.sleep(0.001)
    threading.excepthook = lambda _: None  # whoever removes a job second has its timer die of it
    scheduler.resume()
    threading.Event().wait()


def note_job(folder: str, number: int) -> None:
    """Be the job."""
    Effects(Path(folder) / "jobs.log").note("job", number)
