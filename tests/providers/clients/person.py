"""Persons who go through the cells of the matrix, each in a thread of their own."""

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
    """Somebody who goes through one cell.

    Args:
        server: the server.
        opened: where the pages are.
        client: of `installed.CLIENTS`.
        cell: the cell.
        number: of the cell; it names the thread.
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
        """Do something in a page; return what it shows."""
        line = {"page": self.thread + page, "call": call, "args": args, "wait": wait}
        return await self._pages.act(self.client, **line, **self._options)

    def says(self, state: str, kind: str, name: str) -> dict[str, Any]:
        """Return a message that makes the model answer so."""
        text = f"{state} {kind} {self.thread} {name}"
        return {"text": text, **({"files": [FILE]} if kind == "files" else {})}

    async def sees(self, what: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Wait until the page's messages are so."""
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
            await self.does("leave")  # a page whose old stream goes on would write it into the new list

    async def _retry_waits(self) -> bool:
        return (await self.server.client.get(f"/threads/{self.thread}")).json().get("retry_state") is not None

    async def act(self) -> None:
        """Do what the cell is about, and answer all that is asked then."""
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
        """Answer every card that is open."""
        await self.does("answerAll")

    async def _edit_twice(self) -> None:
        await self.does("edit", {**self.says("-", "text", "once"), "index": -1})
        await self.does("edit", {**self.says("-", self.cell.kind, "last"), "index": -1})

    async def _cut(self) -> None:
        if self.client == "assistant-ui":  # its edit is a list that is cut, also before the first message
            await self.does("edit", {**self.says("-", self.cell.kind, "last"), "index": 0})
        else:
            await self.does("cut", {**self.says("-", self.cell.kind, "last"), "keep": 2})

    async def hold(self) -> None:
        """Send a message whose answer stops in the middle."""
        await self.does("send", self.says("hold", self.cell.kind, "last"), wait=False)
        await self.sees(
            lambda messages: messages[-1]["role"] == "assistant" and _begun(messages[-1]["parts"])
        )

    async def _resume(self) -> None:
        await self.hold()
        await self.does("leave")
        await self.resume()

    async def resume(self, page: str = "") -> None:
        """Resume the stream, and let the model go on as soon as it is read."""
        await self.does("resume", wait=False, page=page)
        await self._sees(lambda shown: shown["busy"], page)  # it is, once the stream is there
        self.server.let_go(self.thread)
        await self.does("look", page=page)

    async def loses_its_connection(self) -> None:
        """Begin an answer, and lose the connection in its middle."""
        await self.hold()
        await self.does("drop", wait=False)

    async def resumes_and_reads(self) -> None:
        """Resume by hand, and let the model go on when something has been read."""
        before = (await self.does("look"))["reads"]
        await self.does("resume", wait=False)
        await self._sees(lambda shown: shown["reads"] > before)
        self.server.let_go(self.thread)
        await self.does("look")

    async def catches_up(self) -> None:
        """Wait until the page has loaded the messages, and resumes if its version can."""
        await self._sees(
            lambda shown: not shown.get("error") and (shown["busy"] or len(shown["messages"]) == 1)
        )

    async def is_cut_off(self) -> None:
        """Wait until the page knows that its server is gone."""
        assert (await self.does("look"))["error"], self

    async def loses_an_attempt(self) -> None:
        """Send a message of whose answer the first attempt is lost in the middle."""
        shown = await self.does("send", self.says("retried", self.cell.kind, "last"))
        if self.client == "ai-6" and shown.get("error"):  # its stream can take nothing back, and says so
            assert "resume" in shown["error"], self
            await self.does("resume")
            shown = await self.does("look")
            if "Half" in str(shown["messages"]):  # it had ended: nothing was left to resume
                await self.does("load", (await self.server.shown(self.thread))["messages"])

    async def sends_what_is_lost(self) -> None:
        """Send a message of whose answer the first attempt is lost in the middle, and do no more."""
        await self.does("send", self.says("retried", self.cell.kind, "last"))

    async def is_mended(self) -> None:
        """Wait until the page shows the end of an answer, and no error, by itself."""
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
        """Check that a page shows what a page would show that opens now."""
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
    """Return role and id; an edited message has an id of its own, which its client does not learn."""
    return message["role"], message["id"] if message["role"] == "assistant" else ""


def plain(parts: list[dict[str, Any]], kept: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what people see.

    A card that was passed over stays as it was in the page that shows it, and of arguments that never
    became whole each reader shows what it makes of them.
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
    """Whether parts show what is said first: a text is there before its words are."""
    return len(parts) > 1 and parts[-1].get("text") != ""


async def all_of(people: Sequence[Person], *steps: Callable[[Person], Awaitable[Any]]) -> None:
    """Let people go through their steps, some at once; fail with all that went wrong."""
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
    """Return somebody for each cell."""
    return [Person(server, opened, client, cell, number) for number, cell in enumerate(cells)]


answered = (Person.begin, Person.act, Person.agrees)
"""The steps of a cell whose server is not killed."""


async def killed(server: Server, going: Sequence[Person]) -> None:
    """Let people go through cells in which the server is killed in the middle of all their answers."""
    await all_of(going, Person.begin, Person.hold)
    await server.kill()
    await all_of(going, Person.is_cut_off)
    await server.start()
    await all_of(going, Person.resume, Person.answers, Person.agrees)
