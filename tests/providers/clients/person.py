"""Simulated users who run the cells of the matrix, each in a separate thread."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from agent_core.domain.end_reasons import PASSED_OVER
from agent_core.testing import eventually
from tests.providers.clients.cells import PEOPLE, Cell
from tests.providers.clients.pages import Pages, Server

AT_ONCE = 8
FILE = {
    "type": "file",
    "mediaType": "text/plain",
    "filename": "note.txt",
    "url": "data:text/plain;base64," + base64.b64encode(b"Beans.").decode(),
}
KEPT = ("type", "text", "toolCallId", "input", "output", "errorText", "url", "mediaType", "filename", "title")


class Person:
    """User of one client who runs one cell.

    Args:
        server: the running server.
        opened: the pages in Node.
        client: one of `installed.CLIENTS`.
        cell: the cell to run.
        number: number of the cell, which makes the thread's id unique.
        program: JavaScript that makes the page's `chat`, in place of the tests' own.
        hook: whether the page is `useChat` with its own `transport` option.
    """

    def __init__(
        self,
        server: Server,
        opened: Pages,
        client: str,
        cell: Cell,
        number: int = 0,
        program: str = "",
        *,
        hook: bool = False,
    ) -> None:
        self.server, self.cell, self.client = server, cell, client
        self.thread = f"{client}-{cell.action.replace(' ', '')}-{number}"
        self._pages = opened
        eager = cell.state in ("interrupted", "retrying")
        self._options = {
            "id": self.thread,
            "api": f"{server.url}/{'eager' if eager else 'agents'}/chat",
            "program": program,
            "hook": hook,
            "headers": {"x-ai-sdk": client.removeprefix("ai-")} if client in ("ai-5", "ai-6") else {},
        }

    async def does(self, call: str, *args: Any, wait: bool = True, page: str = "") -> dict[str, Any]:
        """Call a function of a page; return what the page shows."""
        line = {"page": self.thread + page, "call": call, "args": args, "wait": wait}
        return await self._pages.act(self.client, **line, **self._options)

    def says(self, state: str, kind: str, name: str) -> dict[str, Any]:
        """Return a message that makes the model answer with this state and kind."""
        text = f"{state} {kind} {self.thread} {name}"
        return {"text": text, **({"files": [FILE]} if kind == "files" else {})}

    async def sees(self, what: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until the page's messages fulfil `what`."""
        await self._sees(lambda shown: what(shown["messages"]))

    async def _sees(self, what: Callable[[dict[str, Any]], bool], page: str = "") -> None:
        shown: dict[str, Any] = {}

        async def shows() -> bool:
            nonlocal shown
            shown = await self.does("look", wait=False, page=page)
            return what(shown)

        try:
            await eventually(shows, timeout=40)
        except AssertionError as error:
            raise AssertionError(f"{self} shows {shown}") from error

    async def begin(self) -> None:
        """Bring the thread into the state of the cell."""
        state, kind, action = self.cell.state, self.cell.kind, self.cell.action
        if state != "fresh" or action in ("edit", "edit again", "cut and send", "regenerate"):
            await self.does("send", self.says("-", kind if state == "fresh" else "text", "first"))
            await self.does("answerAll")
        if state == "fresh" and action == "cut and send":
            await self.does("send", self.says("-", "text", "second"))
        elif state == "waiting":
            await self.does("send", self.says("-", kind if kind in PEOPLE else "approval", "second"))
        elif state != "fresh":
            await self._break_off(state, kind, action)

    async def _break_off(self, state: str, kind: str, action: str) -> None:
        shown = await self.does("send", self.says(state, kind, "second"), wait=state == "failed")
        if state == "failed":
            assert shown["error"] == "The key is wrong.", self
            return
        await self.sees(lambda messages: "Half" in str(messages[-1]))
        if state == "retrying":
            self.server.let_go(f"{self.thread}-fails")
            await eventually(self._retry_waits, timeout=40)
        if state == "stopped":
            await self.server.client.post(f"/threads/{self.thread}/stop")
            await self.does("look")
        elif self.client == "assistant-ui" or action not in ("send", "resume", "two clients", "kill"):
            await self.does("leave")  # else the page's old stream would write into the new list

    async def _retry_waits(self) -> bool:
        return (await self.server.client.get(f"/threads/{self.thread}")).json().get("retry_state") is not None

    async def act(self) -> None:
        """Do the cell's action, and answer every card that it opens."""
        kind = self.cell.kind
        actions: dict[str, Callable[[], Awaitable[Any]]] = {
            "send": lambda: self.does("send", self.says("-", kind, "last")),
            "edit": lambda: self.does("edit", {**self.says("-", kind, "last"), "index": -1}),
            "edit again": self._edit_twice,
            "cut and send": self._cut,
            "regenerate": lambda: self.does("regenerate"),
            "resume": self._resume,
            "two clients": self._two,
        }
        await actions[self.cell.action]()
        await self.answers()

    async def answers(self) -> None:
        """Answer every open card."""
        await self.does("answerAll")

    async def _edit_twice(self) -> None:
        await self.does("edit", {**self.says("-", "text", "once"), "index": -1})
        await self.does("edit", {**self.says("-", self.cell.kind, "last"), "index": -1})

    async def _cut(self) -> None:
        if self.client == "assistant-ui":  # it edits by cutting the list, also before the first message
            await self.does("edit", {**self.says("-", self.cell.kind, "last"), "index": 0})
        else:
            await self.does("cut", {**self.says("-", self.cell.kind, "last"), "keep": 2})

    async def hold(self) -> None:
        """Send a message whose answer pauses in the middle."""
        await self.does("send", self.says("hold", self.cell.kind, "last"), wait=False)
        await self.sees(
            lambda messages: messages[-1]["role"] == "assistant" and _begun(messages[-1]["parts"])
        )

    async def _resume(self) -> None:
        await self.hold()
        await self.does("leave")
        await self.resume()

    async def resume(self, page: str = "") -> None:
        """Resume the stream, and release the model as soon as the page reads the stream."""
        await self.does("resume", wait=False, page=page)
        await self._sees(lambda shown: shown["busy"], page)  # busy as soon as the stream is open
        self.server.let_go(self.thread)
        await self.does("look", page=page)

    async def loses_its_connection(self) -> None:
        """Start an answer, and drop the connection in the middle."""
        await self.hold()
        await self.does("drop", wait=False)

    async def resumes_and_reads(self) -> None:
        """Resume by hand, and release the model once the page has read something."""
        before = (await self.does("look"))["reads"]
        await self.does("resume", wait=False)
        await self._sees(lambda shown: shown["reads"] > before)
        self.server.let_go(self.thread)
        await self.does("look")

    async def catches_up(self) -> None:
        """Wait until the page has loaded the messages, and has resumed if its version can."""
        await self._sees(
            lambda shown: not shown.get("error") and (shown["busy"] or len(shown["messages"]) == 1)
        )

    async def is_cut_off(self) -> None:
        """Wait until the page shows an error because the server is gone."""
        assert (await self.does("look"))["error"], self

    async def loses_an_attempt(self) -> None:
        """Send a message and lose the first attempt of its answer in the middle; resume if needed."""
        shown = await self.does("send", self.says("retried", self.cell.kind, "last"))
        if self.client == "ai-6" and shown.get("error"):  # its stream cannot retract parts, and reports that
            assert "resume" in shown["error"], self
            await self.does("resume")
            shown = await self.does("look")
            if "Half" in str(shown["messages"]):  # the turn had ended, so nothing was left to resume
                await self.does("load", (await self.server.shown(self.thread))["messages"])

    async def sends_what_is_lost(self) -> None:
        """Send a message and lose the first attempt of its answer in the middle; do nothing else."""
        await self.does("send", self.says("retried", self.cell.kind, "last"))

    async def is_mended(self) -> None:
        """Wait until the page shows the end of an answer, and no error, without a person's help."""
        await self._sees(
            lambda shown: (
                not shown["busy"]
                and not shown.get("error")
                and f"Re {self.thread}" in str(shown["messages"][-1])
            )
        )

    async def _two(self) -> None:
        await self.hold()
        await self.does("load", (await self.server.shown(self.thread))["messages"], page="b")
        await self.resume(page="b")
        await self.does("look")
        await asyncio.gather(self.does("answerAll"), self.does("answerAll", page="b"))
        await self.agrees(page="b")

    async def agrees(self, page: str = "") -> None:
        """Check that the page shows what a newly opened page would show."""
        shown = await self.does("look", page=page)
        kept = await self.server.shown(self.thread)
        wrong = f"{self} shows {shown}, kept is {kept}"
        assert (shown.get("error"), shown["busy"], kept["status"]) == (None, False, "completed"), wrong
        assert [ids(m) for m in shown["messages"]] == [ids(m) for m in kept["messages"]], wrong
        for theirs, mine in zip(shown["messages"], kept["messages"], strict=True):
            assert plain(theirs["parts"], mine["parts"]) == plain(mine["parts"], mine["parts"]), wrong
        assert "Re " in str(shown["messages"][-1]["parts"]), wrong

    def __str__(self) -> str:
        return f"{self.client}: {self.cell} ({self.thread})"

    __repr__ = __str__


