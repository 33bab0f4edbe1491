"""Cost of common reads in a database of 20,000 threads, beside one of 200, on SQLite and PostgreSQL.

Both databases are filled with plain inserts: threads of two turns over half a year, each turn with a tool call. Their
words have the frequencies of a natural language (Zipf's law). The figures are medians of wall time through the
public API, without a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from agent_core import Agent, AgentApi, CallContext, Runtime, define_internal_agent_api
from agent_core.store.database.migrate import migrate
from agent_core.store.database.open import opened
from agent_core.store.database.sql import CALL, MESSAGE, STREAM, THREAD
from agent_core.store.reads import search
from agent_core.store.threads import search_index, usage_totals
from agent_core.testing import ScriptedModel
from benchmarks.report import heading, row
from tests.tools.postgresql import NoServer, PostgreSQL

SMALL, LARGE = 200, 20_000
TURNS = 2  # of each thread: four messages, two tool calls, four model steps
TIMES = 7
USERS, MODELS = ("ada", "bob", "cleo"), ("small", "medium", "large", "vast")
RARE, RARE_CJK, RARE_ACCENTED = "zanzibar", "珊瑚礁", "smörgåsbord"
_CATCH_UP = "catch up"
HALF_A_YEAR = 182 * 86_400
_SYLLABLES = [
    a + b
    for a in ["b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w"]
    for b in ["a", "e", "i", "o", "u", "an", "er", "is"]
]
Rows = dict[Any, list[dict[str, Any]]]


class Words:
    """Made-up words with the frequencies of a language, and sentences of them."""

    def __init__(self, seed: int, size: int = 30_000) -> None:
        self._random = random.Random(seed)
        known = ["the", "café", "世界", "and"]
        made = dict.fromkeys(
            "".join(self._random.choices(_SYLLABLES, k=self._random.choice((1, 2, 2, 3, 3, 4))))
            for _ in range(size)
        )
        self._words = known + list(made)
        self._weights = [0.0]
        for rank in range(1, len(self._words) + 1):
            self._weights.append(self._weights[-1] + 1 / rank)
        del self._weights[0]

    def text(self, words: int) -> str:
        """Return a text of so many words."""
        return " ".join(self._random.choices(self._words, cum_weights=self._weights, k=words)) + "."


def rows_of(number: int, threads: int, words: Words, now: float) -> Rows:
    """Return the rows of a thread."""
    at = now - HALF_A_YEAR * (threads - number) / threads
    name, rare = f"thread_{number:06}", number == threads // 2
    thread: dict[str, Any] = {
        **{"id": name, "agent": "assistant", "title": words.text(5), "user_id": USERS[number % len(USERS)]},
        **{"status": "completed", "seq": 2 * TURNS, "cursor": 8 * TURNS, "trimmed_cursor": 8 * TURNS},
        **{"turn_cursor": 8 * TURNS, "attempt": 0, "crashes": 0, "steps": 2, "reply_position": 2 * TURNS},
        **{"stop_signal": False, "pinned": False, "archived": False, "meta": "{}"},
        **{"created_at": at, "updated_at": at + 60 * TURNS, "reply_id": f"{name}_r{TURNS - 1}"},
    }
    rows: Rows = {THREAD: [thread], MESSAGE: [], STREAM: [], CALL: []}
    for turn in range(TURNS):
        said = words.text(40) + (f" {RARE} {RARE_CJK} {RARE_ACCENTED}" if rare and not turn else "")
        _add_turn(rows, name, turn, at + 60 * turn, said, words, MODELS[number % len(MODELS)])
    return rows


def _add_turn(rows: Rows, name: str, turn: int, at: float, said: str, words: Words, model: str) -> None:
    asked, reply, call = f"{name}_m{turn}", f"{name}_r{turn}", f"{name}_c{turn}"
    before = None if turn == 0 else f"{name}_r{turn - 1}"
    common = {"thread_id": name, "meta": "{}", "queued": False, "branch": 0}
    rows[MESSAGE] += [
        common
        | {"id": asked, "position": 2 * turn + 1, "role": "user", "parts": _text(said)}
        | {"created_at": at, "parent_id": before},
        common
        | {"id": reply, "position": 2 * turn + 2, "role": "assistant", "parts": "[]"}
        | {"created_at": at, "parent_id": asked},
    ]
    usage = {"input_tokens": 900, "output_tokens": 150, "total_tokens": 1050, "model": model, "cost": 0.001}
    tool = {"type": "tool-look", "toolCallId": call, "state": "input-available", "input": {"place": "here"}}
    for step, parts in enumerate((json.dumps([{"type": "step-start"}, tool]), _text(words.text(110)))):
        rows[STREAM].append(
            {"thread_id": name, "seq": 2 * turn + step + 1, "message_id": reply, "status": "committed"}
            | {"worker": "w", "attempt": 1, "parts": parts, "usage": json.dumps(usage)}
            | {"started_at": at + step, "ended_at": at + step + 1}
        )
    rows[CALL].append(
        {"thread_id": name, "id": call, "seq": 2 * turn + 1, "position": 0, "message_id": reply}
        | {"name": "look", "status": "succeeded", "attempt": 1, "worker": "w", "input": '{"place":"here"}'}
        | {"output": json.dumps(words.text(20)), "created_at": at, "started_at": at, "ended_at": at + 1}
    )


def _text(text: str) -> str:
    return json.dumps([{"type": "text", "text": text, "state": "done"}], ensure_ascii=False)


def fill(url: str, threads: int) -> None:
    """Create the schema and insert the rows of so many threads."""
    words, now = Words(1), time.time()
    with opened(url, "NORMAL") as database:
        migrate(database.writer)
        for batch in _batches(range(threads), 1_000):
            made = [rows_of(number, threads, words, now) for number in batch]
            with database.writer.begin() as connection:
                for table in (THREAD, MESSAGE, STREAM, CALL):
                    connection.execute(insert(table), [values for rows in made for values in rows[table]])


def _batches(numbers: range, size: int) -> Iterator[range]:
    return (numbers[at : at + size] for at in range(0, len(numbers), size))


def operations(api: AgentApi, threads: int) -> dict[str, Callable[[], Awaitable[Any]]]:
    """Return what is measured, by its name."""
    middle, ada = f"thread_{threads // 2:06}", CallContext("ada")
    return {
        "list, first page": lambda: api.list_threads(50),
        "list, first page of one user": lambda: api.list_threads(50, ctx=ada),
        "list, a page in the middle": lambda: api.list_threads(50, cursor=middle),
        "list, titles with a word": lambda: api.list_threads(50, query="zzzz"),
        "open a thread": lambda: _first(api, middle),
        "append a message": lambda: api.add_message(middle, {"role": "user", "content": "And then?"}),
        "inbox": api.list_waiting,
        "search, a rare word": lambda: api.search(RARE),
        "search, part of a rare word": lambda: api.search("anziba"),
        "search, a common word": lambda: api.search("the"),
        "search, two words": lambda: api.search(f"{RARE} the"),
        "search, CJK": lambda: api.search(RARE_CJK),
        "search, two CJK characters": lambda: api.search(RARE_CJK[:2]),
        "search, without accents": lambda: api.search("smorgasbord"),
        "search, no hit": lambda: api.search("qqxqq"),
        "search, one user": lambda: api.search(RARE, ctx=ada),
        "usage, all": api.insight.usage_summary,
        "usage, one user": lambda: api.insight.usage_summary(ctx=ada),
    }


async def _first(api: AgentApi, thread_id: str) -> Any:
    updates = api.subscribe(thread_id)
    try:
        return await anext(aiter(updates))
    finally:
        await updates.aclose()


async def catch_up(url: str) -> float:
    """Count and index everything, as workers do in the background; return the CPU seconds of this process."""
    async with Runtime(url, work=False) as runtime:
        store, begun = runtime.store, time.process_time()
        while await store.writer.run(usage_totals.count_idle):
            pass
        while names := await store.read(search_index.unindexed, time.time()):
            for name in names:
                if (found := await store.read(search.text_of_thread, name)) is not None:
                    await store.writer.run(search_index.put, name, *found)
        return time.process_time() - begun


async def measure(url: str, threads: int) -> dict[str, float]:
    """Return the median of each operation, in seconds."""
    async with Runtime(url, work=False) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel([])))
        medians: dict[str, float] = {}
        for name, operation in operations(api, threads).items():
            samples: list[float] = []
            for _ in range(TIMES):
                begun = time.perf_counter()
                await operation()
                samples.append(time.perf_counter() - begun)
            medians[name] = statistics.median(samples)
        return medians


@contextlib.contextmanager
def sqlite() -> Generator[Callable[[int], str]]:
    """Yield a function that returns the URL of a new SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        yield lambda threads: f"sqlite:///{Path(folder) / f'{threads}.db'}"


