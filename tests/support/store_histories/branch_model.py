"""Model of the store's branches and forks as plain lists: each path as it was last shown."""

from __future__ import annotations

from agent_core.domain.end_reasons import STILL_OPEN
from agent_core.domain.states import OPEN_CALLS
from tests.support.store_histories.model import Model, Values


class BranchModel(Model):
    """A model of threads with branches; requests that a running thread refuses are not part of it."""

    def put_aside(self, name: str, place: int) -> None:
        """Keep the shown path aside, and show only the messages before `place`."""
        thread = self.threads[name]
        thread["aside"].append(thread["order"])
        thread["order"] = thread["order"][:place]
        thread["seq"] += 1

    def edit(self, name: str, message: str, new: str, by: str | None) -> None:
        thread = self.threads[name]
        self.put_aside(name, thread["order"].index(message))
        thread["order"].append(new)
        thread["reply"] = None
        self._start(name, by)

    def regenerate(self, name: str, message: str, reply: str, by: str | None) -> None:
        """Begin another answer with the id `reply`, which comes from the store's new row."""
        thread = self.threads[name]
        self.put_aside(name, thread["order"].index(message) + (not is_reply(message)))
        thread["order"].append(reply)
        thread["reply"] = reply
        self._start(name, by)

    def select(self, name: str, message: str) -> None:
        thread = self.threads[name]
        path = next(path for path in reversed(thread["aside"]) if message in path)
        self.put_aside(name, 0)
        thread |= {"order": [*path], "reply": path[-1] if is_reply(path[-1]) else None}
        thread |= {"status": self._standing(name), "attempt": 0, "crashes": 0, "retry": False}

    def fork(self, name: str, message: str, copy: str) -> list[Values]:
        """Return the calls that the copy must have; the store chooses their ids."""
        thread = self.threads[name]
        order = thread["order"][: thread["order"].index(message) + 1]
        self.create(copy, order[0], run=False, by=None)
        self.threads[copy] |= {"order": order, "reply": message if is_reply(message) else None}
        self.threads[copy]["seq"] = thread["seq"]
        for (of, seq), stream in list(self.streams.items()):
            if of == name and stream["reply"] in order and stream["status"] in ("committed", "partial"):
                self.streams[copy, seq] = stream | {"status": "committed"}
        own = [call for key, call in self.calls.items() if key[0] == name]
        closed = {"status": "failed", "outcome": STILL_OPEN.text}
        return [
            call | (closed if call["status"] in OPEN_CALLS else {})
            for call in own
            if (copy, call["seq"]) in self.streams
        ]

    def settle_fork(self, copy: str, calls: dict[str, Values]) -> None:
        """Add the copy's calls under their new ids, and derive the copy's status from them."""
        self.calls |= {(copy, call_id): call for call_id, call in calls.items()}
        self.threads[copy]["status"] = self._standing(copy)

    def _standing(self, name: str) -> str:
        """Return "completed" if the shown path is finished, "stopped" if its last reply is unfinished."""
        last = self.threads[name]["order"][-1]
        if not is_reply(last):
            return "completed"
        own = [
            (key[1], each) for key, each in self.streams.items() if key[0] == name and each["reply"] == last
        ]
        seq, newest = max(own, key=lambda item: item[0], default=(0, {"status": "", "whole": False}))
        asked = any(key[0] == name and call["seq"] == seq for key, call in self.calls.items())
        return "completed" if newest["status"] == "committed" and newest["whole"] and not asked else "stopped"


def is_reply(message: str) -> bool:
    """Return whether a message comes from an agent."""
    return message.startswith("msg_")
