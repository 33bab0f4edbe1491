"""Rules for branches in the store's random histories: edits, new answers, returns and forks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from agent_core import errors
from agent_core.domain.states import RUNNING
from agent_core.store.turns import branches, forks, turns
from tests.support.store_histories.branch_model import is_reply
from tests.support.store_histories.call_rules import CallRules, picks
from tests.support.store_histories.machine import message
from tests.support.store_histories.model import Values

MOST_THREADS = 3
WAYS = ("edit", "regenerate", "select", "select", "select")


class BranchRules(CallRules):
    """Rules that change the tree of a thread's messages."""

    @precondition(lambda self: self.model.threads and (self.idle() or self.numbers % 5 == 0))
    @rule(pick=picks, place=picks, how=st.sampled_from(WAYS), by=picks)
    def go_back(self, pick: int, place: int, how: str, by: int) -> None:
        """Go back in an idle thread if there is one; a running thread refuses until it is stopped."""
        if how == "select" and not self.idle():
            self.stop(pick)
        idle = self.idle()
        name, who = (idle or [self.thread(pick)])[pick // 2 % max(1, len(idle))], self.process(by)
        if not self.model.threads[name]["aside"]:
            how = "edit" if place % 2 else "regenerate"
        found = self._goal(name, how, place)
        if found is None:
            return
        arguments: tuple[Any, ...] = (name, found)
        if how == "edit":
            arguments += (message(f"u{self.number()}"),)
        does = getattr(branches, "select_branch" if how == "select" else how)
        self.reached[how, bool(idle)] += 1
        if not idle:
            with pytest.raises(errors.ThreadBusyError):
                self.do(who, does, *arguments)
            return
        self.do(who, does, *arguments)
        if how == "edit":
            self.model.edit(name, found, arguments[2].id, who)
        elif how == "regenerate":
            (reply,) = self.rows.execute(
                "select message_id from agent_thread where id = ?", [name]
            ).fetchone()
            self.model.regenerate(name, found, reply, who)
        else:
            self.model.select(name, found)

    def stop(self, pick: int) -> None:
        if self.model.threads:
            name = self.thread(pick)
            assert self.do(self.process(pick), turns.stop, name) is self.model.stop(name)

    def idle(self) -> list[str]:
        return [
            name for name, thread in sorted(self.model.threads.items()) if thread["status"] not in RUNNING
        ]

    def _goal(self, name: str, how: str, place: int) -> str | None:
        """Return a message to which a user may go back in this way."""
        thread = self.model.threads[name]
        if how == "select":
            found = sorted({key for path in thread["aside"] for key in path} - {*thread["order"]})
        else:
            found = [key for key in thread["order"] if how == "regenerate" or not is_reply(key)]
        return found[place % len(found)] if found else None

    @precondition(lambda self: 0 < len(self.model.threads) < MOST_THREADS and self.numbers % 4 == 0)
    @rule(pick=picks, place=picks, by=picks)
    def fork(self, pick: int, place: int, by: int) -> None:
        name, copy = self.thread(pick), f"t{self.number()}"
        order = self.model.threads[name]["order"]
        chosen = order[-1 - place % len(order)]
        self.reached["fork", True] += 1
        self.do(self.process(by), forks.fork, name, chosen, copy, None)
        expected = self.model.fork(name, chosen, copy)
        columns = "id, status, attempt, coalesce(json_extract(output, '$'), error), seq"
        calls: dict[str, Values] = {
            row[0]: dict(zip(("status", "attempt", "outcome", "seq"), row[1:], strict=True))
            for row in self.rows.execute(f"select {columns} from agent_tool_call where thread_id = ?", [copy])
        }
        assert sorted(map(_plain, calls.values())) == sorted(map(_plain, expected))
        self.model.settle_fork(copy, calls)


def _plain(call: Values) -> tuple[Any, ...]:
    return call["seq"], call["status"], call["attempt"], call["outcome"]
