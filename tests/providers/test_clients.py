"""Test that the AI SDK's clients (versions 5, 6, 7) and assistant-ui end up showing `GET /chat/{id}`.

This file runs some cells of the matrix; `python -m tests.providers.clients` runs all of them.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.providers.clients.cells import KINDS, PEOPLE, Cell, cannot_be, every_cell, some_cells
from tests.providers.clients.pages import Pages, Server, pages, serving
from tests.providers.clients.person import Person, all_of, answered, killed, people
from tests.providers.clients.sequences import SEQUENCES

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

UNASKED = [kind for kind in KINDS if kind not in PEOPLE]
DOCS = Path(__file__).parents[2] / "docs" / "how-to" / "use-chat.md"
CODE = re.compile("```js\n(.*?)```", re.DOTALL)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    async with serving(tmp_path_factory.mktemp("clients")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened() -> AsyncGenerator[Pages]:
    async with pages() as running:
        yield running


@pytest.mark.parametrize("client", ["ai-5", "ai-6", "ai-7", "assistant-ui"])
async def test_clients_show_the_stored_messages(server: Server, opened: Pages, client: str) -> None:
    cells = [cell for cell in some_cells(client) if cell.action != "kill"]
    await all_of(people(server, opened, client, cells), *answered)


async def test_clients_resume_when_their_server_was_killed_in_the_middle(
    server: Server, opened: Pages
) -> None:
    cells = {client: [c for c in every_cell(client) if c.action == "kill"] for client in ("ai-6", "ai-7")}
    chosen = {"ai-6": cells["ai-6"][::3], "ai-7": cells["ai-7"]}
    await killed(server, [one for name in chosen for one in people(server, opened, name, chosen[name])])


@pytest.mark.parametrize("client", ["ai-6", "ai-7", "assistant-ui"])
async def test_clients_show_nothing_of_a_lost_attempt(server: Server, opened: Pages, client: str) -> None:
    cells = [Cell(kind, "fresh", "lost") for kind in KINDS]
    going = people(server, opened, client, [c for c in cells if cannot_be(client, c) is None])
    await all_of(going, Person.loses_an_attempt, Person.answers, Person.agrees)


def program(client: str) -> str:
    """Return the page of docs/how-to/use-chat.md, adapted to a client's version."""
    words = next(block for block in CODE.findall(DOCS.read_text()) if "catchUp" in block)
    if client == "ai-5":
        words = words.replace("await chat.resumeStream()", "chat.clearError()")
    return words.replace('"x-ai-sdk": "6"', f'"x-ai-sdk": "{client.removeprefix("ai-")}"')


async def test_the_page_of_the_docs_mends_itself(server: Server, opened: Pages) -> None:
    """After the loss of an attempt or of the server, the page recovers without any action."""
    cells = [Cell(kind, "fresh", action) for kind in UNASKED for action in ("mend", "mend after a kill")]
    going = [
        Person(server, opened, client, cell, number, program(client))
        for client in ("ai-5", "ai-6", "ai-7")
        for number, cell in enumerate(cells)
    ]
    lost, cut_off = going[::2], going[1::2]
    await all_of(lost, Person.sends_what_is_lost, Person.is_mended, Person.agrees)
    await all_of(cut_off, Person.hold)
    await server.kill()
    for person in cut_off:
        server.let_go(person.thread)
    await server.start()
    await all_of(cut_off, Person.is_mended, Person.agrees)


@pytest.mark.parametrize("client", ["ai-5", "ai-6", "ai-7"])
async def test_the_page_of_the_docs_mends_itself_while_its_answer_is_written(
    server: Server, opened: Pages, client: str
) -> None:
    cell = Cell("tools", "fresh", "mend meanwhile")
    person = Person(server, opened, client, cell, program=program(client))
    await person.loses_its_connection()
    await person.catches_up()
    server.let_go(person.thread)
    await person.is_mended()
    await person.agrees()


@pytest.mark.parametrize("client", ["ai-6", "ai-7"])
async def test_clients_agree_after_sequences_outside_of_the_matrix(
    server: Server, opened: Pages, client: str
) -> None:
    cells = {Cell("text", "fresh", name.replace(",", "")): steps for name, steps in SEQUENCES.items()}
    going = [Person(server, opened, client, cell, number) for number, cell in enumerate(cells)]
    await all_of(going, lambda person: cells[person.cell](person), Person.agrees)


@pytest.mark.parametrize(
    ("client", "hook", "texts"),
    [("ai-5", False, 2), ("ai-6", False, 1), ("ai-6", True, 2), ("ai-7", False, 1), ("ai-7", True, 1)],
)
async def test_clients_that_resume_after_a_lost_connection_show_the_text_as_often_as_the_docs_say(
    server: Server, opened: Pages, client: str, hook: bool, texts: int
) -> None:
    person = Person(server, opened, client, Cell("text", "fresh", f"lost connection {hook}"), hook=hook)
    await person.loses_its_connection()
    await person.resumes_and_reads()
    shown = (await person.does("look"))["messages"][-1]
    assert [part["type"] for part in shown["parts"]].count("text") == texts, shown
    if texts == 1:
        await person.agrees()
