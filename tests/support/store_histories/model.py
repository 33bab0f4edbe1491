"""Model of the store as plain dicts: docs/explanation/lifecycle.md in code, without SQL.

`test_state_machine.py` runs the same operations on both and compares them. Each method is one transaction,
and returns whether it lands. `by` is the worker of its process, None for a process without a worker.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from agent_core.domain.states import CALL, IDLE, OPEN_CALLS, RUNNING
from agent_core.domain.wake_ups.suspects import CrashedWork, Suspicion, suspicions_after
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, step_key, timeout_key, tool_key
from agent_core.support.settings import MAX_TIMEOUT

LEASE = 8.0
Values = dict[str, Any]
Call = tuple[str, str]
NOT_SUSPECT = (None, 0, None, 0, 0)


class Wake(NamedTuple):
    """A wake-up: its due time, its holder, and the suspicion against its work."""

    due: float
    worker: str | None
    held: Suspicion | None = None

    def row(self) -> tuple[Any, ...]:
        return (self.due, self.worker, *(self.held or NOT_SUSPECT))


class Model:
    """Threads, streams, calls, wake-ups and the current time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.threads: dict[str, Values] = {}
        self.streams: dict[tuple[str, int], Values] = {}
        self.calls: dict[Call, Values] = {}
        self.wakes: dict[WakeUpKey, Wake] = {}

    # wake-ups

    def wake(self, key: WakeUpKey, by: str | None, due: float | None = None) -> None:
        mine = due is None and by is not None
        held = self.wakes[key].held if key in self.wakes else None
        self.wakes[key] = Wake(self.now + LEASE, by, held) if mine else Wake(due or self.now, None, held)

    def done(self, key: WakeUpKey, by: str | None) -> None:
        if by is not None and self.held(key, by):
            del self.wakes[key]

    def due(self) -> list[WakeUpKey]:
        """Return the wake-ups that may be taken; suspects are excluded, as they are admitted one by one."""
        free = [(key, wake) for key, wake in self.wakes.items() if wake.worker is None]
        return [key for key, wake in free if wake.due <= self.now and wake.held is None]

    def late(self) -> set[str]:
        """Return the workers with an expired lease."""
        return {wake.worker for wake in self.wakes.values() if wake.worker and wake.due <= self.now}

    def suspects(self) -> list[WakeUpKey]:
        free = [(key, wake) for key, wake in self.wakes.items() if wake.held and wake.worker is None]
        return sorted(key for key, wake in free if wake.due <= self.now)

    def bury(self, worker: str, executed: bool = True) -> None:
        """Record the death of a worker: its running work is suspect, and all its wake-ups are due.

        Args:
            executed: whether the code of its work was executing at that moment, rather than waiting.
        """
        ran: list[CrashedWork] = []
        for key, wake in self.wakes.items():
            if wake.worker == worker and self._runs(key, worker):
                company, crashes, _, idle, deaths = wake.held or NOT_SUSPECT
                ran.append(CrashedWork(key, company, crashes, idle, executed, deaths))
        for key, held in suspicions_after(ran, worker).items():
            self.wakes[key] = self.wakes[key]._replace(held=held)
        self.push(worker, self.now, None)

    def _runs(self, key: WakeUpKey, worker: str) -> bool:
        kind, name, call_id = key
        if kind == "step":
            stream = self.streams.get((name, self.threads[name]["seq"]), {})
            return (stream.get("status"), stream.get("worker")) == ("streaming", worker)
        call = self.calls.get((name, call_id), {})
        return kind == "tool" and (call.get("status"), call.get("worker")) == ("running", worker)

    def completed(self, was: Suspicion | None) -> None:
        """Allow other suspects more company; a refuted suspicion clears the crashes of all."""
        for key, (due, worker, held) in self.wakes.items():
            if was is None or held is None:
                continue
            if held.company >= was.company and not held.crashes and held.death != was.death and not worker:
                held = held._replace(company=held.company + 1)
            if was.crashes:
                held = held._replace(crashes=0, idle_deaths=0 if held.crashes else held.idle_deaths)
            self.wakes[key] = Wake(due, worker, held)

    def push(self, worker: str, until: float, owner: str | None) -> None:
        """Make all wake-ups of `worker` due at `until`, and give them to `owner`."""
        for key, wake in self.wakes.items():
            if wake.worker == worker:
                self.wakes[key] = wake._replace(due=until, worker=owner)

    def held(self, key: WakeUpKey, worker: str) -> bool:
        return key in self.wakes and self.wakes[key].worker == worker

    # turns

    def create(self, name: str, message: str, run: bool, by: str | None) -> None:
        self.threads[name] = {"status": "completed", "seq": 0, "attempt": 0, "crashes": 0, "steps": 0}
        self.threads[name] |= {"retry": False, "reply": None, "order": [message], "queued": [], "aside": []}
        if run:
            self._begin(name, None, by)

    def send(self, name: str, message: str, how: str, by: str | None) -> bool:
        thread = self.threads[name]
        if message in (*thread["order"], *thread["queued"]):
            return False
        if thread["status"] in RUNNING and how == "interrupt":
            self.stop(name)
        if thread["status"] in IDLE:
            self._begin(name, message, by)
        else:
            thread["queued"].append(message)
        return True

    def resume(self, name: str, by: str | None) -> bool:
        thread = self.threads[name]
        ends_with_reply = thread["order"][-1].startswith("msg_")
        interrupted = thread["status"] != "completed"
        if ends_with_reply and not (interrupted and thread["order"][-1] == thread["reply"]):
            return False
        if interrupted:
            self._start(name, by)
        else:
            self._begin(name, None, by)
        return True

    def stop(self, name: str) -> bool:
        thread = self.threads[name]
        if thread["status"] in IDLE:
            return False
        self._cut(name)
        thread["status"], thread["retry"] = "stopped", False
        thread["seq"] += 1
        for call in self.open_calls(name):
            self.calls[call] |= {"status": "failed", "outcome": "stopped"}
        self.wakes = {key: value for key, value in self.wakes.items() if key.thread_id != name}
        return True

    def delete(self, name: str) -> None:
        del self.threads[name]
        for of_thread in (self.streams, self.calls):
            for key in [key for key in of_thread if key[0] == name]:
                del of_thread[key]  # pyright: ignore[reportArgumentType]
        self.wakes = {key: value for key, value in self.wakes.items() if key.thread_id != name}

    def _begin(self, name: str, message: str | None, by: str | None) -> None:
        thread = self.threads[name]
        for stream in self._lost(name):
            stream["status"] = "committed" if stream["said"] else "superseded"
        thread["order"] += thread["queued"] + ([message] if message else [])
        thread["queued"], thread["reply"] = [], None
        self._start(name, by)

    def _start(self, name: str, by: str | None) -> None:
        self.threads[name] |= {"status": "streaming", "attempt": 0, "crashes": 0, "steps": 0, "retry": False}
        self.wake(step_key(name), by)

    # steps

    def claim(self, name: str, worker: str) -> tuple[int, int, int, int] | None:
        thread, key = self.threads.get(name), step_key(name)
        if thread is None or thread["status"] != "streaming" or not self.held(key, worker):
            self.done(key, worker)
            return None
        open_one = self.streams.get((name, thread["seq"]), {"status": "", "worker": worker})
        if open_one["status"] == "streaming":
            self._cut(name)
        thread["seq"] += 1
        thread["retry"] = False
        held = self.wakes[key].held
        new = {"status": "streaming", "worker": worker, "said": False, "whole": True, "held": held}
        self.streams[name, thread["seq"]] = new | {"reply": thread["reply"]}
        return thread["seq"], thread["attempt"] + 1, held.crashes if held else 0, thread["steps"]

    def live(self, name: str, seq: int) -> bool:
        thread = self.threads.get(name, {})
        return thread.get("status") == "streaming" and thread["seq"] == seq

    def flush(self, name: str, seq: int) -> bool:
        if not self.live(name, seq):
            return False
        self._say(name)
        return True

    def commit(self, name: str, seq: int, calls: dict[str, str], by: str) -> bool:
        if not self.live(name, seq):
            return False
        thread = self.threads[name]
        self._say(name)
        self._ensure_reply(name)
        self.streams[name, seq]["status"] = "committed"
        thread |= {"attempt": 0, "crashes": 0, "steps": thread["steps"] + 1}
        self.done(step_key(name), by)
        self.completed(self.streams[name, seq]["held"])
        for call_id, status in calls.items():
            outcome = "no such tool" if status == "failed" else None
            self.calls[name, call_id] = {"status": status, "attempt": 0, "outcome": outcome, "seq": seq}
            if status == "pending":
                self.wake(tool_key(name, call_id), by)
        thread["status"] = "awaiting_tool_results" if calls else "completed"
        self._advance(name, by)
        if not calls and thread["queued"]:
            thread["order"].append(thread["queued"].pop(0))
            thread["reply"] = None
            self._start(name, by)
        return True

    def end_attempt(self, name: str, seq: int, how: str, said: bool, due: float) -> bool:
        """End an attempt by `how`: retry, fail or release; `said`: there was text not yet flushed."""
        if not self.live(name, seq):
            return False
        thread = self.threads[name]
        if said:
            self._say(name)
        self._cut(name)
        if how == "fail":
            thread |= {"status": "failed", "retry": False}
            self.wakes.pop(step_key(name), None)
            self.completed(self.streams[name, seq]["held"])
            return True
        thread |= {"attempt": thread["attempt"] + 1, "retry": True} if how == "retry" else {}
        self.wake(step_key(name), None, due)
        return True

    def _say(self, name: str) -> None:
        for stream in self._lost(name):
            stream["status"] = "superseded"
        self.streams[name, self.threads[name]["seq"]]["said"] = True

    def _cut(self, name: str) -> None:
        stream = self.streams.get((name, self.threads[name]["seq"]))
        if stream is not None and stream["status"] == "streaming":
            stream |= {"status": "partial", "whole": False}
            if stream["said"]:
                self._ensure_reply(name)

    def _lost(self, name: str) -> list[Values]:
        """Return the partial attempts at the present reply, which no other attempt has replaced yet."""
        reply = self.threads[name]["reply"]
        own = [stream for key, stream in self.streams.items() if key[0] == name]
        return [stream for stream in own if (stream["status"], stream["reply"]) == ("partial", reply)]

    def _ensure_reply(self, name: str) -> None:
        thread = self.threads[name]
        if thread["reply"] not in thread["order"]:
            thread["order"].append(thread["reply"])

    # tool calls

    def open_calls(self, name: str) -> list[Call]:
        return [key for key, call in self.calls.items() if key[0] == name and call["status"] in OPEN_CALLS]

    def claim_call(self, call: Call, worker: str) -> tuple[int, bool] | None:
        row, key = self.calls.get(call), tool_key(*call)
        if row is None or row["status"] not in CALL["claim"] or not self.held(key, worker):
            self.done(key, worker)
            return None
        in_doubt = row["status"] == "running"
        row |= {"status": "running", "attempt": row["attempt"] + 1, "worker": worker}
        row["held"] = self.wakes[key].held
        return row["attempt"], in_doubt

    def runs(self, call: Call, attempt: int) -> bool:
        row = self.calls.get(call, {})
        return row.get("status") == "running" and row["attempt"] == attempt

    def put_back(self, call: Call, attempt: int, due: float) -> bool:
        if not self.runs(call, attempt):
            return False
        self.calls[call]["status"] = "pending"
        self.wake(tool_key(*call), None, due)
        return True

    def hand_over(self, call: Call, attempt: int, timeout: float | None, by: str) -> bool:
        if not self.runs(call, attempt):
            return False
        self.calls[call]["status"] = "waiting"
        self.done(tool_key(*call), by)
        self.completed(self.calls[call]["held"])
        if timeout is not None and timeout_key(*call) not in self.wakes:
            self.wake(timeout_key(*call), None, self.now + timeout)
        return True

    def set_timeout(self, call: Call, seconds: float | None) -> bool:
        """Set the timeout of a call; None means no limit, which has a row too unless the call is waiting."""
        row, key = self.calls.get(call, {}), timeout_key(*call)
        if row.get("status") not in ("pending", "running", "waiting"):
            return False
        if seconds is None and row["status"] == "waiting":
            self.wakes.pop(key, None)
        else:
            self.wake(key, None, self.now + (MAX_TIMEOUT if seconds is None else seconds))
        return True

    def finish(self, call: Call, outcome: str, status: str, by: str | None, attempt: int | None) -> bool:
        """Finish a call; `attempt` is the fence of the worker `by`, None for an outcome from outside."""
        row = self.calls.get(call)
        event = "succeed" if status == "succeeded" else "fail"
        if row is None or row["status"] not in CALL[event] or attempt not in (None, row["attempt"]):
            return False
        row |= {"status": status, "outcome": outcome}
        self.wakes.pop(timeout_key(*call), None)
        if attempt is None:
            self.wakes.pop(tool_key(*call), None)
        else:
            self.done(tool_key(*call), by)
            self.completed(row["held"])
        self._advance(call[0], by)
        return True

    def decide(self, calls: list[Call], approved: bool, by: str | None) -> bool:
        if any(self.calls.get(call, {}).get("status") != "approval" for call in calls):
            return False
        for call in calls:
            self.calls[call] |= {"status": "pending"} if approved else {"status": "denied", "outcome": "No."}
            if approved:
                self.wake(tool_key(*call), by)
        self._advance(calls[0][0], by)
        return True

    def _advance(self, name: str, by: str | None) -> None:
        thread = self.threads[name]
        if thread["status"] == "awaiting_tool_results" and not self.open_calls(name):
            thread["status"] = "streaming"
            self.wake(step_key(name), by)