def ids(message: dict[str, Any]) -> tuple[str, str]:
    """Return role and id, without a user's id: clients don't get the new id of an edited message."""
    return message["role"], message["id"] if message["role"] == "assistant" else ""


def plain(parts: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parts as people see them.

    A page keeps showing a card that was passed over as it was, and arguments that never became complete are
    parsed differently by each reader.
    """
    raw = {part["toolCallId"] for part in kept if "rawInput" in part}
    over = {part["toolCallId"] for part in kept if part.get("errorText") == PASSED_OVER.text}
    found: list[dict[str, Any]] = []
    for part in parts:
        keys = (*KEPT, *(("state",) if "toolCallId" in part else ()))
        plain = {key: part[key] for key in keys if part.get(key) is not None}
        if part.get("toolCallId") in over:
            plain = {key: plain[key] for key in ("type", "toolCallId", "input")}
        elif part.get("toolCallId") in raw:
            plain.pop("input", None)
        found.append(plain)
    return found


def _begun(parts: Sequence[dict[str, Any]]) -> bool:
    """Return whether the parts have visible content: a text part may still be empty."""
    return len(parts) > 1 and parts[-1].get("text") != ""


async def all_of(people: Sequence[Person], *steps: Callable[[Person], Awaitable[Any]]) -> None:
    """Run the steps of all people, some at once; fail with all errors together."""
    room = asyncio.Semaphore(AT_ONCE)

    async def go(person: Person) -> None:
        async with room:
            for step in steps:
                await step(person)

    ends = await asyncio.gather(*map(go, people), return_exceptions=True)
    wrong = [(person, end) for person, end in zip(people, ends, strict=True) if end]
    if wrong:
        words = "\n".join(f"{person}: {type(e).__name__}: {str(e)[:1500]}" for person, e in wrong[:8])
        raise AssertionError(f"{len(wrong)} of {len(people)} cells:\n{words}") from wrong[0][1]


def people(server: Server, opened: Pages, client: str, cells: Sequence[Cell]) -> list[Person]:
    """Return a person for each cell."""
    return [Person(server, opened, client, cell, number) for number, cell in enumerate(cells)]


answered = (Person.begin, Person.act, Person.agrees)
"""Steps of a cell without a kill."""


async def killed(server: Server, going: Sequence[Person]) -> None:
    """Run cells in which the server is killed in the middle of every answer."""
    await all_of(going, Person.begin, Person.hold)
    await server.kill()
    await all_of(going, Person.is_cut_off)
    await server.start()
    await all_of(going, Person.resume, Person.answers, Person.agrees)