@contextlib.contextmanager
def postgresql() -> Generator[Callable[[int], str]]:
    """Yield a function that returns the URL of a new PostgreSQL database."""
    server = PostgreSQL()

    def made(threads: int) -> str:
        server.execute(f"create database of_{threads}")
        return server.url(f"of_{threads}")

    try:
        yield made
    finally:
        server.close()


def main() -> None:
    """Measure and print."""
    for name, place in (("SQLite", sqlite), ("PostgreSQL", postgresql)):
        heading(f"{LARGE:,} threads, {2 * TURNS * LARGE:,} messages, {TURNS * LARGE:,} tool calls: {name}")
        try:
            with place() as url_of:
                small, large = (_measured(url_of(threads), threads) for threads in (SMALL, LARGE))
        except NoServer as error:
            print(f"  It was not measured: {error}")
            continue
        row("totals and index of all threads", large.pop(_CATCH_UP), "s of CPU")
        small.pop(_CATCH_UP)
        for operation, seconds in large.items():
            note = f"{seconds / small[operation]:.1f} × the same with {SMALL} threads"
            row(operation, 1_000 * seconds, "ms", note)


def _measured(url: str, threads: int) -> dict[str, float]:
    fill(url, threads)
    return {_CATCH_UP: asyncio.run(catch_up(url))} | asyncio.run(measure(url, threads))


if __name__ == "__main__":
    main()
