"""Invariants of the rows after every transaction."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from hypothesis.stateful import invariant

from agent_core.domain.states import CALL, IDLE, OPEN_CALLS, OUTCOMES, STREAM, THREAD
from agent_core.domain.usage import Tally, tally_of
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, step_key, tool_key
from agent_core.store.database.sql import load
from agent_core.store.insight import usage
from agent_core.store.reads import search
from agent_core.store.threads import usage_totals
from agent_core.streaming.fold import ThreadView
from tests.support.agents import shown
from tests.support.store_histories.machine import Machine

Rows = dict[str, dict[Any, Any]]
NOBODY = ThreadView()


class Checked(Machine):
    """A machine that checks the whole database after each rule."""

    @invariant()
    def holds(self) -> None:
        now = self._found()
        self.rows_are_as_the_model_says(now)
        self.states_move_as_the_tables_say(now)
        self.work_has_its_wake_up(now)
        for name in self.model.threads:
            self.deltas_fold_to_what_is_stored(name)

    def rows_are_as_the_model_says(self, now: Rows) -> None:
        model = self.model
        assert now["threads"] == {
            name: tuple(t[k] for k in ("status", "seq", "attempt", "crashes", "steps", "retry"))
            for name, t in model.threads.items()
        }
        for name, reply in self.rows.execute("select id, message_id from agent_thread"):
            thread = model.threads[name]
            thread["reply"] = thread["reply"] or reply
            assert thread["reply"] == reply
        assert now["streams"] == {key: (s["status"], s["worker"]) for key, s in model.streams.items()}
        assert now["calls"] == {
            key: (c["status"], c["attempt"], c["outcome"]) for key, c in model.calls.items()
        }
        assert now["wakes"] == {key: wake.row() for key, wake in model.wakes.items()}
        for name, thread in model.threads.items():
            found = self.rows.execute(
                "select id, queued, branch from agent_message where thread_id = ? order by position", [name]
            ).fetchall()
            assert [key for key, queued, branch in found if not queued and not branch] == thread["order"]
            assert [key for key, queued, _ in found if queued] == thread["queued"]
            aside = {key for path in thread["aside"] for key in path}
            assert {key for key, _, branch in found if branch} == aside - {*thread["order"]}

    def _found(self) -> Rows:
        def read(sql: str) -> list[tuple[Any, ...]]:
            return self.rows.execute(sql).fetchall()

        columns = "id, status, seq, attempt, crashes, steps, retry_state is not null"
        woken = "id, next_run_time, worker, company, crashes, death, idle_deaths, deaths"
        called = "thread_id, id, status, attempt, coalesce(json_extract(output, '$'), error)"
        return {
            "threads": {row[0]: row[1:] for row in read(f"select {columns} from agent_thread")},
            "streams": {
                row[:2]: row[2:] for row in read("select thread_id, seq, status, worker from agent_stream")
            },
            "calls": {row[:2]: row[2:] for row in read(f"select {called} from agent_tool_call")},
            "wakes": {WakeUpKey.parse(row[0]): row[1:] for row in read(f"select {woken} from agent_wake_up")},
        }

    def derived_rows_hold(self) -> None:
        """Compare totals and index entries with what they are derived from; too slow after every rule."""
        self.totals_are_the_sum_of_the_streams()
        self.entries_have_the_words_of_their_threads()

    def teardown(self) -> None:
        self.do(None, usage_totals.count_idle)
        self.derived_rows_hold()
        super().teardown()

    def entries_have_the_words_of_their_threads(self) -> None:
        entries = self.rows.execute(
            "select t.id, i.grams from agent_search as i left join agent_thread as t on t.id = i.thread_id "
            "where t.id is null or t.search_cursor = t.cursor"
        )
        for name, packed in entries.fetchall():
            text = self.reads.read(search.text_of_thread, name)
            assert text is not None
            assert set(zlib.decompress(packed).decode().split()) == text.words

    def totals_are_the_sum_of_the_streams(self) -> None:
        assert self.reads.read(usage.summary, None).total == self.used() + self.deleted

    def used(self, where: str = "", values: Sequence[str] = ()) -> Tally:
        """Return the sum over the streams, by the definition of a request."""
        found = self.rows.execute(f"select status, usage, error from agent_stream {where}", values)
        requests = [used for status, used, error in found if used or error or status != "committed"]
        return sum((tally_of(load(used)) for used in requests), Tally())

    def states_move_as_the_tables_say(self, now: Rows) -> None:
        before, self.before = self.before, now
        for what, table in (("streams", STREAM), ("calls", CALL), ("threads", THREAD)):
            for key, row in now[what].items():
                was = before[what].get(key, row)
                assert row[0] in _reachable(table, was[0]), (what, key, was, row)
        for key, row in now["calls"].items():
            was = before["calls"].get(key, row)
            assert was[0] not in OUTCOMES or was == row, "a second outcome"
            assert (row[2] is None) is (row[0] in OPEN_CALLS)

    def work_has_its_wake_up(self, now: Rows) -> None:
        for name, (status, *_) in now["threads"].items():
            open_calls = [key for key, row in now["calls"].items() if key[0] == name and row[0] in OPEN_CALLS]
            assert status != "streaming" or step_key(name) in now["wakes"]
            assert status != "awaiting_tool_results" or open_calls
            assert status not in IDLE or not open_calls
        for key, row in now["calls"].items():
            assert row[0] not in ("pending", "running") or tool_key(*key) in now["wakes"]
        live = [key[0] for key, row in now["streams"].items() if row[0] == "streaming"]
        assert len(set(live)) == len(live), "two attempts at one step"

    def deltas_fold_to_what_is_stored(self, name: str) -> None:
        cursor, trimmed = self.rows.execute(
            "select cursor, trimmed from agent_thread where id = ?", [name]
        ).fetchone()
        kept = [
            row[0]
            for row in self.rows.execute(
                "select cursor from agent_delta where thread_id = ? order by cursor", [name]
            )
        ]
        assert kept == list(range(cursor - len(kept) + 1, cursor + 1))
        assert not kept or kept[0] <= trimmed + 1
        if self.views.get(name, NOBODY).cursor != cursor:
            self._follow(name, cursor)

    def _follow(self, name: str, cursor: int) -> None:
        view, fresh = self.views.setdefault(name, ThreadView()), ThreadView()
        snapshot = self.reads.snapshot(name, None)
        assert snapshot is not None
        fresh.apply(snapshot)
        updates = self.reads.updates(name, view.cursor) if view.thread else None
        for update in [snapshot] if updates is None else updates:
            assert updates is None or update.cursor == view.cursor + 1
            view.apply(update)
        assert view.cursor == cursor
        assert [shown(m) for m in view.messages] == [shown(m) for m in fresh.messages]
        assert view.thread["status"] == fresh.thread["status"] == self.model.threads[name]["status"]
        stream = self.model.streams.get((name, self.model.threads[name]["seq"]), {"status": ""})
        if stream["status"] != "streaming":  # the messages do not contain the text of a live step yet
            assert [shown(m) for m in view.messages] == [shown(m) for m in self.reads.messages(name)]


def _reachable(table: dict[str, dict[Any, Any]], state: str) -> set[str]:
    found, more = {state}, [state]
    while more:
        at = more.pop()
        for moves in table.values():
            if (to := moves.get(at)) is not None and to not in found:
                found.add(to)
                more.append(to)
    return found
