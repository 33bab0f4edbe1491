"""Sequences of actions outside of the matrix, each run in a separate thread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.providers.clients.person import Person

Sequence = Callable[[Person], Awaitable[Any]]


async def sends(person: Person, *kinds: str) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for number, kind in enumerate(kinds):
        shown = await person.does("send", person.says("-", kind, f"n{number}"))
    return shown


async def edits(person: Person, kind: str, name: str, index: int = 0) -> None:
    await person.does("edit", {**person.says("-", kind, name), "index": index})


async def loads(person: Person, page: str) -> None:
    await person.does("load", (await person.server.shown(person.thread))["messages"], page=page)


async def regenerates(person: Person, place: int) -> None:
    shown = await sends(person, "text", "tools", "text")
    await person.does("regenerate", {"messageId": shown["messages"][place]["id"]})


async def answers(person: Person, kind: str, how: str) -> None:
    await sends(person, kind)
    await person.does(how)


async def stops_and_sends(person: Person) -> None:
    await person.hold()
    await person.does("leave", wait=False)
    await person.server.client.post(f"/threads/{person.thread}/stop")
    await sends(person, "text")


async def regenerates_what_is_being_written(person: Person) -> None:
    await person.hold()
    await person.does("leave")
    await person.does("regenerate", wait=False)
    person.server.let_go(person.thread)
    await person.does("look")


async def edits_while_a_card_waits(person: Person) -> None:
    await sends(person, "text", "both")
    await edits(person, "text", "new")


async def edits_often(person: Person) -> None:
    await sends(person, "text")
    for name in ("b", "c", "n0", "c"):  # back to an earlier text
        await edits(person, "text", name)
    await person.does("send", person.says("-", "tools", "on"))


async def says_the_same_twice(person: Person) -> None:
    for _ in range(2):
        await sends(person, "text")


async def edits_in_a_tab_that_is_behind(person: Person) -> None:
    await sends(person, "text")
    await loads(person, "b")
    await person.does("send", person.says("-", "text", "on"))
    await person.does("edit", {**person.says("-", "tools", "other"), "index": 0}, page="b")
    await person.agrees(page="b")
    await loads(person, "")


async def answers_after_a_reload(person: Person) -> None:
    await sends(person, "both")
    await loads(person, "b")
    await person.does("answerAll", page="b")
    await person.agrees(page="b")
    await loads(person, "")


async def answers_what_somebody_has_answered(person: Person) -> None:
    call = (await sends(person, "human"))["messages"][-1]["parts"][-1]["toolCallId"]
    path = f"/threads/{person.thread}/tool-calls/{call}/result"
    await person.server.client.post(path, json={"result": "red"})
    await person.answers()


async def resumes_where_nothing_runs(person: Person) -> None:
    await sends(person, "text")
    await person.does("resume")
    await sends(person, "approval")
    await person.does("resume")
    await person.answers()


async def tries_again_what_failed(person: Person) -> None:
    await person.does("send", person.says("failed", "text", "a"))
    await edits(person, "text", "b")
    await person.does("send", person.says("failed", "tools", "c"))
    await person.does("regenerate")


async def sends_files_and_metadata(person: Person) -> None:
    await person.does("send", {**person.says("-", "files", "a"), "metadata": {"a": [1, {"é": None}]}})
    parts = [
        {"type": "data-place", "data": {"x": 1}},
        {"type": "text", "text": person.says("-", "text", "b")["text"]},
    ]
    await person.does("send", {"parts": parts})


SEQUENCES: dict[str, Sequence] = {
    "stop, and send at once": stops_and_sends,
    "regenerate what is being written": regenerates_what_is_being_written,
    "regenerate an older answer": lambda person: regenerates(person, 1),
    "regenerate from an older message": lambda person: regenerates(person, 2),
    "edit while a card waits": edits_while_a_card_waits,
    "edit often": edits_often,
    "say the same twice": says_the_same_twice,
    "edit in a tab that is behind": edits_in_a_tab_that_is_behind,
    "answer after a reload": answers_after_a_reload,
    "answer backwards": lambda person: answers(person, "both", "answerBackwards"),
    "answer at once": lambda person: answers(person, "both", "answerAtOnce"),
    "answer twice": lambda person: answers(person, "human", "answerTwice"),
    "deny one of two": lambda person: answers(person, "both", "deny"),
    "answer with an error": lambda person: answers(person, "human", "fail"),
    "answer what somebody has answered": answers_what_somebody_has_answered,
    "resume where nothing runs": resumes_where_nothing_runs,
    "try again what failed": tries_again_what_failed,
    "send files and metadata": sends_files_and_metadata,
}
